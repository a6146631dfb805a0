"""A declaration, checked as a whole before anything is done with it."""

from __future__ import annotations

from collections.abc import Iterable

from caracal_grpc.authority.zones.declaration import Declaration, Settings
from caracal_grpc.authority.zones.references import reference_violations
from caracal_grpc.authority.zones.trust import trust_violations
from caracal_grpc.authority.zones.violations import (
    at_most,
    ceiling_violations,
    require,
    tried,
    unique,
)
from caracal_grpc.core import limits
from caracal_grpc.core.errors import FieldViolation
from caracal_grpc.core.ids import (
    require_labels,
    require_resource_or_family,
    require_scope,
    require_slug,
)
from caracal_grpc.core.zone import AUTHORITY


def check(declared: Declaration) -> None:
    """Raises `FIELD_INVALID` with every violation of the declaration, each with its path."""
    require(
        (
            *_name(declared),
            *_applications(declared),
            *_resources(declared),
            *_settings(declared.settings),
            *trust_violations(declared.issuers, declared.proof_systems, declared.webhooks),
            *reference_violations(declared, _known(declared)),
        )
    )


def _name(declared: Declaration) -> Iterable[FieldViolation]:
    yield from tried(require_slug, "name", declared.name)


def _known(declared: Declaration) -> dict[str, frozenset[str]]:
    """The scopes of each resource that the declaration may refer to."""
    return {each.name: each.scopes for each in (AUTHORITY, *declared.resources)}


def _applications(declared: Declaration) -> Iterable[FieldViolation]:
    applications, known = declared.applications, _known(declared)
    yield from at_most("applications", len(applications), limits.MAX_APPLICATIONS)
    yield from unique("applications", (each.name for each in applications))
    for index, application in enumerate(applications):
        path = f"applications[{index}]"
        yield from tried(require_slug, f"{path}.name", application.name)
        yield from tried(require_labels, f"{path}.labels", application.labels)
        yield from ceiling_violations(f"{path}.ceiling", application.ceiling, known)


def _resources(declared: Declaration) -> Iterable[FieldViolation]:
    yield from at_most("resources", len(declared.resources), limits.MAX_RESOURCES)
    yield from unique("resources", (each.name for each in declared.resources))
    for index, resource in enumerate(declared.resources):
        path = f"resources[{index}]"
        yield from tried(require_resource_or_family, f"{path}.name", resource.name)
        if resource.name == AUTHORITY.name:
            yield FieldViolation(
                f"{path}.name", "is the authority itself, which needs no declaring"
            )
        if not resource.scopes:
            yield FieldViolation(f"{path}.scopes", "must name at least one scope")
        yield from at_most(f"{path}.scopes", len(resource.scopes), limits.MAX_SCOPES)
        for scope in sorted(resource.scopes):
            yield from tried(require_scope, f"{path}.scopes", scope)
        if not 30 <= resource.max_ttl <= limits.MAX_RESOURCE_TTL:
            yield FieldViolation(f"{path}.max_ttl_seconds", "must be 30 to 900")
        yield from at_most(f"{path}.may_act", len(resource.may_act), limits.MAX_CEILING)


_BOUNDS = {
    "default_ttl_seconds": ("default_ttl", 30, limits.MAX_RESOURCE_TTL),
    "max_hops": ("max_hops", 1, limits.MAX_HOPS),
    "key_publish_seconds": ("key_publish", 1, limits.MAX_KEY_PUBLISH),
    "jwks_max_age_seconds": ("jwks_max_age", 0, limits.MAX_JWKS_AGE),
    "key_rotate_seconds": ("key_rotate", limits.MIN_KEY_ROTATE, limits.MAX_KEY_ROTATE),
    "limits.application_per_second": ("application_rate", 1, limits.MAX_APPLICATION_RATE),
    "limits.application_burst": ("application_burst", 1, 10 * limits.MAX_APPLICATION_RATE),
    "limits.zone_per_second": ("zone_rate", 1, limits.MAX_ZONE_RATE),
    "limits.zone_burst": ("zone_burst", 1, 10 * limits.MAX_ZONE_RATE),
}


def _settings(settings: Settings) -> Iterable[FieldViolation]:
    for name, (attribute, low, high) in _BOUNDS.items():
        value = getattr(settings, attribute)
        if value and not low <= value <= high:
            yield FieldViolation(
                f"settings.{name}", f"must be {low} to {high}, or 0 for the default"
            )
