"""What a declaration refers to and does not declare: most often a typo, and never of any effect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from caracal_grpc.authority.zones.declaration import Declaration
from caracal_grpc.authority.zones.violations import scopes_exist
from caracal_grpc.core.errors import FieldViolation

ANYONE = "*"


@dataclass(frozen=True, slots=True)
class _Names:
    """The names that a declaration may refer to."""

    applications: frozenset[str]
    issuers: frozenset[str]
    proof_systems: frozenset[str]

    def application(self, path: str, name: str) -> Iterable[FieldViolation]:
        if name not in self.applications:
            yield FieldViolation(path, f"{name[:64]} is no application")

    def user(self, path: str, name: str) -> Iterable[FieldViolation]:
        issuer, slash, subject = name.partition("/")
        if not (slash and subject) or issuer not in self.issuers:
            text = "is no user: write the name of a declared issuer, a slash, and a subject or *"
            yield FieldViolation(path, f"{name[:64]} {text}")

    def party(self, path: str, name: str) -> Iterable[FieldViolation]:
        known = self.user if "/" in name else self.application
        return known(path, name)

    def subject(self, path: str, name: str) -> Iterable[FieldViolation]:
        return () if name == ANYONE else self.party(path, name)


def reference_violations(
    declared: Declaration, known: Mapping[str, frozenset[str]]
) -> Iterable[FieldViolation]:
    """Every reference that leads nowhere; `known` are the scopes of each resource."""
    names = _Names(
        frozenset(each.name for each in declared.applications),
        frozenset(each.name for each in declared.issuers),
        frozenset(each.name for each in declared.proof_systems),
    )
    for index, grant in enumerate(declared.grants):
        yield from _of_grant(f"policy.grants[{index}]", grant, names, known)
    for index, resource in enumerate(declared.resources):
        for place, may in enumerate(resource.may_act):
            path = f"resources[{index}].may_act[{place}]"
            yield from names.application(f"{path}.actor", may.actor)
            for subject in may.subjects:
                yield from names.subject(f"{path}.subjects", subject)
            if not may.subjects:
                yield FieldViolation(f"{path}.subjects", "must name at least one")


def _of_grant(
    path: str, grant: Mapping[str, Any], names: _Names, known: Mapping[str, frozenset[str]]
) -> Iterable[FieldViolation]:
    if grant.get("application") not in names.applications:
        yield FieldViolation(f"{path}.application", "is not an application of the zone")
    scopes = frozenset(grant.get("scopes", ()))
    yield from scopes_exist(path, grant.get("resource", ""), scopes, known)
    for subject in grant.get("subjects", ()):
        if subject != ANYONE:
            yield from names.application(f"{path}.subjects", subject)
    for user in grant.get("users", ()):
        yield from names.user(f"{path}.users", user)
    approval = grant.get("approval", {})
    for reviewer in approval.get("reviewers", ()):
        yield from names.party(f"{path}.approval.reviewers", reviewer)
    if approval.get("proof_system") not in {None, *names.proof_systems}:
        yield FieldViolation(f"{path}.approval.proof_system", "is not declared in proof_systems")
