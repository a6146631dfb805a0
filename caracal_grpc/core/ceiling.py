"""Ceilings, and the narrowing of what is asked for by everything that bounds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import family_of
from caracal_grpc.core.limits import AUTHORITY_OWN_SCOPES, AUTHORITY_RESOURCE
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.verdict import scope_insufficient

_OWN = frozenset(AUTHORITY_OWN_SCOPES)
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The resources and scopes that a session can ever reach; `None` bounds nothing.

    What it says of a family, it says of each resource of it, and nothing the other way round.
    """

    limits: Mapping[str, frozenset[str]] | None = None

    def on(self, resource: str, scopes: frozenset[str]) -> frozenset[str]:
        """The part of `scopes` on `resource` that lies under the ceiling.

        What every application may ask of the authority itself lies under each.
        """
        if self.limits is None:
            return scopes
        own = _OWN if resource == AUTHORITY_RESOURCE else _NONE
        names = (name for name in (resource, family_of(resource)) if name)
        return scopes & own.union(*(self.limits.get(name, _NONE) for name in names))

    def within(self, upper: Ceiling) -> bool:
        """Whether nothing under this ceiling lies above `upper`."""
        if upper.limits is None:
            return True
        if self.limits is None:
            return False
        return all(scopes == upper.on(name, scopes) for name, scopes in self.limits.items())

    def to_value(self) -> dict[str, list[str]] | None:
        """The JSON form for the store."""
        if self.limits is None:
            return None
        return {name: sorted(scopes) for name, scopes in sorted(self.limits.items())}

    @staticmethod
    def from_value(value: Mapping[str, Any] | None) -> Ceiling:
        """The ceiling that `to_value` wrote."""
        if value is None:
            return UNBOUNDED
        return Ceiling({name: frozenset(scopes) for name, scopes in value.items()})


UNBOUNDED = Ceiling()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a narrowing: what bounded the request, and which scopes remained."""

    by: str
    kept: tuple[str, ...]


def step(by: str, scopes: Iterable[str]) -> Step:
    """A step with its scopes in their fixed order."""
    return Step(by, tuple(sorted(scopes)))


def narrow(
    resource: str,
    declared: frozenset[str],
    requested: frozenset[str],
    ceilings: Sequence[tuple[str, Ceiling]],
) -> tuple[frozenset[str], tuple[Step, ...]]:
    """What remains of `requested` under the resource's scopes and each `(session, ceiling)`.

    An empty request asks for all that there is and is narrowed silently. A request that names
    scopes is never answered with fewer: it raises `SCOPE_INSUFFICIENT` for a scope that the
    resource does not have, and `CEILING_EXCEEDED` naming the session that bounds it.
    """
    if not requested <= declared:
        raise scope_insufficient(requested, declared)
    scopes = requested or declared
    steps = [step(resource, scopes)]
    for session, ceiling in ceilings:
        kept = ceiling.on(resource, scopes)
        if (requested and kept != scopes) or not kept:
            raise ceiling_exceeded(session)
        if kept != scopes:
            steps.append(step(session, kept))
        scopes = kept
    return scopes, tuple(steps)


def reachable(
    resource: str, declared: frozenset[str], ceilings: Iterable[tuple[str, Ceiling]]
) -> frozenset[str]:
    """What of the `declared` scopes of a resource lies under every one of `(session, ceiling)`."""
    for _, ceiling in ceilings:
        declared = ceiling.on(resource, declared)
    return declared


def ceiling_exceeded(session: str) -> CaracalError:
    """The refusal of what lies above a session's ceiling (`CEILING_EXCEEDED`)."""
    return CaracalError(
        Reason.CEILING_EXCEEDED,
        "the session's ceiling does not reach this far",
        metadata={"session": session},
    )
