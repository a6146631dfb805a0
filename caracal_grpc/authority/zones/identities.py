"""What applications authenticate by besides their secrets: by itself, and against each other's.

Two applications of a zone must not both be what somebody can show. It would be no hole, since a
client names its application, and only what that one may do is granted; but most often it is a slip
that lets a workload choose the mightier of two. So it is FIELD_INVALID as far as it can be told: an
identity that is written twice, and SPIFFE ids and patterns that have an id in common. That one
certificate holds a DNS name and a SPIFFE id of two applications is not known before it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations_with_replacement
from typing import Final

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.zones.declaration import Declaration, DeclaredApplication
from caracal_grpc.authority.zones.rest import Rest
from caracal_grpc.authority.zones.violations import at_most, tried, unique
from caracal_grpc.core import limits
from caracal_grpc.core.entry import plain_text
from caracal_grpc.core.errors import FieldViolation
from caracal_grpc.core.spiffe import ANY
from caracal_grpc.core.workload import WorkloadIdentity, require_identity
from caracal_grpc.crypto.client_keys import client_keys

_SHOWN: Final = 128
_MOST_SLASHES: Final = limits.MAX_PATTERN_SEGMENTS + 2
"""In a pattern, with those of `spiffe://`."""


def identity_violations(path: str, application: DeclaredApplication) -> Iterable[FieldViolation]:
    """What is wrong with the identities and the keys of one application by themselves."""
    place, identities = f"{path}.identities", application.identities
    yield from at_most(place, len(identities), limits.MAX_IDENTITIES)
    for index, identity in enumerate(identities):
        yield from tried(require_identity, f"{place}[{index}]", identity)
    yield from unique(place, (_text(each) for each in identities))
    try:
        if application.jwks:
            client_keys(application.jwks)
    except ValueError as error:
        yield FieldViolation(f"{path}.jwks", str(error))


def cluster_violations(
    path: str, identities: Iterable[WorkloadIdentity], known: frozenset[str]
) -> Iterable[FieldViolation]:
    """What is wrong with the clusters that identities name, given the zone's workload issuers."""
    for index, identity in enumerate(identities):
        account = identity.kubernetes
        if account and account.issuer not in known:
            text = f"{plain_text(account.issuer, 64)} is no workload issuer"
            yield FieldViolation(f"{path}.identities[{index}].kubernetes.issuer", text)


def taken(state: State, zone: str, wanted: DeclaredApplication) -> Iterator[list[FieldViolation]]:
    """The identities of an application that another one of the zone has, in groups.

    As they are stored: to read tens of thousands of applications for this takes its time.
    """
    for record in (
        tuple(state.records(zone, places.APPLICATIONS).values()) if wanted.identities else ()
    ):
        name, stored = record.value["name"], record.value["identities"]
        others = (
            [] if name == wanted.name else [WorkloadIdentity.from_value(each) for each in stored]
        )
        yield [
            _taken(f"application.identities[{index}]", identity, name)
            for index, identity in enumerate(wanted.identities)
            if any(identity.overlaps(other) for other in others)
        ]


@dataclass(frozen=True, slots=True)
class _Claim:
    """That an application, `owner` by its name, is somebody; `path` is empty when it is so now."""

    owner: str
    path: str
    identity: WorkloadIdentity


_Shape = frozenset[int]
"""The places of `*` in a pattern: patterns of one shape overlap only when they are the same."""


def shared(declared: Declaration, kept: Rest) -> Iterator[Iterable[FieldViolation]]:
    """What two applications of a declaration, and of what is `kept` beside it, both are.

    In time that grows with the number of identities, and of shapes that the patterns of one length
    have, since each is compared only where the others have no `*`.
    """
    lengths: dict[int, dict[_Shape, list[_Claim]]] = {}
    for claim in _claims(declared, kept):
        shape, length = _shape(claim.identity)
        lengths.setdefault(length, {}).setdefault(shape, []).append(claim)
        yield ()
    for shapes in lengths.values():
        for (one, claims), (other, others) in combinations_with_replacement(shapes.items(), 2):
            yield from _between(claims, others, one | other)


def _claims(declared: Declaration, kept: Rest) -> Iterator[_Claim]:
    """Patterns that are too long are left out: they are refused by themselves, and of any shape."""
    here = (
        (each.name, f"applications[{index}].identities", each.identities)
        for index, each in enumerate(declared.applications)
    )
    there = ((each.name, "", each.identities) for each in kept.applications)
    for owner, path, identities in chain(here, there):
        for index, identity in enumerate(identities):
            if ANY not in identity.spiffe_id or identity.spiffe_id.count("/") <= _MOST_SLASHES:
                yield _Claim(owner, path and f"{path}[{index}]", identity)


def _shape(identity: WorkloadIdentity) -> tuple[_Shape, int]:
    segments = identity.spiffe_id.split("/")
    return frozenset(i for i, each in enumerate(segments) if each == ANY), len(segments)


def _between(
    claims: Sequence[_Claim], others: Sequence[_Claim], shape: _Shape
) -> Iterator[Iterable[FieldViolation]]:
    """What claims of two shapes, or of one, have in common; `shape` is both together."""
    known: dict[str, dict[str, _Claim]] = {}
    for claim in claims if claims is not others else ():
        known.setdefault(_key(claim.identity, shape), {})[claim.owner] = claim
        yield ()
    for claim in others:
        owners = known.setdefault(_key(claim.identity, shape), {})
        rival = next((each for owner, each in owners.items() if owner != claim.owner), None)
        yield _conflict(claim, rival) if rival else ()
        if claims is others:
            owners[claim.owner] = claim


def _key(identity: WorkloadIdentity, shape: _Shape) -> str:
    if not shape:
        return f"{identity.member} {identity}"
    segments = identity.spiffe_id.split("/")
    return "/".join(ANY if i in shape else each for i, each in enumerate(segments))


def _conflict(claim: _Claim, rival: _Claim) -> Iterator[FieldViolation]:
    """The one of the two that is declared says so; one that is there already may stay."""
    if claim.path:
        yield _taken(claim.path, claim.identity, rival.owner)
    elif rival.path:
        yield _taken(rival.path, rival.identity, claim.owner)


def _taken(path: str, identity: WorkloadIdentity, owner: str) -> FieldViolation:
    text = f"{_text(identity)} is what application {owner[:64]} can be as well; give it to one"
    return FieldViolation(path, text)


def _text(identity: WorkloadIdentity) -> str:
    return plain_text(str(identity), _SHOWN)
