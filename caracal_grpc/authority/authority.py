"""The authority as a whole: its use cases over one store, one ledger and one policy engine."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.authority.approvals.approvals import Approvals
from caracal_grpc.authority.approvals.book import ApprovalBook
from caracal_grpc.authority.approvals.holding import Holding
from caracal_grpc.authority.approvals.proofs import Proofs
from caracal_grpc.authority.audit.audit import Audit
from caracal_grpc.authority.audit.edge_decisions import EdgeDecisions
from caracal_grpc.authority.delegations.delegations import Delegations
from caracal_grpc.authority.delegations.terms import Terms
from caracal_grpc.authority.diagnosis.diagnosis import Diagnostics
from caracal_grpc.authority.diagnosis.ground import CertificateSource, Parts
from caracal_grpc.authority.exchange.actor import ActorTokens
from caracal_grpc.authority.exchange.consumption import Consumption
from caracal_grpc.authority.exchange.decider import Decider
from caracal_grpc.authority.exchange.exchange import Exchange
from caracal_grpc.authority.exchange.minter import Minter
from caracal_grpc.authority.exchange.newcomers import Newcomers
from caracal_grpc.authority.exchange.presented import PresentedMandates
from caracal_grpc.authority.exchange.requests import Requests
from caracal_grpc.authority.exchange.step_up import StepUp
from caracal_grpc.authority.exchange.subject import SubjectTokens
from caracal_grpc.authority.issuers.issuers import Issuers
from caracal_grpc.authority.keys.care import KeyCare
from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.keys.keys import Keys
from caracal_grpc.authority.keys.signers import Signers
from caracal_grpc.authority.policies.activations import Activations
from caracal_grpc.authority.policies.catalogue import Catalogue
from caracal_grpc.authority.policies.loads import Loads
from caracal_grpc.authority.policies.migration import Unversioned
from caracal_grpc.authority.policies.policies import Policies
from caracal_grpc.authority.policies.publishing import Publishing
from caracal_grpc.authority.policies.shadowing import Shadowing
from caracal_grpc.authority.policies.shadows import Shadows
from caracal_grpc.authority.policies.source import chosen
from caracal_grpc.authority.policies.versions import Versions
from caracal_grpc.authority.revocation.feed import Feed
from caracal_grpc.authority.revocation.propagation import Propagation
from caracal_grpc.authority.revocation.replicas import Replicas
from caracal_grpc.authority.revocation.revocations import Revocations
from caracal_grpc.authority.revocation.view import AuthorityView
from caracal_grpc.authority.sessions.leases import Leases
from caracal_grpc.authority.sessions.records import Records
from caracal_grpc.authority.sessions.sessions import Sessions
from caracal_grpc.authority.sessions.slots import Slots
from caracal_grpc.authority.sessions.starter import Starter
from caracal_grpc.authority.sessions.suspensions import Suspensions
from caracal_grpc.authority.sessions.users import Users
from caracal_grpc.authority.state.aliases import Aliases
from caracal_grpc.authority.state.ownership import Ownership
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.state.tree import Tree
from caracal_grpc.authority.trials.candidates import Candidates
from caracal_grpc.authority.trials.trials import Trials
from caracal_grpc.authority.webhooks.deliveries import Deliveries
from caracal_grpc.authority.zones.credentials import Credentials
from caracal_grpc.authority.zones.editing import Editing
from caracal_grpc.authority.zones.edits import Edits
from caracal_grpc.authority.zones.freezing import Freezing
from caracal_grpc.authority.zones.objects import Objects
from caracal_grpc.authority.zones.removal import Removal
from caracal_grpc.authority.zones.zone_edits import ZoneEdits
from caracal_grpc.authority.zones.zones import Zones
from caracal_grpc.core.limits import MAX_RESOURCE_TTL, MAX_SESSION_TTL
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.ledger.port import Ledger
from caracal_grpc.outbound.port import Outbound
from caracal_grpc.policy.port import Engine
from caracal_grpc.store.port import Store


@dataclass(frozen=True, slots=True)
class _Ground:
    """What every use case stands on."""

    store: Store
    state: State
    keyring: Keyring
    recorder: Recorder
    clock: Clock
    ids: Ids
    outbound: Outbound


class Authority:
    """Every use case, wired. The parts it is given are closed by whoever opened them."""

    def __init__(
        self,
        store: Store,
        state: State,
        keyring: Keyring,
        ledger: Ledger,
        engine: Engine,
        clock: Clock,
        ids: Ids,
        public_url: str,
        outbound: Outbound,
        certificate: CertificateSource = lambda: None,
        deciding: Engine | None = None,
    ) -> None:
        """`engine` runs what does not decide yet, and what decides unless another is `deciding`."""
        recorder = Recorder(ledger, clock, ids)
        on = _Ground(store, state, keyring, recorder, clock, ids, outbound)
        self.state = state
        self.issuers = Issuers(outbound, clock)
        self.tree = Tree(state)
        self._aliases = Aliases(state, clock)
        self._open_policies(on, engine, deciding or engine)
        self._open_exchange(on)
        self.revocations = Revocations(store, state, self.tree, keyring, recorder, clock, ids)
        self._open_sessions(on)
        self._open_edges(on)
        candidates = Candidates(state, self._versions, engine)
        shadowing = Shadowing(store, state, self._versions, self._shadows, recorder)
        self.trials = Trials.over(
            ledger, state, self._decider, candidates, shadowing, clock, self._replicas.own
        )
        self.keys = Keys(store, state, keyring, recorder, clock, ids)
        self.key_care = KeyCare(store, state, keyring, self.keys, recorder, self._replicas)
        signers = Signers(state, keyring)
        self.audit = Audit(ledger, state, signers, clock)
        self.diagnostics = self._diagnostics(on, ledger, signers, certificate)
        self.edge_decisions = EdgeDecisions(state, recorder, clock)
        self.zones = Zones(
            store,
            state,
            keyring,
            self._publishing,
            self.revocations,
            recorder,
            clock,
            ids,
            public_url,
        )
        self.freezing = Freezing(store, state, recorder)
        self._open_objects(on)

    def _diagnostics(
        self, on: _Ground, ledger: Ledger, signers: Signers, certificate: CertificateSource
    ) -> Diagnostics:
        return Diagnostics(
            Parts(
                on.store,
                on.state,
                on.keyring,
                ledger,
                on.recorder,
                signers,
                self._replicas,
                self.feed,
                self._loads,
                on.clock,
                certificate,
            )
        )

    def _open_objects(self, on: _Ground) -> None:
        """What a zone is made of, and zones themselves, one by one."""
        store, state, clock, recorder = on.store, on.state, on.clock, on.recorder
        self._editing = Editing(store, state, recorder)
        self.objects = Objects(state)
        self.edits = Edits(state, self._editing, self._publishing, self.revocations, clock, on.ids)
        self.credentials = Credentials(state, self._editing, self.revocations, clock, on.ids)
        self.zone_edits = ZoneEdits(
            store,
            state,
            on.keyring,
            self._editing,
            recorder,
            clock,
            on.ids,
            self.zones.issuer,
        )
        self.removal = Removal(store, state, self._editing, recorder, clock)

    def _open_policies(self, on: _Ground, engine: Engine, deciding: Engine) -> None:
        """What decides, and its versions."""
        store, state, clock, recorder = on.store, on.state, on.clock, on.recorder
        self._versions = Versions(store, state, clock)
        self._policies = Policies(deciding, chosen(state, self._versions), clock)
        self._publishing = Publishing(state, self._versions, engine, clock)
        self._shadows = Shadows(state, self._versions, engine, clock)
        self._unversioned = Unversioned(store, state, self._versions, recorder, clock)
        self.catalogue = Catalogue(state, self._versions, engine, recorder, clock)

    def _open_exchange(self, on: _Ground) -> None:
        """Mandates, and the approvals that some of them need."""
        store, state, clock, recorder = on.store, on.state, on.clock, on.recorder
        self.view = AuthorityView(state, on.keyring, clock, MAX_SESSION_TTL)
        self._subject_view = AuthorityView(state, on.keyring, clock, MAX_RESOURCE_TTL)
        presented = PresentedMandates(self._subject_view, self._aliases, clock)
        self.consumption = Consumption(store, state, presented, recorder, clock)
        actors = ActorTokens(PresentedMandates(self.view, self._aliases, clock))
        subjects = SubjectTokens(presented)
        self._decider = Decider(state, self._policies, subjects, actors, clock)
        minter = Minter(state, on.keyring, clock, on.ids)
        requests = Requests(store, state, minter, recorder, clock)
        self._book = ApprovalBook(store, state, clock)
        self._holding = Holding(store, state, self._book, recorder, clock, on.ids)
        step_up = StepUp(self._book, self._holding, clock)
        proofs = Proofs(state, self.issuers, clock)
        self.approvals = Approvals(state, self._book, proofs, recorder, clock)
        self.exchange = Exchange(
            state,
            self._decider,
            minter,
            step_up,
            requests,
            Newcomers(store, state),
            self._aliases,
            recorder,
            clock,
            self._shadows.offer,
        )

    def _open_sessions(self, on: _Ground) -> None:
        """The units that are granted, and passing them on."""
        store, state, clock, recorder = on.store, on.state, on.clock, on.recorder
        self._slots = Slots(state, clock)
        self.starter = Starter(store, state, self._slots, clock)
        records = Records(store, state, self._slots, clock)
        users = Users(state, self.issuers, clock)
        self.sessions = Sessions(
            state, self.starter, users, self.revocations, recorder, clock, on.ids
        )
        self.delegations = Delegations(
            state,
            self.tree,
            self.starter,
            Terms(state, clock),
            self.revocations,
            recorder,
            clock,
            on.ids,
        )
        self.leases = Leases(state, records, recorder, clock)
        self.suspensions = Suspensions(state, records, self.revocations, recorder, clock)

    def _open_edges(self, on: _Ground) -> None:
        """Who is told of what happens: edges, other replicas, webhooks."""
        store, state, clock = on.store, on.state, on.clock
        self.feed = Feed(state, on.keyring, self._aliases, clock, on.ids)
        self._replicas = Replicas(store, state, clock, on.ids, on.keyring.vault.keks.ids)
        self.propagation = Propagation(store, state, self.feed, self._replicas, clock, on.ids)
        owners = Ownership(store, state, self._replicas.own, self._replicas.live)
        self._deliveries = Deliveries(state, self._book, on.keyring, owners, on.outbound, clock)
        self._loads = Loads(
            store, state, self._policies, self._replicas.own, self._replicas.live, clock
        )
        self.activations = Activations(
            store, state, self._versions, self._policies, self._loads, on.recorder, clock
        )

    async def start(self) -> None:
        """Says that this replica runs, then begins to feed edges; raises `STORE_UNAVAILABLE`."""
        await self._replicas.start()
        await self._unversioned.migrate()
        self.propagation.start()
        self.feed.start()
        self._deliveries.start()
        self.key_care.start()
        self._loads.start()

    async def close(self) -> None:
        """Ends the feed and waits for exchanges in flight."""
        await self.feed.close()
        await self._deliveries.close()
        await self.key_care.close()
        await self.propagation.close()
        await self._replicas.close()
        await self.exchange.close()
        await self._shadows.close()
        await self.trials.shadowing.close()
        await self.approvals.close()
        self._holding.close()
        await self.issuers.close()
        await self.revocations.close()
        await self.sessions.close()
        await self.delegations.close()
        await self.leases.close()
        await self.suspensions.close()
        self._slots.close()
        self.tree.close()
        self._aliases.close()
        await self.activations.close()
        await self.catalogue.close()
        await self.freezing.close()
        await self._editing.close()
        await self._loads.close()
        await self._policies.close()
        self._subject_view.close()
        self.view.close()
