"""A restore in the ledgers of the zones that it brought back."""

from __future__ import annotations

from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.backup.restore import Restored
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.ledger.port import Ledger


async def record(ledger: Ledger, restored: Restored, clock: Clock, ids: Ids) -> None:
    """Appends an entry `zone.restore` for each zone, with what was done again and what is lost.

    `ledger` must know the signers of the zones. Raises `AUDIT_UNAVAILABLE`.
    """
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
