"""Who is handed a session may use it at once, at a replica that has not heard of it yet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.authority.sessions.start import SessionStart
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.store.memory import MemoryStore
from caracal_grpc.store.port import Delta, Event
from tests.support.clock import FakeClock
from tests.support.rig import BEAT, memory_store, open_rig, settle
from tests.support.shop import ORDERS


class Late:
    """A store as another replica sees it, whose watch holds changes back until it is let go."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.current = asyncio.Event()
        self.current.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def watch(self) -> AsyncGenerator[Event, None]:
        """What happens, some of it late."""
        async for event in self._store.watch():
            if isinstance(event, Delta):
                await self.current.wait()
            yield event


async def test_a_session_of_another_replica_is_waited_for(tmp_path: Path, clock: FakeClock) -> None:
    """The store knows it, so the exchange waits until this replica does."""
    store, kek = memory_store(clock), Kek.generate()
    late = Late(store)
    async with open_rig(tmp_path, store, clock, kek=kek) as first:
        await settle(first)
        async with open_rig(tmp_path, late, clock, kek=kek, ledger="other") as second:
            second.credentials = first.credentials
            late.current.clear()
            begun = await first.authority.sessions.start(
                await first.caller("agent"), SessionStart("shop")
            )
            asking = asyncio.ensure_future(
                second.exchange("agent", ORDERS, "orders:place", session=begun.session.id)
            )
            await asyncio.sleep(3 * BEAT)
            assert not asking.done()
            late.current.set()
            assert (await asking).mandate.session == begun.session.id
    await store.close()


async def test_a_session_that_nobody_knows_is_refused(tmp_path: Path, clock: FakeClock) -> None:
    """The store has none of that id either."""
    store = memory_store(clock)
    async with open_rig(tmp_path, store, clock) as rig:
        await settle(rig)
        unknown = rig.standing("agent")[:-4] + "0000"
        with pytest.raises(CaracalError) as caught:
            await rig.exchange("agent", ORDERS, session=unknown)
        assert caught.value.reason is Reason.SESSION_NOT_ACTIVE
    await store.close()
