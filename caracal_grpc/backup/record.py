"""A restore in the ledgers of the zones that it brought back."""

from __future__ import annotations

from contextlib import AsyncExitStack

from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.keys.signers import CheckpointSigner, Signers
from caracal_grpc.authority.state.places import UNMIRRORED
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.backup.restore import Restored
from caracal_grpc.core.limits import DEFAULT_MAX_STALENESS
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.crypto.key_encryption import Keks
from caracal_grpc.ledger.port import Ledger, unavailable
from caracal_grpc.store.mirror import Mirror
from caracal_grpc.store.port import Store


class LateSigners:
    """The signers of a ledger that is opened before the zones are there."""

    def __init__(self) -> None:
        self.signers: Signers | None = None

    def __call__(self, zone: str) -> CheckpointSigner:
        """The signer of a zone; raises `AUDIT_UNAVAILABLE` while there are none."""
        if self.signers is None:
            raise unavailable("the zones are not restored yet")
        return self.signers(zone)


async def record(
    store: Store,
    keks: Keks,
    ledger: Ledger,
    late: LateSigners,
    restored: Restored,
    clock: Clock,
    ids: Ids,
) -> None:
    """Appends an entry `zone.restore` for each zone, with what was done again and what is lost.

    Raises `KEY_STATE_CONFLICT` for a key-encryption key that opens nothing, `AUDIT_UNAVAILABLE`.
    """
    async with AsyncExitStack() as closing:
        mirror = Mirror(store, clock, without=UNMIRRORED)
        closing.push_async_callback(mirror.close)
        await mirror.start()
        state = State(mirror, clock, DEFAULT_MAX_STALENESS)
        closing.callback(state.close)
        keyring = Keyring(state, keks, clock)
        closing.push_async_callback(keyring.close)
        await keyring.start()
        late.signers = Signers(state, keyring)
        recorder = Recorder(ledger, clock, ids)
        for zone, since in restored.zones.items():
            details = {
                "taken_at": restored.header.taken_at,
                "records": restored.records,
                "issued_before": restored.floor,
                "stopped_again": len(since.stopped),
                "lost": since.count,
            }
            await recorder.done(None, zone, "zone.restore", details=details)
