"""Proofs over the ledger of a zone, made at the running authority for who checks them offline."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.authority.keys.signers import Signers, ledger_issuer
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.entries.stored import Stored
from caracal_grpc.ledger.notes.note import verifier_key
from caracal_grpc.ledger.port import Ledger, Proof, RangeProof
from caracal_grpc.ledger.tree import leaf_hash


@dataclass(frozen=True, slots=True)
class Proven:
    """An entry of `zone` with the proof that it is in the ledger, and the key that signs that."""

    zone: str
    index: int
    leaf: bytes
    canonical: bytes
    proof: Proof
    verifier_key: str


class AuditProofs:
    """Makes proofs for those who may read the ledger, and receipts for those who were answered."""

    def __init__(self, ledger: Ledger, state: State, signers: Signers) -> None:
        self._ledger = ledger
        self._state = state
        self._signers = signers

    async def inclusion(
        self, caller: Mandate, zone: str, *, audit_id: str = "", index: int = 0, size: int = 0
    ) -> Proven:
        """Proves the entry with this id, or else at this index, in the tree of `size` entries.

        `size` 0 is the newest. Raises `OBJECT_NOT_FOUND`, `FIELD_INVALID`, `ZONE_FORBIDDEN`,
        `AUDIT_UNAVAILABLE` also for an entry that is not what was recorded.
        """
        self._require(caller, zone)
        if audit_id:
            return await self._by_id(zone, audit_id, size)
        proof = await self._ledger.inclusion(zone, index, size)
        (leaf,) = await self._ledger.leaf_hashes(zone, index, index + 1)
        kept = [stored async for stored in self._ledger.export(zone, index, index + 1)]
        return self._proven(zone, index, leaf, kept[0].canonical if kept else b"", proof)

    async def receipt(self, zone: str, audit_id: str) -> Proven:
        """Proves, in the newest tree, an entry to whom its decision was answered.

        Raises `AUDIT_UNAVAILABLE` only: the decision is made, whatever becomes of its receipt.
        """
        try:
            return await self._by_id(zone, audit_id, 0)
        except CaracalError as error:
            raise CaracalError(
                Reason.AUDIT_UNAVAILABLE,
                f"it was decided in {audit_id}, but there is no receipt now; send the same again, "
                "with the same request id if it has one",
                metadata={"audit_id": audit_id},
                retry_after=1.0,
            ) from error

    async def consistency(self, caller: Mandate, zone: str, first: int, second: int) -> Proof:
        """Proves that the tree of `second` entries, 0 for the newest, grew from that of `first`."""
        self._require(caller, zone)
        return await self._ledger.consistency(zone, first, second)

    async def range(
        self, caller: Mandate, zone: str, start: int, end: int, size: int
    ) -> RangeProof:
        """Proves the entries with `start` <= index < `end` at once; `end` 0 is that of the tree."""
        self._require(caller, zone)
        return await self._ledger.range_proof(zone, start, end, size)

    def key(self, zone: str) -> str:
        """The key that verifies the checkpoints of the zone."""
        return verifier_key(self._signers(zone))

    async def _by_id(self, zone: str, audit_id: str, size: int) -> Proven:
        stored: Stored | None = await self._ledger.get(zone, audit_id)
        if stored is None:
            raise not_found("entry", audit_id)
        if size and stored.index >= size:
            raise field_invalid("tree_size", f"must be over {stored.index}, where the entry is")
        proof = await self._ledger.inclusion(zone, stored.index, size)
        (leaf,) = await self._ledger.leaf_hashes(zone, stored.index, stored.index + 1)
        return self._proven(zone, stored.index, leaf, stored.canonical, proof)

    def _proven(self, zone: str, index: int, leaf: bytes, canonical: bytes, proof: Proof) -> Proven:
        if canonical and leaf_hash(canonical) != leaf:
            raise CaracalError(
                Reason.AUDIT_UNAVAILABLE,
                f"entry {index} is not what was recorded; run caracal-grpc audit verify",
            )
        return Proven(zone, index, leaf, canonical, proof, self.key(zone))

    def _require(self, caller: Mandate, zone: str) -> None:
        """The zone may have been removed: operators prove on what it did."""
        require_zone(caller, zone)
        ledger_issuer(self._state, zone)
