"""Who is told of what happens: edges, other replicas, webhooks."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.authority.policies.activations import Activations
from caracal_grpc.authority.policies.loads import Loads
from caracal_grpc.authority.revocation.feed import Feed
from caracal_grpc.authority.revocation.propagation import Propagation
from caracal_grpc.authority.revocation.replicas import Replicas
from caracal_grpc.authority.state.ownership import Ownership
from caracal_grpc.authority.webhooks.deliveries import Deliveries
from caracal_grpc.authority.wiring.ground import Ground
from caracal_grpc.authority.wiring.mandates import MandateParts
from caracal_grpc.authority.wiring.policies import PolicyParts


@dataclass(frozen=True, slots=True)
class EdgeParts:
    """The parts that tell edges, other replicas and webhooks."""

    feed: Feed
    replicas: Replicas
    propagation: Propagation
    deliveries: Deliveries
    loads: Loads
    activations: Activations


def open_edges(on: Ground, policies: PolicyParts, mandates: MandateParts) -> EdgeParts:
    """Who is told of what happens: edges, other replicas, webhooks."""
    store, state, clock = on.store, on.state, on.clock
    replicas = on.owned(Replicas(store, state, clock, on.ids, on.keyring.vault.keks.ids))
    feed = on.owned(Feed(state, on.keyring, mandates.aliases, clock, on.ids))
    propagation = on.owned(Propagation(store, state, feed, replicas, clock, on.ids))
    owners = Ownership(store, state, replicas.own, replicas.live)
    deliveries = Deliveries(state, mandates.book, on.keyring, owners, on.outbound, clock)
    versions, running = policies.versions, policies.policies
    loads = on.owned(Loads(store, state, running, replicas.own, replicas.live, clock))
    activations = Activations(store, state, versions, running, loads, on.recorder, clock)
    return EdgeParts(
        feed, replicas, propagation, on.owned(deliveries), loads, on.owned(activations)
    )
