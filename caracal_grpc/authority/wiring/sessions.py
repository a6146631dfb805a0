"""The units that are granted, passing them on, and ending them."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.authority.delegations.delegations import Delegations
from caracal_grpc.authority.delegations.terms import Terms
from caracal_grpc.authority.issuers.issuers import Issuers
from caracal_grpc.authority.revocation.revocations import Revocations
from caracal_grpc.authority.sessions.leases import Leases
from caracal_grpc.authority.sessions.records import Records
from caracal_grpc.authority.sessions.sessions import Sessions
from caracal_grpc.authority.sessions.slots import Slots
from caracal_grpc.authority.sessions.starter import Starter
from caracal_grpc.authority.sessions.suspensions import Suspensions
from caracal_grpc.authority.sessions.users import Users
from caracal_grpc.authority.state.tree import Tree
from caracal_grpc.authority.wiring.ground import Ground


@dataclass(frozen=True, slots=True)
class SessionParts:
    """The parts that keep sessions and delegations, and revoke."""

    tree: Tree
    revocations: Revocations
    starter: Starter
    sessions: Sessions
    delegations: Delegations
    leases: Leases
    suspensions: Suspensions


def open_sessions(on: Ground, issuers: Issuers) -> SessionParts:
    """The units that are granted, passing them on, and ending them."""
    store, state, recorder, clock, ids = on.store, on.state, on.recorder, on.clock, on.ids
    tree = on.owned(Tree(state))
    revocations = on.owned(Revocations(store, state, tree, on.keyring, recorder, clock, ids))
    slots = on.owned(Slots(state, clock))
    starter = Starter(store, state, slots, clock)
    records = Records(store, state, slots, clock)
    users = Users(state, issuers, clock)
    terms = Terms(state, clock)
    return SessionParts(
        tree,
        revocations,
        starter,
        on.owned(Sessions(state, starter, users, revocations, recorder, clock, ids)),
        on.owned(Delegations(state, tree, starter, terms, revocations, recorder, clock, ids)),
        on.owned(Leases(state, records, recorder, clock)),
        on.owned(Suspensions(state, records, revocations, recorder, clock)),
    )
