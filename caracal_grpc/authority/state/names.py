"""The names that a zone's objects may refer to, and what is wrong with those that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from caracal_grpc.authority.state.places import APPLICATIONS
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.entry import plain_text
from caracal_grpc.core.errors import FieldViolation
from caracal_grpc.core.ids import family_of
from caracal_grpc.core.may_act import ANYONE
from caracal_grpc.core.zone import AUTHORITY


@dataclass(frozen=True, slots=True)
class Names:
    """Applications, issuers of users, proof systems and workload issuers by name, and the scopes of
    each resource.
    """

    applications: frozenset[str]
    issuers: frozenset[str]
    proof_systems: frozenset[str]
    scopes: Mapping[str, frozenset[str]]
    workload_issuers: frozenset[str] = frozenset()

    def application(self, path: str, name: str) -> Iterable[FieldViolation]:
        """What is wrong with naming an application."""
        if name not in self.applications:
            yield FieldViolation(path, f"{name[:64]} is no application")

    def user(self, path: str, name: str) -> Iterable[FieldViolation]:
        """What is wrong with naming a user, or all of an issuer."""
        issuer, slash, subject = name.partition("/")
        if not (slash and subject) or issuer not in self.issuers:
            text = "is no user: write the name of a declared issuer, a slash, and a subject or *"
            yield FieldViolation(path, f"{name[:64]} {text}")

    def party(self, path: str, name: str) -> Iterable[FieldViolation]:
        """What is wrong with naming an application or a user."""
        known = self.user if "/" in name else self.application
        return known(path, name)

    def subject(self, path: str, name: str) -> Iterable[FieldViolation]:
        """What is wrong with naming whom somebody acts for."""
        return () if name == ANYONE else self.party(path, name)


def names_of(state: State, zone: str) -> Names:
    """The names of a zone as it is."""
    resources = (AUTHORITY, *state.resources(zone))
    return Names(
        # As they are stored: to read tens of thousands for their names alone takes its time.
        frozenset(each.value["name"] for each in state.records(zone, APPLICATIONS).values()),
        frozenset(each.name for each in state.issuers(zone)),
        frozenset(each.name for each in state.proof_systems(zone)),
        {each.name: each.scopes for each in resources},
        frozenset(each.name for each in state.workload_issuers(zone)),
    )


def resource_exists(
    path: str, resource: str, known: Mapping[str, frozenset[str]]
) -> Iterable[FieldViolation]:
    """What is wrong with naming a resource, given the scopes of each that there is."""
    if _declared(resource, known) is None:
        yield FieldViolation(path, "is not a resource of the zone")


def scopes_exist(
    path: str, resource: str, scopes: frozenset[str], known: Mapping[str, frozenset[str]]
) -> Iterable[FieldViolation]:
    """What is wrong with naming `scopes` of `resource`, given the scopes of each that there is."""
    declared = _declared(resource, known)
    if declared is None:
        yield from resource_exists(f"{path}.resource", resource, known)
        return
    if not scopes:
        yield FieldViolation(f"{path}.scopes", "must name at least one scope")
    for scope in sorted(scopes - declared):
        shown = plain_text(scope, 64)
        yield FieldViolation(f"{path}.scopes", f"{shown} is not a scope of {resource[:64]}")


def _declared(resource: str, known: Mapping[str, frozenset[str]]) -> frozenset[str] | None:
    """The scopes of a resource, declared itself or by its family; `None` when it is neither."""
    return known.get(resource, known.get(family_of(resource) or ""))
