"""What refers to an object that is to be removed, or to have less: it would lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.names import Names, names_of
from caracal_grpc.authority.state.slices import in_slices
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.zones.kinds import Kind, T, W
from caracal_grpc.authority.zones.references import kept_references
from caracal_grpc.authority.zones.rest import Rest
from caracal_grpc.core.application import Application
from caracal_grpc.core.errors import FieldViolation
from caracal_grpc.core.ids import family_of
from caracal_grpc.core.zone import Resource


def may_break(state: State, zone: str, present: T | None, wanted: W | None) -> bool:
    """Whether an edit takes anything away that others can refer to."""
    if wanted is None:
        return True
    if not isinstance(wanted, Resource):
        return False
    if isinstance(present, Resource):
        return not present.scopes <= wanted.scopes
    family = state.family(zone, wanted.name)  # which it leaves: its own scopes count from now on
    return family is not None and not family.scopes <= wanted.scopes


async def broken(
    state: State,
    zone: str,
    policy: Content | None,
    kind: Kind[T, W],
    present: T | None,
    wanted: W | None,
) -> list[FieldViolation]:
    """Every reference of the zone, and of the `policy` that decides in it, that an edit breaks.

    What led nowhere before is none of it. For tens of thousands of objects it takes some tenths of
    a second, in slices.
    """
    before = names_of(state, zone)
    after = _after(before, kind, present, wanted)
    kept = await _kept(state, zone, kind, present, wanted)
    found = await in_slices(kept_references(kept, policy, after))
    if not found:
        return []
    known = set(await in_slices(kept_references(kept, policy, before)))
    return [_said(each) for each in found if each not in known]


async def _kept(
    state: State, zone: str, kind: Kind[T, W], present: T | None, wanted: W | None
) -> Rest:
    """What of the zone can refer to an object of that kind, the object itself aside."""
    if kind.role == "workload_issuers":
        return Rest(tuple(await in_slices(_in_clusters(state, zone))))
    if kind.role != "scopes":
        acting = (each for each in state.resources(zone) if each.may_act and each != present)
        return Rest(resources=tuple(acting))
    edited = present.name if present else wanted.name if wanted else ""
    found = await in_slices(_bounded(state, zone, edited))
    return Rest(tuple(found), upstreams=tuple(state.upstreams(zone)))


def _in_clusters(state: State, zone: str) -> Iterator[tuple[Application, ...]]:
    """The applications that authenticate by service accounts of Kubernetes."""
    for name, record in tuple(state.records(zone, places.APPLICATIONS).items()):
        named = any("kubernetes" in each for each in record.value["identities"])
        found = state.application(zone, name) if named else None
        yield (found,) if found else ()


def _bounded(state: State, zone: str, resource: str) -> Iterator[tuple[Application, ...]]:
    """The applications whose ceiling names the resource, or one of the family that it is."""
    for name, record in tuple(state.records(zone, places.APPLICATIONS).items()):
        named = record.value["ceiling"] or ()
        if any(resource in {each, family_of(each)} for each in named):
            found = state.application(zone, name)
            yield (found,) if found else ()
        else:
            yield ()


def _after(names: Names, kind: Kind[T, W], present: T | None, wanted: W | None) -> Names:
    """What there will be to refer to."""
    gone = {present.name} if present and wanted is None else set()
    if kind.role is None:
        return names
    if kind.role != "scopes":
        left: Any = {kind.role: getattr(names, kind.role) - gone}
        return replace(names, **left)
    scopes = {name: each for name, each in names.scopes.items() if name not in gone}
    if isinstance(wanted, Resource):
        scopes[wanted.name] = wanted.scopes
    return replace(names, scopes=scopes)


def _said(violation: FieldViolation) -> FieldViolation:
    text = f"would lead nowhere, since {violation.description}; change it first"
    return FieldViolation(violation.field, text)
