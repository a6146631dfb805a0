"""Mandates, and the approvals that some of them need."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.authority.approvals.approvals import Approvals
from caracal_grpc.authority.approvals.book import ApprovalBook
from caracal_grpc.authority.approvals.holding import Holding
from caracal_grpc.authority.approvals.proofs import Proofs
from caracal_grpc.authority.exchange.actor import ActorTokens
from caracal_grpc.authority.exchange.clients import Clients
from caracal_grpc.authority.exchange.consumption import Consumption
from caracal_grpc.authority.exchange.decider import Decider
from caracal_grpc.authority.exchange.exchange import Exchange
from caracal_grpc.authority.exchange.inspection import Inspection
from caracal_grpc.authority.exchange.minter import Minter
from caracal_grpc.authority.exchange.newcomers import Newcomers
from caracal_grpc.authority.exchange.presented import PresentedMandates
from caracal_grpc.authority.exchange.requests import Requests
from caracal_grpc.authority.exchange.step_up import StepUp
from caracal_grpc.authority.exchange.subject import SubjectTokens
from caracal_grpc.authority.issuers.issuers import Issuers
from caracal_grpc.authority.revocation.view import AuthorityView
from caracal_grpc.authority.state.aliases import Aliases
from caracal_grpc.authority.wiring.ground import Ground
from caracal_grpc.authority.wiring.policies import PolicyParts
from caracal_grpc.authority.workloads.workloads import Workloads
from caracal_grpc.core.limits import MAX_RESOURCE_TTL, MAX_SESSION_TTL


@dataclass(frozen=True, slots=True)
class MandateParts:
    """The parts that issue mandates, hold them for approval, and take them."""

    issuers: Issuers
    aliases: Aliases
    view: AuthorityView
    presented: PresentedMandates
    decider: Decider
    book: ApprovalBook
    approvals: Approvals
    consumption: Consumption
    clients: Clients
    exchange: Exchange
    inspection: Inspection


def open_mandates(on: Ground, policies: PolicyParts) -> MandateParts:
    """Mandates, and the approvals that some of them need."""
    store, state, recorder, clock = on.store, on.state, on.recorder, on.clock
    issuers = on.owned(Issuers(on.outbound, clock))
    aliases = on.owned(Aliases(state, clock))
    view = on.owned(AuthorityView(state, on.keyring, clock, MAX_SESSION_TTL))
    subject_view = on.owned(AuthorityView(state, on.keyring, clock, MAX_RESOURCE_TTL))
    presented = PresentedMandates(subject_view, aliases, clock)
    any_use = PresentedMandates(view, aliases, clock)
    actors = ActorTokens(any_use)
    decider = Decider(state, policies.policies, SubjectTokens(presented), actors, clock)
    book = ApprovalBook(store, state, clock)
    approvals = Approvals(state, book, Proofs(state, issuers, clock), recorder, clock)
    clients = Clients(state, Workloads(store, state, issuers, clock), recorder, clock)
    exchange = _open_exchange(on, policies, aliases, clients, decider, book)
    consumption = Consumption(store, state, presented, recorder, clock)
    return MandateParts(
        issuers=issuers,
        aliases=aliases,
        view=view,
        presented=presented,
        decider=decider,
        book=book,
        approvals=on.owned(approvals),
        consumption=consumption,
        clients=clients,
        exchange=exchange,
        inspection=Inspection(state, clients, any_use, clock),
    )


def _open_exchange(
    on: Ground,
    policies: PolicyParts,
    aliases: Aliases,
    clients: Clients,
    decider: Decider,
    book: ApprovalBook,
) -> Exchange:
    store, state, recorder, clock = on.store, on.state, on.recorder, on.clock
    minter = Minter(state, on.keyring, clock, on.ids)
    holding = on.owned(Holding(store, state, book, recorder, clock, on.ids))
    return on.owned(
        Exchange(
            state,
            clients,
            decider,
            minter,
            StepUp(book, holding, clock),
            Requests(store, state, minter, recorder, clock),
            Newcomers(store, state),
            aliases,
            recorder,
            clock,
            policies.shadows.offer,
        )
    )
