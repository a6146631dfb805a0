"""The declared state of a zone, checked as a whole before anything is done with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from caracal_grpc.core import limits
from caracal_grpc.core.ceiling import UNBOUNDED, Ceiling
from caracal_grpc.core.entry import plain_text
from caracal_grpc.core.errors import CaracalError, FieldViolation
from caracal_grpc.core.ids import (
    family_of,
    require_labels,
    require_resource_or_family,
    require_scope,
    require_slug,
)
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.zone import AUTHORITY, Resource


@dataclass(frozen=True, slots=True)
class DeclaredApplication:
    """An application as its owner declares it; ids and secrets are the authority's."""

    name: str
    labels: tuple[str, ...] = ()
    ceiling: Ceiling = UNBOUNDED


@dataclass(frozen=True, slots=True)
class Settings:
    """Times of a zone in seconds; 0 means the default."""

    default_ttl: int = 0
    max_hops: int = 0
    key_publish: int = 0


@dataclass(frozen=True, slots=True)
class Declaration:
    """The whole declared state of one zone. `grants` and `modules` make its policy."""

    name: str
    applications: tuple[DeclaredApplication, ...] = ()
    resources: tuple[Resource, ...] = ()
    grants: tuple[Mapping[str, Any], ...] = ()
    modules: Mapping[str, str] = field(default_factory=dict)
    settings: Settings = Settings()

    def policy_value(self) -> dict[str, Any]:
        """The JSON form of the policy for the store."""
        return {"grants": [dict(grant) for grant in self.grants], "modules": dict(self.modules)}


def check(declared: Declaration) -> None:
    """Raises `FIELD_INVALID` with every violation of the declaration, each with its path."""
    require(
        (
            *_name(declared),
            *_applications(declared),
            *_resources(declared),
            *_settings(declared.settings),
            *_references(declared),
        )
    )


def require(violations: Iterable[FieldViolation]) -> None:
    """Raises `FIELD_INVALID` with the first fifty of `violations`, if there are any."""
    found = tuple(islice(violations, 50))
    if found:
        text = f"{found[0].field}: {found[0].description}"
        raise CaracalError(Reason.FIELD_INVALID, text, violations=found)


def _name(declared: Declaration) -> Iterable[FieldViolation]:
    yield from _tried(require_slug, "name", declared.name)


def _known(declared: Declaration) -> dict[str, frozenset[str]]:
    """The scopes of each resource that the declaration may refer to."""
    return {each.name: each.scopes for each in (AUTHORITY, *declared.resources)}


def _applications(declared: Declaration) -> Iterable[FieldViolation]:
    applications, known = declared.applications, _known(declared)
    yield from _at_most("applications", len(applications), limits.MAX_APPLICATIONS)
    yield from _unique("applications", (each.name for each in applications))
    for index, application in enumerate(applications):
        path = f"applications[{index}]"
        yield from _tried(require_slug, f"{path}.name", application.name)
        yield from _tried(require_labels, f"{path}.labels", application.labels)
        yield from ceiling_violations(f"{path}.ceiling", application.ceiling, known)


def _resources(declared: Declaration) -> Iterable[FieldViolation]:
    yield from _at_most("resources", len(declared.resources), limits.MAX_RESOURCES)
    yield from _unique("resources", (each.name for each in declared.resources))
    for index, resource in enumerate(declared.resources):
        path = f"resources[{index}]"
        yield from _tried(require_resource_or_family, f"{path}.name", resource.name)
        if resource.name == AUTHORITY.name:
            yield FieldViolation(
                f"{path}.name", "is the authority itself, which needs no declaring"
            )
        if not resource.scopes:
            yield FieldViolation(f"{path}.scopes", "must name at least one scope")
        yield from _at_most(f"{path}.scopes", len(resource.scopes), limits.MAX_SCOPES)
        for scope in sorted(resource.scopes):
            yield from _tried(require_scope, f"{path}.scopes", scope)
        if not 30 <= resource.max_ttl <= limits.MAX_RESOURCE_TTL:
            yield FieldViolation(f"{path}.max_ttl_seconds", "must be 30 to 900")


_BOUNDS = {
    "default_ttl_seconds": ("default_ttl", 30, limits.MAX_RESOURCE_TTL),
    "max_hops": ("max_hops", 1, limits.MAX_HOPS),
    "key_publish_seconds": ("key_publish", 1, limits.MAX_KEY_PUBLISH),
}


def _settings(settings: Settings) -> Iterable[FieldViolation]:
    for name, (attribute, low, high) in _BOUNDS.items():
        value = getattr(settings, attribute)
        if value and not low <= value <= high:
            yield FieldViolation(
                f"settings.{name}", f"must be {low} to {high}, or 0 for the default"
            )


def _references(declared: Declaration) -> Iterable[FieldViolation]:
    """Grants that name what is not declared: most often a typo, and never of any effect."""
    names, known = {each.name for each in declared.applications}, _known(declared)
    for index, grant in enumerate(declared.grants):
        path = f"policy.grants[{index}]"
        if grant.get("application") not in names:
            yield FieldViolation(f"{path}.application", "is not an application of the zone")
        scopes = frozenset(grant.get("scopes", ()))
        yield from _scopes_exist(path, grant.get("resource", ""), scopes, known)
        for subject in grant.get("subjects", ()):
            if subject not in {*names, "*"}:
                yield FieldViolation(f"{path}.subjects", f"{subject[:64]} is no application")


def ceiling_violations(
    path: str, ceiling: Ceiling, known: Mapping[str, frozenset[str]]
) -> Iterable[FieldViolation]:
    """What is wrong with a ceiling, given the scopes of each resource that it may name."""
    for resource, scopes in (ceiling.limits or {}).items():
        yield from _scopes_exist(path, resource, scopes, known)


def _scopes_exist(
    path: str, resource: str, scopes: frozenset[str], known: Mapping[str, frozenset[str]]
) -> Iterable[FieldViolation]:
    declared = known.get(resource, known.get(family_of(resource) or ""))
    if declared is None:
        yield FieldViolation(f"{path}.resource", "is not a resource of the zone")
        return
    if not scopes:
        yield FieldViolation(f"{path}.scopes", "must name at least one scope")
    for scope in sorted(scopes - declared):
        shown = plain_text(scope, 64)
        yield FieldViolation(f"{path}.scopes", f"{shown} is not a scope of {resource[:64]}")


def _at_most(path: str, count: int, limit: int) -> Iterable[FieldViolation]:
    if count > limit:
        yield FieldViolation(path, f"must be at most {limit}")


def _unique(path: str, names: Iterable[str]) -> Iterable[FieldViolation]:
    for name, count in Counter(names).items():
        if count > 1:
            yield FieldViolation(path, f"{name[:64]} is declared {count} times")


def _tried(require: Any, path: str, value: Any) -> Iterable[FieldViolation]:
    try:
        require(path, value)
    except CaracalError as error:
        yield from error.violations
