"""What a policy answers: allow, deny or step up, read so strictly that nothing odd means allow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, cast

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason

PolicyInput = Mapping[str, Any]
"""`{zone, principal, subject, resource, requested_scopes, session, lineage, actor, peer, context,
now}`, all of it JSON."""

Outcome = Literal["allow", "deny", "step_up"]

MAX_TEXT: Final = 256
MAX_ITEMS: Final = 256
MAX_TTL_SECONDS: Final = 86_400

_OUTCOMES: Final = ("allow", "deny", "step_up")


@dataclass(frozen=True, slots=True)
class Decision:
    """One answer of a policy.

    `scopes` narrows what was requested (`None`: as requested, by name), `ttl_seconds` caps the life
    of the mandate, `obligations` are what a resource would have to honour, `step_up` says what an
    approval needs.
    """

    outcome: Outcome
    reasons: tuple[str, ...] = ()
    scopes: tuple[str, ...] | None = None
    ttl_seconds: int | None = None
    obligations: tuple[str, ...] = ()
    step_up: Mapping[str, Any] | None = None

    def given(self, requested: frozenset[str], reachable: frozenset[str]) -> frozenset[str]:
        """The part of `reachable` that an allowance gives to a request that named `requested`.

        Raises `POLICY_FAILED` for an allowance that must not be acted upon: one that says no scopes
        though none were requested, since a policy that looks through the requested ones has then
        looked at nothing; and one with obligations, which no mandate carries to the resource.
        """
        if self.obligations:
            raise _failed("an allow has obligations, which nothing carries; leave them out")
        if self.scopes is not None:
            return reachable & frozenset(self.scopes)
        if not requested:
            raise _failed("no scopes were requested, so an allow must list them as scopes")
        return reachable & requested

    def to_value(self) -> dict[str, Any]:
        """The result that `parse_result` reads as this decision: JSON, without what is not said."""
        value: dict[str, Any] = {"decision": self.outcome}
        if self.reasons:
            value["reasons"] = list(self.reasons)
        if self.scopes is not None:
            value["scopes"] = list(self.scopes)
        if self.ttl_seconds is not None:
            value["ttl_seconds"] = self.ttl_seconds
        if self.obligations:
            value["obligations"] = list(self.obligations)
        if self.step_up is not None:
            value["step_up"] = {name: _plain(detail) for name, detail in self.step_up.items()}
        return value


def parse_result(value: object) -> Decision:
    """The decision in `value`, the document `result` of a policy; raises `POLICY_FAILED` otherwise.

    `decision` must be there; `reasons` and `obligations` default to none. A member that is unknown,
    of another type or out of bounds fails the whole, and so do an allowance that asks for a step-up
    and a step-up that does not say for what.
    """
    if not isinstance(value, Mapping):
        raise _failed("it is undefined or no object")
    unknown = set(value) - _READERS.keys()
    if unknown:
        raise _failed("it has a member that is not known")
    members = {name: _READERS[name](name, member) for name, member in value.items()}
    outcome = members.pop("decision", None)
    if outcome is None:
        raise _failed("it has no decision")
    if (outcome == "step_up") != ("step_up" in members) and outcome != "deny":
        raise _failed("step_up is required by the decision step_up, and forbidden by allow")
    return Decision(cast("Outcome", outcome), **members)


def _plain(detail: object) -> object:
    return list(detail) if isinstance(detail, tuple) else detail


def _outcome(name: str, value: object) -> str:
    if isinstance(value, str) and value in _OUTCOMES:
        return value
    raise _failed(f"{name} is not one of allow, deny and step_up")


def _texts(name: str, value: object) -> tuple[str, ...]:
    """A list of texts, or a set of them in sorted order."""
    if not isinstance(value, list | tuple | set | frozenset) or len(value) > MAX_ITEMS:
        raise _failed(f"{name} is not a list of at most {MAX_ITEMS} texts")
    texts = tuple(_text(name, item) for item in value)
    return texts if isinstance(value, list | tuple) else tuple(sorted(texts))


def _text(name: str, value: object) -> str:
    if isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable():
        return value
    raise _failed(f"{name} holds something other than texts of 1 to {MAX_TEXT} characters")


def _ttl(name: str, value: object) -> int:
    if type(value) is int and 0 < value <= MAX_TTL_SECONDS:
        return value
    raise _failed(f"{name} is not a whole number from 1 to {MAX_TTL_SECONDS}")


def _step_up(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or len(value) > MAX_ITEMS:
        raise _failed(f"{name} is not an object")
    return MappingProxyType({_text(name, key): _detail(name, item) for key, item in value.items()})


def _detail(name: str, value: object) -> object:
    """A value inside `step_up`: a text, a whole number, a truth value or a list of texts."""
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**53):
        return value
    return _text(name, value) if isinstance(value, str) else _texts(name, value)


_READERS: Final[Mapping[str, Callable[[str, object], Any]]] = MappingProxyType(
    {
        "decision": _outcome,
        "reasons": _texts,
        "scopes": _texts,
        "ttl_seconds": _ttl,
        "obligations": _texts,
        "step_up": _step_up,
    }
)


def _failed(what: str) -> CaracalError:
    text = f"the policy's result cannot be used: {what}; correct the active policy of the zone"
    return CaracalError(Reason.POLICY_FAILED, text)
