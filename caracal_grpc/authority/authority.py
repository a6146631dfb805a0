"""The authority as a whole: its use cases over one store, one ledger and one policy engine."""

from __future__ import annotations

from caracal_grpc.authority.audit.audit import Audit
from caracal_grpc.authority.audit.edge_decisions import EdgeDecisions
from caracal_grpc.authority.exchange.consumption import Consumption
from caracal_grpc.authority.exchange.exchange import Exchange
from caracal_grpc.authority.exchange.policies import Policies
from caracal_grpc.authority.exchange.presented import PresentedMandates
from caracal_grpc.authority.exchange.subject import SubjectTokens
from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.keys.keys import Keys
from caracal_grpc.authority.keys.signers import Signers
from caracal_grpc.authority.revocation.feed import Feed
from caracal_grpc.authority.revocation.revocations import Revocations
from caracal_grpc.authority.revocation.view import AuthorityView
from caracal_grpc.authority.sessions.sessions import Sessions
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.zones.zones import Zones
from caracal_grpc.core.limits import MAX_RESOURCE_TTL, MAX_SESSION_TTL
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.ledger.port import Ledger
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
    ) -> None:
        self.state = state
        self.view = AuthorityView(state, keyring, clock, MAX_SESSION_TTL)
        self._subject_view = AuthorityView(state, keyring, clock, MAX_RESOURCE_TTL)
        recorder = Recorder(ledger, clock, ids)
        policies = self._policies = Policies(state, engine)
        presented = PresentedMandates(self._subject_view, clock)
        subjects = SubjectTokens(presented, clock)
        self.consumption = Consumption(store, state, presented, recorder, clock)
        self.exchange = Exchange(state, keyring, policies, subjects, recorder, clock, ids)
        self.revocations = Revocations(store, state, keyring, recorder, clock)
        self.sessions = Sessions(store, state, self.revocations, recorder, clock, ids)
        self.keys = Keys(store, state, keyring, recorder, clock, ids)
        self.audit = Audit(ledger, state, Signers(state, keyring), clock)
        self.edge_decisions = EdgeDecisions(state, recorder, clock)
        self.feed = Feed(state, keyring, clock)
        self.zones = Zones(
            store,
            state,
            keyring,
            policies,
            self.revocations,
            recorder,
            clock,
            ids,
            public_url,
        )

    def start(self) -> None:
        """Begins to feed edges; call it on the running loop."""
        self.feed.start()

    async def close(self) -> None:
        """Ends the feed and waits for exchanges in flight."""
        await self.feed.close()
        await self.exchange.close()
        self.sessions.close()
        self._policies.close()
        self._subject_view.close()
        self.view.close()
