"""The authority as a whole: its use cases over one store, one ledger and one policy engine."""

from __future__ import annotations

from collections.abc import Sequence

from caracal_grpc.authority.diagnosis.ground import CertificateSource
from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.state.debts import Debts
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.wiring.care import open_care
from caracal_grpc.authority.wiring.edges import open_edges
from caracal_grpc.authority.wiring.ground import Ground
from caracal_grpc.authority.wiring.mandates import open_mandates
from caracal_grpc.authority.wiring.policies import open_policies
from caracal_grpc.authority.wiring.sessions import open_sessions
from caracal_grpc.authority.wiring.upstreams import open_upstreams
from caracal_grpc.authority.wiring.zones import open_zones
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.ledger.notes.cosignature import WitnessKey
from caracal_grpc.ledger.port import Ledger
from caracal_grpc.outbound.port import Outbound
from caracal_grpc.policy.port import Engine
from caracal_grpc.store.port import Store


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
        witnesses: Sequence[WitnessKey] = (),
    ) -> None:
        """`engine` runs what does not decide yet, and what decides unless another is `deciding`."""
        self.recorder = recorder = Recorder(ledger, clock, ids)
        deciding = deciding or engine
        on = Ground(store, state, keyring, ledger, recorder, engine, deciding, outbound, clock, ids)
        self.state, self.keyring, self._closing = state, keyring, on.closing
        self.debts = on.owned(Debts(store, state, recorder, clock))
        policies = open_policies(on)
        self.catalogue, self._unversioned = policies.catalogue, policies.unversioned

        mandates = open_mandates(on, policies)
        self.issuers, self.view, self._aliases = mandates.issuers, mandates.view, mandates.aliases
        self.exchange, self.consumption = mandates.exchange, mandates.consumption
        self.clients, self.inspection = mandates.clients, mandates.inspection
        self.approvals = mandates.approvals

        units = open_sessions(on, mandates.issuers)
        self.tree, self.revocations, self.starter = units.tree, units.revocations, units.starter
        self.sessions, self.delegations = units.sessions, units.delegations
        self.leases, self.suspensions = units.leases, units.suspensions

        edges = open_edges(on, policies, mandates)
        self.feed, self.propagation = edges.feed, edges.propagation
        self.activations, self._replicas = edges.activations, edges.replicas
        self._deliveries, self._loads = edges.deliveries, edges.loads

        declared = open_zones(on, policies.publishing, units.revocations, public_url)
        self.zones, self.zone_edits = declared.zones, declared.zone_edits
        self.objects, self.edits = declared.objects, declared.edits
        self._editing, self.freezing = declared.editing, declared.freezing
        self.credentials, self.removal = declared.credentials, declared.removal

        self.upstreams = open_upstreams(on, mandates.presented)
        care = open_care(on, policies, mandates, edges, certificate, witnesses)
        self.keys, self.key_care, self.trials = care.keys, care.key_care, care.trials
        self.reading, self.edge_decisions = care.reading, care.edge_decisions
        self.retention, self._daily_pruning = care.retention, care.daily_pruning
        self.explaining = care.explaining
        self.diagnostics, self.proving = care.diagnostics, care.proving

    async def start(self) -> None:
        """Says that this replica runs, then begins to feed edges; raises `STORE_UNAVAILABLE`."""
        await self._replicas.start()
        await self._unversioned.migrate()
        self.propagation.start()
        self.feed.start()
        self._deliveries.start()
        self.key_care.start()
        self._daily_pruning.start()
        self.proving.sweeping.start()
        self._loads.start()
        self.debts.start()

    async def close(self) -> None:
        """Ends the feed and waits for exchanges in flight: what uses a part ends before it."""
        await self._closing.aclose()
