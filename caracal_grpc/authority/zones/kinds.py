"""The kinds of objects that standard methods read and change: what is different between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.names import names_of
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.zones.applications import ApplicationChanges
from caracal_grpc.authority.zones.ceilings import undeclared
from caracal_grpc.authority.zones.change import Change, changed
from caracal_grpc.authority.zones.checks import application_violations, resource_violations
from caracal_grpc.authority.zones.declaration import DeclaredApplication
from caracal_grpc.authority.zones.identities import cluster_violations
from caracal_grpc.authority.zones.references import may_act_violations
from caracal_grpc.authority.zones.trust import issuer_violations, workload_issuer_violations
from caracal_grpc.authority.zones.violations import tried, unique
from caracal_grpc.core import ids, limits
from caracal_grpc.core.application import Application
from caracal_grpc.core.errors import FieldViolation, field_invalid
from caracal_grpc.core.filters import Type
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.upstream import DeclaredUpstream, UpstreamCredential
from caracal_grpc.core.zone import AUTHORITY, Resource, Zone
from caracal_grpc.store.port import Delete, Key

T = TypeVar("T", bound=Application | Resource | TrustedIssuer | UpstreamCredential)
W = TypeVar("W", bound=DeclaredApplication | Resource | TrustedIssuer | DeclaredUpstream)
Plain = TypeVar("Plain", bound=Resource | TrustedIssuer)

Role = Literal["applications", "scopes", "issuers", "proof_systems", "workload_issuers"]
"""What others refer to it as: a part of `Names`; a kind that nothing refers to has none."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T, W]):
    """One kind: `T` is an object as it is, `W` as its owner declares it.

    At most `most` are in a zone. `fields` are what a filter may ask for. `named` checks the name in
    a request, and `find` takes it. `every` is in the order of names. `places` are the records of an
    object, whose revisions are its etag. `violations` are what is wrong with one, by itself and
    with what it refers to; paths begin with the name of the kind. `change` brings one that is, or
    `None`, to one that is wanted, or to none; it is `None` when that is so already. What it puts
    first is the object, which `parse` reads.
    """

    name: str
    stored: str
    role: Role | None
    most: int
    fields: Mapping[str, Type]
    named: Callable[[str, str], str]
    find: Callable[[State, str, str], T | None]
    every: Callable[[State, str], Iterable[T]]
    places: Callable[[str, T], Sequence[Key]]
    violations: Callable[[State, str, W], Iterable[FieldViolation]]
    change: Callable[[ApplicationChanges, Zone, T | None, W | None], Change | None]
    parse: Callable[[Mapping[str, Any]], T]


def etag_of(state: State, places_of: Iterable[Key]) -> str:
    """What changes with each change of one of the records."""
    return str(max(state.revision_of(place) for place in places_of))


def find_application(state: State, zone: str, name: str) -> Application | None:
    """The application by its id or its name, or `None`."""
    if ids.prefix_of(name) == ids.APPLICATION:
        return state.application(zone, name)
    records = state.records(zone, places.APPLICATIONS)
    found = next((key for key, each in records.items() if each.value["name"] == name), "")
    return state.application(zone, found) if found else None


def require_application(field: str, value: str) -> str:
    """`value` when it can name an application, by its id or its name; raises `FIELD_INVALID`."""
    if ids.prefix_of(value) == ids.APPLICATION:
        return value
    if "_" in value:
        raise field_invalid(field, "must be an id that starts with app_, or a name")
    return ids.require_slug(field, value)


def application_places(zone: str, application: Application) -> Sequence[Key]:
    """The records of an application: its own, and its standing session's."""
    return (
        places.application_place(zone, application.id),
        places.session_place(zone, application.standing_session),
    )


def _applications(state: State, zone: str) -> Iterator[Application]:
    records = state.records(zone, places.APPLICATIONS)
    for _, key in sorted((each.value["name"], key) for key, each in records.items()):
        found = state.application(zone, key)
        if found:
            yield found


def _declared_resource(state: State, zone: str, name: str) -> Resource | None:
    """A resource by its name; the authority itself is declared by nobody."""
    return None if name == AUTHORITY.name else state.resource(zone, name)


def _resources(state: State, zone: str) -> Iterable[Resource]:
    return sorted(state.resources(zone), key=lambda each: each.name)


def _application_violations(
    state: State, zone: str, wanted: DeclaredApplication
) -> Iterator[FieldViolation]:
    yield from application_violations("application", wanted)
    yield from undeclared("application.ceiling", state, zone, wanted.ceiling)
    clusters = frozenset(each.name for each in state.workload_issuers(zone))
    yield from cluster_violations("application", wanted.identities, clusters)


def _resource_violations(state: State, zone: str, wanted: Resource) -> Iterator[FieldViolation]:
    yield from resource_violations("resource", wanted)
    if wanted.may_act:
        yield from may_act_violations("resource", wanted, names_of(state, zone))


def _issuer_violations(
    path: str, every: Callable[[State, str], Iterable[TrustedIssuer]]
) -> Callable[[State, str, TrustedIssuer], Iterator[FieldViolation]]:
    def violations(state: State, zone: str, wanted: TrustedIssuer) -> Iterator[FieldViolation]:
        yield from _named_violations(path, every(state, zone), wanted)
        yield from issuer_violations(path, wanted)

    return violations


