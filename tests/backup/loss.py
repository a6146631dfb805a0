"""An etcd that is lost after a backup, and what is told of who was refused since."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.backup.capture import capture
from caracal_grpc.backup.folder import Folder
from caracal_grpc.backup.restore import Restored, restore
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.crypto.key_encryption import Keks
from caracal_grpc.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.rig import Rig, memory_store, open_rig, settle

Between = Callable[[Rig], Awaitable[object]]


@dataclass
class Loss:
    """An authority whose etcd is lost after a backup; its ledger and its key live on."""

    folder: Path
    clock: FakeClock
    kek: Kek

    async def suffered(self, between: Between) -> Rig:
        """What was, after `between` has happened to it and all of it is gone, as it last was."""
        store = memory_store(self.clock)
        async with open_rig(self.folder, store, self.clock, kek=self.kek) as rig:
            await settle(rig)
            await rig.advance(120)
            await self.back_up(rig)
            await rig.advance(120)
            await between(rig)
        await store.close()
        return rig

    async def back_up(self, rig: Rig) -> None:
        """A backup of what is now."""
        ledger, target = self.folder / "ledger.db", self.folder / "backup"
        await capture(rig.store, ledger, target, Keks(self.kek), self.clock)

    @asynccontextmanager
    async def restored(self, before: Rig, **how: bool) -> AsyncIterator[tuple[Rig, Restored]]:
        """The authority over an etcd that the backup was brought back to."""
        store = memory_store(self.clock)
        done = await self.into(store, **how)
        self.clock.advance(10)
        async with open_rig(self.folder, store, self.clock, kek=self.kek) as rig:
            rig.credentials, rig.operator = before.credentials, before.operator
            yield rig, done
        await store.close()

    async def into(self, store: MemoryStore, **how: Any) -> Restored:
        """Restores into `store`, with what the ledger knows of the time since."""
        async with open_rig(self.folder, memory_store(self.clock), self.clock) as reader:
            backup = Folder(self.folder / "backup")
            keks = Keks(self.kek)
            return await restore(store, backup, keks, [reader.ledger], self.clock, **how)


async def nothing(_: Rig) -> None:
    """Nothing happens between the backup and the loss."""


async def refusal(rig: Rig, name: str, *asked: str) -> Reason:
    """Why the application is granted nothing."""
    with pytest.raises(CaracalError) as caught:
        await rig.exchange(name, *asked)
    return caught.value.reason
