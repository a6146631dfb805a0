"""What must belong together before a restore writes anything: a zone, keys and ledgers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from caracal_grpc.authority.keys.sealed import SEAL_VERSION, SEALED_KINDS, path
from caracal_grpc.authority.keys.signers import origin
from caracal_grpc.authority.state import places
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.crypto.key_encryption import Keks
from caracal_grpc.crypto.ledger_key import LedgerKey, verify_ed25519
from caracal_grpc.crypto.sealing import open_sealed
from caracal_grpc.ledger.note import NoteError, VerifierKey, open_checkpoint
from caracal_grpc.ledger.port import Ledger
from caracal_grpc.store.port import Key

Records = Mapping[Key, Mapping[str, Any]]


def ledger_key(zone: str, records: Records, keks: Keks) -> VerifierKey:
    """The key that the checkpoints of the zone's ledger verify with; may block.

    Raises `KEY_STATE_CONFLICT` unless `keks` open every private key among its `records`.
    """
    opened = {
        key: open_sealed(keks.find(sealed.get("kek_id")), sealed, path(key), SEAL_VERSION)
        for key, value in records.items()
        if key.kind in SEALED_KINDS and (sealed := value.get("sealed"))
    }
    place = places.ledger_key_place(zone)
    itself = records.get(places.zone_place(zone), records[place])
    return VerifierKey(origin(itself["issuer"]), LedgerKey.from_seed(opened[place]).public)


async def require_same(ledgers: Sequence[Ledger], zone: str, key: VerifierKey) -> None:
    """Raises `FIELD_INVALID` for a ledger that has entries of another zone of that name."""
    for ledger in ledgers:
        if not (await ledger.search(zone, page_size=1)).entries:
            continue
        try:
            open_checkpoint((await ledger.checkpoint(zone)).note, key, verify_ed25519)
        except NoteError as error:
            text = f"is of another authority, as its zone {zone} shows; name the one that is lost"
            raise field_invalid("ledger", text) from error
