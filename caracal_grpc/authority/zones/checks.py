"""A declaration, checked as a whole before anything is done with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.state.slices import in_slices
from caracal_grpc.authority.zones.declaration import Declaration, DeclaredApplication, Settings
from caracal_grpc.authority.zones.identities import identity_violations, shared
from caracal_grpc.authority.zones.references import kept_references, names_of, references
from caracal_grpc.authority.zones.rest import Rest
from caracal_grpc.authority.zones.trust import trust_violations
from caracal_grpc.authority.zones.violations import (
    at_most,
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
from caracal_grpc.core.zone import AUTHORITY, Resource


async def check(declared: Declaration, kept: Rest, policy: Content | None, issuer: str) -> None:
    """Raises `FIELD_INVALID` with violations of the declaration, each with its path, in slices.

    It is judged beside what is `kept` of the zone, and beside the `policy` that goes on deciding in
    it, when something that this refers to might be gone: that they no longer fit is one, too.
    `issuer` is the zone's own issuer URL.
    """
    names = names_of(declared, kept)
    groups = chain(
        _applications(declared, kept),
        shared(declared, kept),
        _resources(declared, kept),
        (settings_violations(declared.settings), trust_violations(declared, kept, issuer)),
        references(declared, names),
        kept_references(kept, policy, names),
    )
    require(await in_slices(groups))


def _applications(declared: Declaration, kept: Rest) -> Iterator[Iterable[FieldViolation]]:
    count = len(declared.applications) + len(kept.applications)
    yield at_most("applications", count, limits.MAX_APPLICATIONS)
    yield unique("applications", (each.name for each in declared.applications))
    for index, application in enumerate(declared.applications):
        yield application_violations(f"applications[{index}]", application)


def application_violations(path: str, application: DeclaredApplication) -> Iterable[FieldViolation]:
    """What is wrong with one application by itself."""
    yield from tried(require_slug, f"{path}.name", application.name)
    yield from tried(require_labels, f"{path}.labels", application.labels)
    yield from identity_violations(path, application)


def _resources(declared: Declaration, kept: Rest) -> Iterator[Iterable[FieldViolation]]:
    count = len(declared.resources) + len(kept.resources)
    yield at_most("resources", count, limits.MAX_RESOURCES)
    yield unique("resources", (each.name for each in declared.resources))
    for index, resource in enumerate(declared.resources):
        yield resource_violations(f"resources[{index}]", resource)


def resource_violations(path: str, resource: Resource) -> Iterable[FieldViolation]:
    """What is wrong with one resource by itself."""
    yield from tried(require_resource_or_family, f"{path}.name", resource.name)
    if resource.name == AUTHORITY.name:
        yield FieldViolation(f"{path}.name", "is the authority itself, which needs no declaring")
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
    "key_publish_seconds": ("key_publish", limits.MIN_KEY_PUBLISH, limits.MAX_KEY_PUBLISH),
    "jwks_max_age_seconds": ("jwks_max_age", 0, limits.MAX_JWKS_AGE),
    "key_rotate_seconds": ("key_rotate", limits.MIN_KEY_ROTATE, limits.MAX_KEY_ROTATE),
    "retention_days": ("retention_days", 1, limits.MAX_RETENTION_DAYS),
    "limits.application_per_second": ("application_rate", 1, limits.MAX_APPLICATION_RATE),
    "limits.application_burst": ("application_burst", 1, 10 * limits.MAX_APPLICATION_RATE),
    "limits.zone_per_second": ("zone_rate", 1, limits.MAX_ZONE_RATE),
    "limits.zone_burst": ("zone_burst", 1, 10 * limits.MAX_ZONE_RATE),
}


def settings_violations(settings: Settings | None) -> Iterable[FieldViolation]:
    """What is wrong with settings; nothing with those that are not declared."""
    if settings is None:
        return
    for name, (attribute, low, high) in _BOUNDS.items():
        value = getattr(settings, attribute)
        if value and not low <= value <= high:
            yield FieldViolation(
                f"settings.{name}", f"must be {low} to {high}, or 0 for the default"
            )
