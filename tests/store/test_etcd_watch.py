"""The watch over a real etcd that is killed, frozen, compacted, swapped and away."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import grpc.aio
import pytest
from etcd3aio.maintenance import AlarmType, MaintenanceService

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.etcd import EtcdStore
from caracal_grpc.store.formats import VERSION
from caracal_grpc.store.port import Beat, Delta, Event, Snapshot
from tests.store.conftest import PATIENCE, Watched, key, watching
from tests.support.etcd import EtcdProcess, Opener, RealClock


async def write_through(store: EtcdStore, name: str) -> int:
    """Creates `name`, as often as it takes while etcd comes back."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await store.create(key(name), {})
            except Exception:  # noqa: BLE001 - whatever it says while etcd is away
                await asyncio.sleep(0.05)


def seen_ids(watch: Watched) -> list[str]:
    """The ids that deltas brought, in order."""
    deltas = (event for event in watch.seen if isinstance(event, Delta))
    return [record.key.id for delta in deltas for record in delta.puts]


async def test_a_watch_resumes_after_etcd_was_killed(
    fresh_etcd: EtcdProcess, open_store: Opener
) -> None:
    """It goes on from its own revision: no new snapshot, nothing missing, nothing twice."""
    settings = fresh_etcd.settings()
    store, writer = open_store(settings), open_store(settings)
    async with watching(store) as watch:
        await watch.snapshot()
        await watch.beat()
        await writer.create(key("before"), {})
        await fresh_etcd.restart()
        last = [await write_through(writer, f"after{n}") for n in range(5)][-1]
        await watch.until(lambda event: isinstance(event, Delta) and event.revision == last)
        await watch.beat(after=RealClock().monotonic())
    assert seen_ids(watch) == ["before", *(f"after{n}" for n in range(5))]
    assert sum(isinstance(event, Snapshot) for event in watch.seen) == 1


async def test_writes_while_the_watcher_was_away_are_not_missed(
    fresh_etcd: EtcdProcess, open_store: Opener
) -> None:
    """Killed again and again with writes between, a watch still brings each write once."""
    settings = fresh_etcd.settings()
    store, writer = open_store(settings), open_store(settings)
    async with watching(store) as watch:
        await watch.snapshot()
        for n in range(3):
            await fresh_etcd.restart()
            last = await write_through(writer, str(n))
        await watch.until(lambda event: isinstance(event, Delta) and event.revision == last)
    kept = [record.key.id for record in (await writer.list()).records]
    lists = sum(isinstance(event, Snapshot) for event in watch.seen)
    # Tells a watch that lost a write from one that listed again and from an etcd that lost it.
    assert seen_ids(watch) == ["0", "1", "2"], f"etcd holds {kept} after {lists} snapshots"


async def test_a_compaction_behind_the_watch_brings_a_new_snapshot(
    fresh_etcd: EtcdProcess, open_store: Opener
) -> None:
    """What was compacted away while the stream was cut is in the snapshot that follows."""
    settings = fresh_etcd.settings(timeout=1.0)
    store = open_store(settings)
    async with watching(store) as watch:
        await watch.snapshot()
        await watch.beat()
        meddler = open_store(fresh_etcd.settings(prefix=settings.prefix))
        fresh_etcd.kill()
        await asyncio.sleep(0.1)
        await fresh_etcd.start()
        await write_through(meddler, "a")
        await write_through(meddler, "b")
        await fresh_etcd.compact()
        # The watcher takes nothing meanwhile, so its stream is opened after the compaction.
        snapshot = await watch.snapshot()
        await watch.beat()
    assert {record.key.id for record in snapshot.records} == {"a", "b"}


async def test_an_etcd_that_lost_its_data_brings_a_new_snapshot(
    fresh_etcd: EtcdProcess, open_store: Opener
) -> None:
    """A history that went back, as after a restore, replaces what was known."""
    store = open_store(fresh_etcd.settings())
    for n in range(20):
        await store.create(key(str(n)), {})
    async with watching(store) as watch:
        assert len((await watch.snapshot()).records) == 20
        await watch.beat()
        fresh_etcd.kill()
        shutil.rmtree(fresh_etcd.data_dir / "etcd")
        await fresh_etcd.start()
        assert (await watch.snapshot()).records == ()
        await write_through(store, "new")
        await watch.delta()
        await watch.beat()


async def test_a_watch_waits_for_an_etcd_that_is_away_at_start(
    fresh_etcd: EtcdProcess, open_store: Opener
) -> None:
    """It begins as soon as etcd is there."""
    fresh_etcd.kill()
    store = open_store(fresh_etcd.settings(timeout=1.0))
    async with watching(store) as watch:
        waiting = asyncio.create_task(watch.snapshot())
        await asyncio.sleep(0.5)
        assert not waiting.done()
        await fresh_etcd.start()
        await waiting
        await watch.beat()


async def test_beats_stop_while_etcd_is_frozen_and_come_back(
    fresh_etcd: EtcdProcess, open_store: Opener
) -> None:
    """A connection that stays up proves nothing; a beat does, and it is never dated later."""
    clock = RealClock()
    store = open_store(fresh_etcd.settings(timeout=0.5))
    async with watching(store) as watch:
        await watch.snapshot()
        await watch.beat()
        fresh_etcd.freeze()
        frozen = clock.monotonic()
        silent = asyncio.create_task(watch.beat(after=frozen + 0.3))
        await asyncio.sleep(1.5)
        assert not silent.done()
        fresh_etcd.thaw()
        assert (await silent).as_of > frozen