def _workload_issuer_violations(
    state: State, zone: str, wanted: TrustedIssuer
) -> Iterator[FieldViolation]:
    path, own = "workload_issuer", state.zone(zone).issuer
    yield from _named_violations(path, state.workload_issuers(zone), wanted)
    yield from workload_issuer_violations(path, wanted, zone_issuer=own)


def _named_violations(
    path: str, every: Iterable[TrustedIssuer], wanted: TrustedIssuer
) -> Iterator[FieldViolation]:
    others = [each.issuer for each in every if each.name != wanted.name]
    yield from tried(ids.require_slug, f"{path}.name", wanted.name)
    yield from unique(f"{path}.issuer", (*others, wanted.issuer))


def _application_change(
    changes: ApplicationChanges,
    zone: Zone,
    present: Application | None,
    wanted: DeclaredApplication | None,
) -> Change | None:
    if wanted is None:
        return changes.removed(zone, present) if present else None
    if present is None:
        return changes.new(zone, wanted, apply="")
    return next(changes.updated(zone, present, wanted, apply=None), None)


def _plain_change(
    kind: str, place: Callable[[str, str], Key]
) -> Callable[[ApplicationChanges, Zone, Plain | None, Plain | None], Change | None]:
    """Of a kind that is one record by its name."""

    def change(
        _: ApplicationChanges, zone: Zone, present: Plain | None, wanted: Plain | None
    ) -> Change | None:
        if wanted is not None:
            return changed(kind, place(zone.name, wanted.name), present, wanted)
        if present is None:
            return None
        gone = Delete(place(zone.name, present.name))
        return Change("delete", kind, present.name, writes=(gone,))

    return change


APPLICATION: Final[Kind[Application, DeclaredApplication]] = Kind(
    name="application",
    stored=places.APPLICATIONS,
    role="applications",
    most=limits.MAX_APPLICATIONS,
    fields={"id": "text", "name": "text", "labels": "texts", "disabled": "flag"},
    named=require_application,
    find=find_application,
    every=_applications,
    places=application_places,
    violations=_application_violations,
    change=_application_change,
    parse=Application.from_value,
)
RESOURCE: Final[Kind[Resource, Resource]] = Kind(
    name="resource",
    stored=places.RESOURCES,
    role="scopes",
    most=limits.MAX_RESOURCES,
    fields={"name": "text", "scopes": "texts"},
    named=ids.require_resource_or_family,
    find=_declared_resource,
    every=_resources,
    places=lambda zone, found: (places.resource_place(zone, found.name),),
    violations=_resource_violations,
    change=_plain_change("resource", places.resource_place),
    parse=Resource.from_value,
)
ISSUER: Final[Kind[TrustedIssuer, TrustedIssuer]] = Kind(
    name="issuer",
    stored=places.ISSUERS,
    role="issuers",
    most=limits.MAX_ISSUERS,
    fields={"name": "text", "issuer": "text", "audience": "text"},
    named=ids.require_slug,
    find=lambda state, zone, name: _by_name(state.issuers(zone), name),
    every=lambda state, zone: state.issuers(zone),
    places=lambda zone, found: (places.issuer_place(zone, found.name),),
    violations=_issuer_violations("issuer", lambda state, zone: state.issuers(zone)),
    change=_plain_change("issuer", places.issuer_place),
    parse=TrustedIssuer.from_value,
)
PROOF_SYSTEM: Final[Kind[TrustedIssuer, TrustedIssuer]] = Kind(
    name="proof_system",
    stored=places.PROOF_SYSTEMS,
    role="proof_systems",
    most=limits.MAX_ISSUERS,
    fields={"name": "text", "issuer": "text", "audience": "text"},
    named=ids.require_slug,
    find=lambda state, zone, name: _by_name(state.proof_systems(zone), name),
    every=lambda state, zone: state.proof_systems(zone),
    places=lambda zone, found: (places.proof_system_place(zone, found.name),),
    violations=_issuer_violations("proof_system", lambda state, zone: state.proof_systems(zone)),
    change=_plain_change("proof_system", places.proof_system_place),
    parse=TrustedIssuer.from_value,
)
WORKLOAD_ISSUER: Final[Kind[TrustedIssuer, TrustedIssuer]] = Kind(
    name="workload_issuer",
    stored=places.WORKLOAD_ISSUERS,
    role="workload_issuers",
    most=limits.MAX_ISSUERS,
    fields={"name": "text", "issuer": "text", "audience": "text"},
    named=ids.require_slug,
    find=lambda state, zone, name: _by_name(state.workload_issuers(zone), name),
    every=lambda state, zone: state.workload_issuers(zone),
    places=lambda zone, found: (places.workload_issuer_place(zone, found.name),),
    violations=_workload_issuer_violations,
    change=_plain_change("workload_issuer", places.workload_issuer_place),
    parse=TrustedIssuer.from_value,
)


def _by_name(every: Iterable[TrustedIssuer], name: str) -> TrustedIssuer | None:
    return next((each for each in every if each.name == name), None)
