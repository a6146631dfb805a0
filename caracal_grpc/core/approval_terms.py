"""What an approval needs, read from the policy's `step_up` so strictly that nothing odd holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import (
    DEFAULT_APPROVAL_TTL,
    MAX_APPROVAL_TTL,
    MAX_REVIEWS,
    MIN_APPROVAL_TTL,
)
from caracal_grpc.core.reason import Reason

MAX_REVIEWERS: Final = 256

_SLUG: Final = r"[a-z][a-z0-9-]{0,62}"
_NAME: Final = re.compile(_SLUG)
_REVIEWER: Final = re.compile(rf"{_SLUG}(?:/.{{1,255}})?")
ANY_USER: Final = "/*"
"""The end of a reviewer that stands for every user of an issuer."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What releases a request: so many `reviews` within `ttl` seconds, or a proof.

    `reviewers` are names of applications and of users; empty for whoever may decide.
    """

    reviews: int = 1
    reviewers: tuple[str, ...] = ()
    ttl: int = DEFAULT_APPROVAL_TTL
    proof_system: str = ""

    def names(self, reviewer: str) -> bool:
        """Whether the one called `reviewer`, an application or a user, may review at all."""
        if not self.reviewers:
            return True
        issuer, slash, _ = reviewer.partition("/")
        return reviewer in self.reviewers or bool(slash and f"{issuer}{ANY_USER}" in self.reviewers)

    def to_value(self) -> dict[str, Any]:
        """The JSON form for the store."""
        return {**asdict(self), "reviewers": list(self.reviewers)}

    @staticmethod
    def from_value(value: Mapping[str, Any]) -> Terms:
        """The terms that `to_value` wrote."""
        return Terms(**{**value, "reviewers": tuple(value["reviewers"])})


def terms_of(step_up: Mapping[str, Any] | None) -> Terms:
    """What the document asks for; raises `POLICY_FAILED` for a member that is odd or unknown.

    `scopes`, those that are held, is for people only. Terms that nobody could ever meet are odd.
    """
    given = dict(step_up or {})
    if unknown := given.keys() - _READERS.keys():
        raise _failed(f"{min(unknown)} is not known")
    read = {_READERS[name][0]: _READERS[name][1](name, value) for name, value in given.items()}
    read.pop("scopes", None)
    terms = Terms(**read)
    several = any(each.endswith(ANY_USER) for each in terms.reviewers)
    enough = not terms.reviewers or several or len(terms.reviewers) >= terms.reviews
    if not enough and not terms.proof_system:
        raise _failed("it needs more reviews than there are reviewers")
    return terms


def _number(least: int, most: int) -> Callable[[str, object], int]:
    def read(name: str, value: object) -> int:
        if type(value) is not int or not least <= value <= most:
            raise _failed(f"{name} is not a whole number from {least} to {most}")
        return value

    return read


def _reviewers(name: str, value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list | tuple) else None
    if not items or len(items) > MAX_REVIEWERS:
        raise _failed(f"{name} is not a list of 1 to {MAX_REVIEWERS} names; leave it out for all")
    if not all(isinstance(each, str) and _REVIEWER.fullmatch(each) for each in items):
        raise _failed(f"{name} holds something other than applications and issuer/subject")
    return tuple(sorted(set(items)))


def _slug(name: str, value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise _failed(f"{name} is not a name; leave it out for none")
    return value


def _scopes(name: str, value: object) -> None:
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise _failed(f"{name} is not a list of scopes")


_READERS: Final[Mapping[str, tuple[str, Callable[[str, object], Any]]]] = {
    "reviews": ("reviews", _number(1, MAX_REVIEWS)),
    "reviewers": ("reviewers", _reviewers),
    "ttl_seconds": ("ttl", _number(MIN_APPROVAL_TTL, MAX_APPROVAL_TTL)),
    "proof_system": ("proof_system", _slug),
    "scopes": ("scopes", _scopes),
}


def _failed(what: str) -> CaracalError:
    text = f"the policy's step_up cannot be used: {what}; correct the active policy of the zone"
    return CaracalError(Reason.POLICY_FAILED, text)