async def test_a_long_freeze_ends_in_recovery(fresh_etcd: EtcdProcess, open_store: Opener) -> None:
    """Frozen until the stream is given up, it recovers by itself and misses nothing."""
    clock = RealClock()
    settings = fresh_etcd.settings(timeout=0.5)
    store, writer = open_store(settings), open_store(settings)
    async with watching(store) as watch:
        await watch.snapshot()
        await watch.beat()
        fresh_etcd.freeze()
        waiting = asyncio.create_task(watch.beat(after=clock.monotonic() + 6))
        await asyncio.sleep(6)
        fresh_etcd.thaw()
        await waiting
        await write_through(writer, "a")
        await watch.until(lambda event: "a" in ids(event))
        await watch.beat(after=clock.monotonic())


def ids(event: Event) -> list[str]:
    """The ids of the records that an event brings."""
    if isinstance(event, Beat):
        return []
    records = event.records if isinstance(event, Snapshot) else event.puts
    return [record.key.id for record in records]


async def test_a_value_of_another_format_stops_the_beats_until_it_is_repaired(
    etcd: EtcdProcess, open_store: Opener
) -> None:
    """Skipping what cannot be read could skip a revocation, so the watch holds until it can."""
    settings = etcd.settings()
    store = open_store(settings)
    path = f"/{settings.prefix}/v1/shop/sessions/odd"
    async with watching(store) as watch, etcd.kv() as kv:
        await watch.snapshot()
        await watch.beat()
        await kv.put(path, b'{"v":%d}' % (VERSION + 1))
        written = RealClock().monotonic()
        waiting = asyncio.create_task(watch.beat(after=written))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        await kv.delete(path)
        await waiting
        assert isinstance(watch.seen[-1], Beat)


async def test_keys_that_are_not_ours_are_ignored(etcd: EtcdProcess, open_store: Opener) -> None:
    """Another shape under the prefix is nobody's record."""
    settings = etcd.settings()
    store = open_store(settings)
    async with watching(store) as watch, etcd.kv() as kv:
        await watch.snapshot()
        await kv.put(f"/{settings.prefix}/v1/odd", b"?")
        await kv.put(f"/{settings.prefix}/v1/a/b/c/d", b"?")
        await kv.put(f"/{settings.prefix}/v1/a/b/".encode() + b"\xff", b"?")
        await watch.beat(after=RealClock().monotonic())
        assert (await store.list()).records == ()
    assert seen_ids(watch) == []


async def test_a_full_disk_stops_writes_and_beats_until_there_is_room(
    tmp_path: Path, open_store: Opener
) -> None:
    """Reads and the watch go on; nothing is listed anew, because nothing is missing."""
    quota = ("--quota-backend-bytes=1000000",)
    async with EtcdProcess(tmp_path / "etcd", arguments=quota) as process:
        # What fills it is under a prefix of its own: etcd 3.5.1 may crash when a watch falls behind
        # large values while its file grows.
        store, other = open_store(process.settings()), open_store(process.settings())
        async with watching(store) as watch:
            await watch.snapshot()
            await store.create(key("0"), {})
            with pytest.raises(CaracalError) as caught:
                await fill(other)
            assert caught.value.reason is Reason.STORE_UNAVAILABLE
            assert await store.get(key("0")) is not None
            waiting = asyncio.create_task(watch.beat(after=RealClock().monotonic()))
            await asyncio.sleep(5.5)  # longer than a watch may be silent
            assert not waiting.done()
            await make_room(process)
            await waiting
        assert sum(isinstance(event, Snapshot) for event in watch.seen) == 1


async def fill(store: EtcdStore) -> None:
    """Writes large values until the store refuses."""
    for n in range(500):
        await store.create(key(str(n)), {"text": "x" * 100_000})


async def make_room(process: EtcdProcess) -> None:
    """Deletes, compacts and defragments, then tells etcd to take writes again."""
    async with process.kv() as kv, grpc.aio.insecure_channel(process.endpoint) as channel:
        await kv.delete("/test/", range_end="/test0")
        await process.compact()
        maintenance = MaintenanceService(channel)
        await maintenance.defragment()
        member = (await maintenance.status()).header.member_id
        await maintenance.alarm_deactivate(AlarmType.NOSPACE, member_id=member)


async def test_the_beat_key_is_removed_when_the_watch_is_closed(
    etcd: EtcdProcess, open_store: Opener
) -> None:
    """It is under a lease while the watch lives, and gone afterwards."""
    settings = etcd.settings()
    store = open_store(settings)
    beats = f"/{settings.prefix}/v1/_beats/"
    async with etcd.kv() as kv:
        async with watching(store) as watch:
            await watch.beat()
            (entry,) = (await kv.get(beats, range_end=f"/{settings.prefix}/v1/_beats0")).kvs
            assert entry.lease
        assert not (await kv.get(beats, range_end=f"/{settings.prefix}/v1/_beats0")).kvs
