"""What decides, and its versions."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.authority.policies.catalogue import Catalogue
from caracal_grpc.authority.policies.migration import Unversioned
from caracal_grpc.authority.policies.policies import Policies
from caracal_grpc.authority.policies.publishing import Publishing
from caracal_grpc.authority.policies.shadows import Shadows
from caracal_grpc.authority.policies.source import chosen
from caracal_grpc.authority.policies.versions import Versions
from caracal_grpc.authority.wiring.ground import Ground


@dataclass(frozen=True, slots=True)
class PolicyParts:
    """The parts that keep policies and run them."""

    versions: Versions
    policies: Policies
    publishing: Publishing
    shadows: Shadows
    unversioned: Unversioned
    catalogue: Catalogue


def open_policies(on: Ground) -> PolicyParts:
    """What decides, and its versions."""
    store, state, recorder, clock = on.store, on.state, on.recorder, on.clock
    versions = Versions(store, state, clock)
    return PolicyParts(
        versions,
        on.owned(Policies(on.deciding, chosen(state, versions), clock)),
        Publishing(state, versions, on.engine, recorder, clock),
        on.owned(Shadows(state, versions, on.engine, clock)),
        Unversioned(store, state, versions, recorder, clock),
        on.owned(Catalogue(state, versions, on.engine, recorder, clock)),
    )
