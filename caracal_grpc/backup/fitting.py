"""What must belong together before a restore writes anything: a zone, keys and ledgers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caracal_grpc.authority.keys.sealed import SEAL_VERSION, SEALED_KINDS, path
from caracal_grpc.authority.keys.signers import CheckpointSigner, origin
from caracal_grpc.authority.state import places
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.crypto.key_encryption import Keks
from caracal_grpc.crypto.ledger_key import LedgerKey, verify_ed25519
from caracal_grpc.crypto.sealing import open_sealed
from caracal_grpc.ledger.notes.note import NoteError, VerifierKey, open_checkpoint
from caracal_grpc.ledger.port import Ledger, unavailable
from caracal_grpc.ledger.trees.proof import verify_consistency
from caracal_grpc.store.port import Key

Records = Mapping[Key, Mapping[str, Any]]


class BackupSigners:
    """The signers of a ledger that is opened before the zones are there: those of the backup."""

    def __init__(self) -> None:
        self._known: dict[str, CheckpointSigner] = {}

    def add(self, zone: str, signer: CheckpointSigner) -> None:
        """Knows the signer of a zone from now on."""
        self._known[zone] = signer

    def __call__(self, zone: str) -> CheckpointSigner:
        """The signer of a zone; raises `AUDIT_UNAVAILABLE` for one that is not known."""
        if zone not in self._known:
            raise unavailable(f"the key of zone {zone} has not been read from a backup")
        return self._known[zone]


def zone_signer(zone: str, records: Records, keks: Keks) -> CheckpointSigner:
    """What signs the checkpoints of the zone's ledger; may block.

    Raises `KEY_STATE_CONFLICT` unless `keks` open every private key among its `records`.
    """
    opened = {
        key: open_sealed(keks.find(sealed.get("kek_id")), sealed, path(key), SEAL_VERSION)
        for key, value in records.items()
        if key.kind in SEALED_KINDS and (sealed := value.get("sealed"))
    }
    place = places.ledger_key_place(zone)
    itself = records.get(places.zone_place(zone), records[place])
    return CheckpointSigner(origin(itself["issuer"]), LedgerKey.from_seed(opened[place]))


async def newest_checkpoint(ledger: Ledger, zone: str, signer: CheckpointSigner) -> str:
    """The newest checkpoint of a zone, empty when it has no entries.

    Raises `FIELD_INVALID` for a ledger that has entries of another zone of that name.
    """
    if not await ledger.size(zone):
        return ""
    note = (await ledger.checkpoint(zone)).note
    try:
        open_checkpoint(note, _public(signer), verify_ed25519)
    except NoteError as error:
        text = f"is of another authority, as its zone {zone} shows; name the one of this etcd"
        raise field_invalid("ledger", text) from error
    return note


async def require_contained(ledger: Ledger, zone: str, signer: CheckpointSigner, note: str) -> None:
    """Raises `FIELD_INVALID` unless the ledger of a zone grew from the checkpoint in `note`.

    `ledger` must know the signer. Raises `AUDIT_UNAVAILABLE` when it does not agree with itself.
    """
    try:
        head = open_checkpoint(note, _public(signer), verify_ed25519)
    except NoteError as error:
        raise field_invalid("folder", f"has a checkpoint of zone {zone} that {error}") from error
    if await ledger.size(zone) >= head.size:
        proof = await ledger.consistency(zone, head.size)
        newest = proof.checkpoint
        if verify_consistency(head.size, newest.size, head.root, newest.root, proof.hashes):
            return
    text = (
        f"does not contain the {head.size} entries that zone {zone} had when the backup was taken; "
        "recover the database up to a later moment, or restore an older backup"
    )
    raise field_invalid("ledger", text)


def _public(signer: CheckpointSigner) -> VerifierKey:
    return VerifierKey(signer.name, signer.public)
