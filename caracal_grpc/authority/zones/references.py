"""References that lead nowhere: most often a typo, and never of any effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.policies.references import grant_violations
from caracal_grpc.authority.state.names import Names, resource_exists
from caracal_grpc.authority.zones.declaration import Declaration
from caracal_grpc.authority.zones.identities import cluster_violations
from caracal_grpc.authority.zones.rest import Rest
from caracal_grpc.authority.zones.violations import ceiling_violations
from caracal_grpc.core.errors import FieldViolation
from caracal_grpc.core.zone import AUTHORITY, Resource


def names_of(declared: Declaration, kept: Rest) -> Names:
    """What there will be to refer to."""
    resources = (AUTHORITY, *kept.resources, *declared.resources)
    return Names(
        _names(declared.applications, kept.applications),
        _names(declared.issuers, kept.issuers),
        _names(declared.proof_systems, kept.proof_systems),
        {each.name: each.scopes for each in resources},
        _names(declared.workload_issuers, kept.workload_issuers),
    )


def _names(*groups: Iterable[Any]) -> frozenset[str]:
    return frozenset(each.name for group in groups for each in group)


def references(declared: Declaration, names: Names) -> Iterator[Iterable[FieldViolation]]:
    """Every reference of the declaration that leads nowhere."""
    for index, application in enumerate(declared.applications):
        path = f"applications[{index}]"
        yield ceiling_violations(f"{path}.ceiling", application.ceiling, names.scopes)
        yield cluster_violations(path, application.identities, names.workload_issuers)
    grants = declared.policy.grants if declared.policy else ()
    for index, grant in enumerate(grants):
        yield grant_violations(f"policy.grants[{index}]", grant, names)
    for index, resource in enumerate(declared.resources):
        yield may_act_violations(f"resources[{index}]", resource, names)


def kept_references(
    kept: Rest, policy: Content | None, names: Names
) -> Iterator[Iterable[FieldViolation]]:
    """What stays and refers to what will be gone: its path begins with `present`."""
    for application in kept.applications:
        path = f"present.applications.{application.name}"
        yield ceiling_violations(f"{path}.ceiling", application.ceiling, names.scopes)
        yield cluster_violations(path, application.identities, names.workload_issuers)
    for resource in kept.resources:
        yield may_act_violations(f"present.resources.{resource.name}", resource, names)
    for upstream in kept.upstreams:
        path = f"present.upstreams.{upstream.name}.resource"
        yield resource_exists(path, upstream.resource, names.scopes)
    for index, grant in enumerate(policy.grants if policy else ()):
        yield grant_violations(f"present.policy.grants[{index}]", grant, names)


def may_act_violations(path: str, resource: Resource, names: Names) -> Iterable[FieldViolation]:
    """What is wrong with who may act on behalf of whom at a resource."""
    for index, may in enumerate(resource.may_act):
        place = f"{path}.may_act[{index}]"
        yield from names.application(f"{place}.actor", may.actor)
        for subject in may.subjects:
            yield from names.subject(f"{place}.subjects", subject)
        if not may.subjects:
            yield FieldViolation(f"{place}.subjects", "must name at least one")
