"""One round of a witness: see the newest checkpoint, have its growth proven, cosign it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from caracal_grpc.authority.keys.signers import CheckpointSigner
from caracal_grpc.cli.audit.witness_memory import Memory, Remembered
from caracal_grpc.cli.connection import CALL_TIMEOUT
from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.ledger.notes.cosignature import cosign
from caracal_grpc.ledger.notes.note import NoteError, TreeHead, VerifierKey, open_checkpoint
from caracal_grpc.ledger.trees.proof import verify_consistency
from caracal_grpc.v1.audit_service_pb2 import (
    AddCosignatureRequest,
    GetCheckpointRequest,
    GetConsistencyProofRequest,
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A checkpoint that is signed by the log, and its note."""

    head: TreeHead
    note: str


@dataclass(frozen=True, slots=True)
class Witness:
    """Who cosigns, what it remembers, and the key of the log, when it was told."""

    signer: CheckpointSigner
    memory: Memory
    log_key: VerifierKey | None = None

    async def round(self, stub: Any, zone: str, now: float) -> TreeHead:
        """Cosigns the newest checkpoint of a zone, unless nothing is recorded yet.

        Raises `CliError`: with exit code FORK when it contradicts what was seen before, which is
        remembered, and with FOUND when it is not signed by the key of the log. Raises `RpcError`.
        """
        before = self.memory.of(zone)
        if before is not None and before.fork:
            raise _forked(zone, before)
        answer = await stub.GetCheckpoint(GetCheckpointRequest(zone=zone), timeout=CALL_TIMEOUT)
        key = self._key(zone, answer.checkpoint.verifier_key, before)
        now_seen = _opened(zone, answer.checkpoint.note, key)
        if before is not None:
            earlier = _opened(zone, before.note, key)
            if not await _grew(stub, zone, earlier.head, now_seen.head):
                raise self._fork(zone, str(key), earlier, now_seen)
        if not now_seen.head.size:
            return now_seen.head
        self.memory.keep(zone, Remembered(str(key), now_seen.note))
        note = cosign(now_seen.note, key, self.signer, int(now), verify_ed25519)
        request = AddCosignatureRequest(zone=zone, note=note)
        await stub.AddCosignature(request, timeout=CALL_TIMEOUT)
        return now_seen.head

    def _key(self, zone: str, shown: str, before: Remembered | None) -> VerifierKey:
        """The key of the log: as told, else as remembered, else the authority's own word."""
        try:
            key = VerifierKey.parse(shown)
            known = self.log_key or (VerifierKey.parse(before.verifier_key) if before else key)
        except NoteError as exc:
            raise CliError(ExitCode.FOUND, f"the key of zone {zone} {exc}") from exc
        if known != key:
            text = f"zone {zone} is signed by another key than {known}: {key}"
            raise CliError(ExitCode.FOUND, f"{text}; nothing is cosigned")
        return key

    def _fork(self, zone: str, key: str, before: Seen, after: Seen) -> CliError:
        """Keeps the evidence, and remembers that nothing is cosigned any more."""
        files = self.memory.keep_evidence(zone, before.note, after.note)
        forked = Remembered(key, before.note, files)
        self.memory.keep(zone, forked)
        return _forked(zone, forked)


async def _grew(stub: Any, zone: str, before: TreeHead, after: TreeHead) -> bool:
    """Whether the log proves that it only grew; one that is smaller than it was did not."""
    if before.size >= after.size:
        return before == after
    request = GetConsistencyProofRequest(zone=zone, first_size=before.size, second_size=after.size)
    proof = await stub.GetConsistencyProof(request, timeout=CALL_TIMEOUT)
    return verify_consistency(before.size, after.size, before.root, after.root, proof.hashes)


def _opened(zone: str, note: str, key: VerifierKey) -> Seen:
    try:
        head = open_checkpoint(note, key, verify_ed25519)
    except NoteError as exc:
        raise CliError(ExitCode.FOUND, f"the checkpoint of zone {zone} {exc}") from exc
    if head.origin != key.name:
        text = f"the checkpoint of zone {zone} is of {head.origin}, not of {key.name}"
        raise CliError(ExitCode.FOUND, text)
    return Seen(head, note)


def _forked(zone: str, remembered: Remembered) -> CliError:
    earlier, later = remembered.fork
    return CliError(
        ExitCode.FORK,
        f"FORK: the ledger of zone {zone} contradicts a checkpoint that it signed before",
        f"the evidence, both signed by {remembered.verifier_key}: {earlier} and {later}",
        "nothing of it is cosigned any more; when the reason is known, --resume begins anew",
    )
