"""The settings of the commands that back up and restore, beside an authority or without one."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from caracal_grpc.settings.checked import Problems
from caracal_grpc.settings.etcd import EtcdPart
from caracal_grpc.settings.kek import KekPart
from caracal_grpc.settings.ledger import LedgerPart


class CaptureSettings(EtcdPart, KekPart, LedgerPart):
    """What is backed up, and the key that seals the backup."""


class RestoreSettings(EtcdPart, KekPart, LedgerPart):
    """Where a backup is brought back to, and the key that opens what is sealed in it."""

    more_ledgers: list[str] = Field(
        [], description="ledgers of other replicas, which know of more revocations"
    )

    def problems(self) -> Problems:
        """What no single field shows."""
        lacking = [each for each in self.more_ledgers if not Path(each).is_file()]
        text = "is no file; name the SQLite file of a ledger"
        return [*super().problems(), *(("more_ledgers", f"{each} {text}") for each in lacking)]
