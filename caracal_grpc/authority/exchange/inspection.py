"""Mandates that clients ask about, or want to end: who asks, and whether they live."""

from __future__ import annotations

from typing import Final

from caracal_grpc.authority.exchange.clients import Client, Clients
from caracal_grpc.authority.exchange.presented import PresentedMandates
from caracal_grpc.authority.exchange.rates import Rates
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.workloads.proof import Proof
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock

_OWN: Final = "too many questions of the application about mandates; wait, and ask less"
_ALL: Final = "too many questions about mandates of the zone; wait, or raise its limits"


class Inspection:
    """Judges tokens for clients that authenticate, and says nothing of why one is none."""

    def __init__(
        self, state: State, clients: Clients, presented: PresentedMandates, clock: Clock
    ) -> None:
        self._state = state
        self._clients = clients
        self._presented = presented
        self._rates = Rates(clock, own=_OWN, every=_ALL)

    async def asker(self, zone: str, application: str, proof: Proof, kind: str) -> Client:
        """The client that asks, which it may as often as it may exchange.

        Raises what `Clients.admit` does, and `RATE_LIMITED`, of which nothing is recorded.
        """
        client = await self._clients.admit(zone, application, proof, kind)
        self._rates.take(self._state.zone(zone), client.application.id)
        return client

    def alive(self, zone: str, token: str) -> Mandate | None:
        """The mandate of `zone` in `token`, of either use, bound or not, while it lives.

        A token of another zone, one that has ended or is revoked, and what is no token are all the
        same: `None`. Raises `AUTHORITY_STALE` rather than call something alive that may be dead.
        """
        self._state.require_fresh()
        try:
            return self._presented.live(token, zone, bound=True, any_use=True)
        except CaracalError as refusal:
            if refusal.code == "UNAVAILABLE":
                raise
            return None
