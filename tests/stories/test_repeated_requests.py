"""An authority is killed between holding a mandate and answering; the same request gets it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import grpc.aio

from caracal_grpc.authority.state.places import REQUESTS
from caracal_grpc.store.etcd import EtcdStore
from caracal_grpc.store.etcd_settings import EtcdSettings
from caracal_grpc.store.port import Delta, Record, Snapshot
from tests.stories.support import child, client, require_verified
from tests.support.authority import serve_values
from tests.support.clock import FakeClock
from tests.support.etcd import EtcdProcess
from tests.support.shop import ORDERS, shop


@contextlib.contextmanager
def locked(ledger: Path) -> Iterator[None]:
    """Holds the one lock that a commit of the ledger needs; reading goes on."""
    with contextlib.closing(sqlite3.connect(ledger, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


async def held(store: EtcdStore) -> Record:
    """The first request that any replica holds a mandate for, once it does.

    It may be held before the watch begins, and is in its snapshot then.
    """
    async with asyncio.timeout(20), aclosing(store.watch()) as events:
        async for event in events:
            found: tuple[Record, ...] = ()
            if isinstance(event, Snapshot):
                found = event.records
            elif isinstance(event, Delta):
                found = event.puts
            for record in found:
                if record.key.kind == REQUESTS:
                    return record
    raise AssertionError("the watch ended")


async def grants(caller: Any) -> dict[str, str]:
    """The entries of a ledger that verifies, by the mandate that each granted."""
    entries = await require_verified(caller)
    return {each.jti: each.id for each in entries if each.type == "exchange" and each.jti}


async def test_killed_between_holding_and_answering(tmp_path: Path, etcd: EtcdProcess) -> None:
    """Two replicas over one etcd give one mandate, each with its entry, whoever died meanwhile."""
    values = serve_values(tmp_path, etcd)
    other = values | {"ledger": tmp_path / "other.db"}
    async with AsyncExitStack() as closing:
        # 1. Two replicas; the shop is declared at the first.
        first = await closing.enter_async_context(child(values))
        caller = await closing.enter_async_context(client(first))
        await caller.apply(shop())
        second = await closing.enter_async_context(child(other))
        elsewhere = await closing.enter_async_context(client(second, caller))
        settings = EtcdSettings([etcd.endpoint], prefix=values["etcd_prefix"])
        store = EtcdStore(settings, FakeClock())
        closing.push_async_callback(store.close)
        # 2. The first decides, and etcd holds its mandate; the ledger cannot record it yet.
        with locked(tmp_path / "ledger.db"):
            watching = asyncio.create_task(held(store))
            call = asyncio.create_task(caller.exchange("agent", ORDERS, request_id="r1"))
            record = await watching
            # 3. It is killed in between; nobody has been answered.
            first.kill()
            await first.ended()
            with contextlib.suppress(grpc.aio.AioRpcError):
                raise AssertionError(f"it answered with {(await call).jti}")
        jti, audit_id = record.value["claims"]["jti"], record.value["claims"]["audit_id"]
        # 4. The other replica is asked the same: the same mandate, with its entry.
        again = await elsewhere.exchange("agent", ORDERS, request_id="r1")
        assert (again.jti, again.audit_id) == (jti, audit_id)
        assert (await grants(elsewhere))[jti] == audit_id
        # 5. The first comes back, and so it answers, too.
        await first.start()
        back = await closing.enter_async_context(client(first, caller))
        assert jti not in await grants(back)
        answered = await back.exchange("agent", ORDERS, request_id="r1")
        assert (answered.jti, answered.audit_id) == (jti, audit_id)
        assert (await grants(back))[jti] == audit_id
