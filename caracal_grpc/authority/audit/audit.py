"""Reading the ledger: search and checkpoints."""

from __future__ import annotations

from caracal_grpc.authority.keys.signers import Signers, ledger_issuer
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.ledger.notes.note import verifier_key
from caracal_grpc.ledger.port import Checkpoint, Filter, Ledger, Page


class Audit:
    """Reads the ledger of a zone for those who may."""

    def __init__(self, ledger: Ledger, state: State, signers: Signers) -> None:
        self._ledger = ledger
        self._state = state
        self._signers = signers

    async def search(
        self, caller: Mandate, zone: str, query: Filter, page_size: int, page_token: str
    ) -> Page:
        """One page of what `query` finds; raises `FIELD_INVALID`, `ZONE_FORBIDDEN`.

        It may be empty although there are more.
        """
        self._require(caller, zone)
        return await self._ledger.search(
            zone, query, page_size=page_size or 100, page_token=page_token, briefly=True
        )

    async def checkpoint(self, caller: Mandate, zone: str) -> tuple[Checkpoint, str]:
        """The newest signed checkpoint of the zone, and the key that verifies it."""
        self._require(caller, zone)
        checkpoint = await self._ledger.checkpoint(zone)
        return checkpoint, verifier_key(self._signers(zone))

    def _require(self, caller: Mandate, zone: str) -> None:
        """The zone may have been removed: operators read on what it did."""
        require_zone(caller, zone)
        ledger_issuer(self._state, zone)
