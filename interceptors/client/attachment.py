"""What the client side does to a call, apart from waiting: which mandate, and where it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.limits import MAX_METADATA_BYTES
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.client.acting import asked_resource
from caracal_grpc.interceptors.client.tokens import Ask
from caracal_grpc.interceptors.context.current import current_token
from caracal_grpc.interceptors.context.inbound import without_claims
from caracal_grpc.interceptors.context.session import STANDING, InSession, current_place
from caracal_grpc.interceptors.context.trace import TRACEPARENT, TRACESTATE
from caracal_grpc.interceptors.rules.rules import Rules

OnBehalf = Literal["exchange", "forward", "either", "self"]
"""What an outgoing call does with the mandate of the call that is being handled.

"exchange" asks for a mandate on behalf of the caller, "forward" sends the caller's own on, which
cannot be one that is bound to the caller's certificate; both refuse a call without a caller. "self"
acts as this application, whoever calls. "either" exchanges where there is a caller and acts as this
application where there is none: a caller that was lost on the way to another thread is none.
"""

AUTHORIZATION: Final = "authorization"

_ENTRY_OVERHEAD: Final = 32
"""HTTP/2 counts so many bytes for each header on top of its own (RFC 9113 section 6.5.2)."""

_TRACE: Final = frozenset({TRACEPARENT, TRACESTATE})

Metadata = list[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True)
class Attachment:
    """How one channel obtains its mandates, and whether it `reopen`s streams that outlive them.

    It acts at `place`, or where the caller acts as `application`, when nothing is said.
    """

    rules: Rules
    on_behalf: OnBehalf | Callable[[], OnBehalf]
    place: InSession | None = None
    binding: str | None = None
    reopen: bool = False
    application: str = ""

    def __post_init__(self) -> None:
        if not callable(self.on_behalf) and self.on_behalf not in get_args(OnBehalf):
            raise field_invalid("on_behalf", f"must be one of {', '.join(get_args(OnBehalf))}")

    def plan(
        self, method: str | bytes, metadata: Any, caller: str | None, request: object
    ) -> Ask | str | None:
        """What to attach: a mandate to ask for, a token as it is, or nothing.

        Nothing goes with a public method, with a call that carries its own `authorization`, and
        with a method without a rule: the server refuses that, and says so. `caller` is the token
        of the call that is being handled, `request` the message, or `EACH` for a stream of them.
        Raises `MANDATE_MISSING` when there is no caller on a channel that acts for callers only,
        `METADATA_TOO_LARGE` where there is no room for any mandate, `BINDING_MISMATCH` for a method
        that takes bound mandates only on a channel that has none, what `asked_resource` raises, and
        why nothing can be done any more in the session that the call acts in.
        """
        if any(key.lower() == AUTHORIZATION for key, _ in metadata or ()):
            return None
        rule = self.rules.find(method if isinstance(method, str) else method.decode())
        if rule is None or rule.public:
            return None
        _require_fit([*(metadata or ())])
        return self.wanted(rule, caller, request)

    def wanted(self, rule: Rule, caller: str | None, request: object) -> Ask | str:
        """What goes with a call of the method of `rule`, which is not public; see `plan`."""
        on_behalf = self.on_behalf() if callable(self.on_behalf) else self.on_behalf
        if rule.bound and (self.binding is None or on_behalf == "forward"):
            raise _unbound()
        if on_behalf == "self":
            caller = None
        elif caller is None and on_behalf != "either":
            raise _no_caller()
        elif on_behalf == "forward" and caller is not None:
            return caller
        place = (self.place or current_place(self.application) or STANDING).require()
        return Ask(
            asked_resource(rule, request),
            rule.scopes,
            caller,
            place.id or None,
            binding=self.binding,
            any_scopes=rule.any_scopes,
            single_use=rule.single_use,
            generation=place.generation,
        )


def caller_token() -> str | None:
    """The token of the call that is being handled; `None` outside one. Read it before any await."""
    try:
        return current_token()
    except CaracalError:
        return None


def _no_caller() -> CaracalError:
    return CaracalError(
        Reason.MANDATE_MISSING,
        "this channel acts on behalf of callers, and there is none here; carry the handler's "
        "context into the thread with contextvars.copy_context().run, or make a channel with "
        'on_behalf="self" for what the application does by itself',
    )


def _unbound() -> CaracalError:
    return CaracalError(
        Reason.BINDING_MISMATCH,
        "the method takes only mandates that are bound to this process's own TLS certificate; set "
        "cert_file and key_file in the profile, and let the channel neither forward its callers' "
        "mandates nor be made with bound=False",
    )


def attach(metadata: Iterable[tuple[str, str | bytes]] | None, token: str) -> Metadata:
    """A copy of `metadata` with `token` in it; raises `METADATA_TOO_LARGE`."""
    return _require_fit([*(metadata or ()), (AUTHORIZATION, f"Bearer {token}")])


def carry(
    metadata: Iterable[tuple[str, str | bytes]] | None, carried: Iterable[tuple[str, str]]
) -> Metadata:
    """A copy of `metadata` with what is `carried` on from the call that is being handled.

    Who set a trace or baggage for this call knows better, and a propagator that read our caller's
    baggage spreads no claims in it. As much is carried, in its order, as the budget leaves room
    for: what a caller sent makes no call of ours too large.
    """
    entries = without_claims(metadata or ())
    present = {key.lower() for key, _ in entries}
    if present & _TRACE:
        present |= _TRACE  # each belongs to the other
    room = MAX_METADATA_BYTES - _wire_size_of(entries)
    for key, value in carried:
        if key in present:
            continue
        room -= _wire_size(key, value)
        if room < 0:
            break
        entries.append((key, value))
    return entries


def _require_fit(entries: Metadata) -> Metadata:
    size = _wire_size_of(entries)
    if size > MAX_METADATA_BYTES:
        raise CaracalError(
            Reason.METADATA_TOO_LARGE,
            f"the metadata takes {size} bytes of at most {MAX_METADATA_BYTES}; send less of it",
            metadata={"limit": str(MAX_METADATA_BYTES)},
        )
    return entries


def _wire_size_of(metadata: Metadata) -> int:
    return sum(_wire_size(key, value) for key, value in metadata)


def _wire_size(key: str, value: str | bytes) -> int:
    """Binary values travel in base64, unless both ends know better."""
    length = len(value) if isinstance(value, str) else -(-len(value) // 3) * 4
    return len(key) + length + _ENTRY_OVERHEAD
