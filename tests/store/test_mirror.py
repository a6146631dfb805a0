"""The mirror: cheap reads that follow the store, and what it says when it cannot follow."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.memory import MemoryStore
from caracal_grpc.store.mirror import Mirror
from caracal_grpc.store.port import (
    Beat,
    Delete,
    Delta,
    Event,
    Key,
    Put,
    Record,
    Snapshot,
    Store,
)
from tests.store.conftest import PATIENCE, key
from tests.support.clock import FakeClock
from tests.support.etcd import EtcdProcess, Opener, RealClock


@pytest_asyncio.fixture
async def mirror(store: Store) -> AsyncIterator[Mirror]:
    """A started mirror of each kind of store."""
    await store.create(key("a"), {"n": 1})
    mirror = Mirror(store, RealClock())
    await mirror.start()
    yield mirror
    await mirror.close()


class Scripted(MemoryStore):
    """A store whose watches bring what the test puts into them, one script after the other."""

    def __init__(self) -> None:
        super().__init__(FakeClock())
        self.script: asyncio.Queue[Event | Exception] = asyncio.Queue()
        self.watches = 0

    async def watch(self) -> AsyncGenerator[Event, None]:
        """The scripted events; an exception ends the watch with it."""
        self.watches += 1
        while True:
            event = await self.script.get()
            if isinstance(event, Exception):
                raise event
            yield event


@pytest_asyncio.fixture
async def scripted() -> AsyncIterator[tuple[Scripted, Mirror]]:
    """A mirror of a scripted store, at revision 5 with `a` and `b`."""
    store = Scripted()
    store.script.put_nowait(Snapshot(5, (record("a", 3), record("b", 5))))
    mirror = Mirror(store, store._clock)
    await mirror.start()
    yield store, mirror
    await mirror.close()


def record(name: str, revision: int) -> Record:
    """A record whose value is its revision."""
    return Record(key(name), {"n": revision}, revision)


async def until(holds: Any) -> None:
    """Lets the loop run until `holds()`."""
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.005)


async def test_a_started_mirror_holds_what_the_store_holds(mirror: Mirror) -> None:
    """Without another round trip."""
    found = mirror.get(key("a"))
    assert found is not None
    assert found.value == {"n": 1}
    assert list(mirror.all("shop", "sessions")) == ["a"]
    assert mirror.get(key("nope")) is None
    assert not mirror.all("shop", "nothing")


async def test_a_mirror_reaches_what_the_store_acknowledged(store: Store, mirror: Mirror) -> None:
    """After `reached`, reads show the write, its companions and its deletions."""
    revision = await store.commit([Put(key("b"), {"n": 2}), Delete(key("a"))])
    await mirror.reached(revision, PATIENCE)
    assert mirror.revision >= revision
    assert mirror.get(key("a")) is None
    assert list(mirror.all("shop", "sessions")) == ["b"]


async def test_a_mirror_grows_no_staler_than_its_beats(mirror: Mirror) -> None:
    """Each beat renews the proof."""
    await until(lambda: mirror.staleness() < 5)
    before = mirror._as_of
    await until(lambda: mirror._as_of > before)


async def test_a_mirror_that_never_had_a_beat_is_infinitely_stale() -> None:
    """Nothing is proven yet."""
    mirror = Mirror(MemoryStore(FakeClock()), FakeClock())
    assert mirror.staleness() == math.inf
    assert mirror.revision == 0


async def test_a_revision_that_does_not_come_is_refused_in_time(mirror: Mirror) -> None:
    """And the waiter is forgotten."""
    with pytest.raises(CaracalError) as caught:
        await mirror.reached(10**9, 0.05)
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert not mirror._waiters


async def test_listeners_hear_every_event_after_it_is_applied(store: Store, mirror: Mirror) -> None:
    """With the keys that changed; after they cancel they hear nothing."""
    heard: list[tuple[Event, frozenset[Key], Record | None]] = []
    cancel = mirror.subscribe(lambda event, keys: heard.append((event, keys, mirror.get(key("b")))))
    await store.create(key("b"), {"n": 2})
    await until(lambda: any(isinstance(event, Delta) for event, _, _ in heard))
    await until(lambda: any(isinstance(event, Beat) for event, _, _ in heard))
    _, keys, seen = next(entry for entry in heard if isinstance(entry[0], Delta))
    assert keys == {key("b")}
    assert seen is not None
    assert all(not keys for event, keys, _ in heard if isinstance(event, Beat))
    cancel()
    cancel()
    count = len(heard)
    await mirror.reached(await store.create(key("c"), {}), PATIENCE)
    assert len(heard) == count


async def test_a_snapshot_after_a_gap_replaces_everything(
    scripted: tuple[Scripted, Mirror],
) -> None:
    """Listeners get it with exactly the keys that are new, changed or gone."""
    store, mirror = scripted
    heard: list[tuple[Event, frozenset[Key]]] = []
    mirror.subscribe(lambda event, keys: heard.append((event, keys)))
    store.script.put_nowait(Snapshot(9, (record("b", 5), record("c", 8))))
    await mirror.reached(9, PATIENCE)
    await until(lambda: heard)
    assert heard[0][1] == {key("a"), key("c")}
    assert sorted(mirror.all("shop", "sessions")) == ["b", "c"]


async def test_a_snapshot_of_an_older_history_replaces_too(
    scripted: tuple[Scripted, Mirror],
) -> None:
    """After a restore the revision goes back, and equal revisions may hold other values."""
    store, mirror = scripted
    heard: list[frozenset[Key]] = []
    mirror.subscribe(lambda _, keys: heard.append(keys))
    other = Record(key("a"), {"n": "restored"}, 3)
    store.script.put_nowait(Snapshot(4, (other,)))
    await until(lambda: heard)
    assert mirror.revision == 4
    assert mirror.get(key("a")) == other
    assert heard[0] == {key("a"), key("b")}


async def test_a_watch_that_ends_in_an_error_is_started_again(
    scripted: tuple[Scripted, Mirror],
) -> None:
    """What was mirrored stays readable meanwhile."""
    store, mirror = scripted
    store.script.put_nowait(CaracalError(Reason.STORE_UNAVAILABLE, "gone"))
    await until(lambda: store.watches == 2)
    assert mirror.get(key("a")) is not None
    store.script.put_nowait(Snapshot(6, ()))
    await mirror.reached(6, PATIENCE)
    assert mirror.get(key("a")) is None


async def test_a_listener_that_fails_gets_a_snapshot_with_what_it_missed(
    scripted: tuple[Scripted, Mirror],
) -> None:
    """Others hear the news at once; nobody loses it."""
    store, mirror = scripted
    heard: list[tuple[Event, frozenset[Key]]] = []
    broken = True

    def fragile(event: Event, keys: frozenset[Key]) -> None:
        if broken:
            raise ValueError
        heard.append((event, keys))

    mirror.subscribe(fragile)
    others: list[Event] = []
    mirror.subscribe(lambda event, _: others.append(event))
    store.script.put_nowait(Delta(6, (record("c", 6),), ()))
    await until(lambda: store.watches == 2)
    assert len(others) == 1
    broken = False
    store.script.put_nowait(Snapshot(6, (record("a", 3), record("b", 5), record("c", 6))))
    await until(lambda: heard)
    assert heard[0][1] == {key("c")}


async def test_staleness_grows_by_the_clock(scripted: tuple[Scripted, Mirror]) -> None:
    """It is counted from the start of the newest proof, and never goes back to an older one."""
    store, mirror = scripted
    clock = store._clock
    assert isinstance(clock, FakeClock)
    store.script.put_nowait(Beat(6, clock.monotonic() - 2))
    await mirror.reached(6, PATIENCE)
    assert mirror.staleness() == 2
    store.script.put_nowait(Beat(7, clock.monotonic() - 3))
    await mirror.reached(7, PATIENCE)
    clock.advance(10)
    assert mirror.staleness() == 12


async def test_a_mirror_of_a_store_that_is_away_starts_when_it_comes(
    fresh_etcd: EtcdProcess, open_store: Opener
) -> None:
    """Start says in time that there is nothing yet; the mirror goes on by itself."""
    fresh_etcd.kill()
    store = open_store(fresh_etcd.settings(timeout=0.5))
    mirror = Mirror(store, RealClock())
    with pytest.raises(CaracalError) as caught:
        await mirror.start(timeout=0.3)
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    await fresh_etcd.start()
    await mirror.reached(1, PATIENCE)
    await until(lambda: mirror.staleness() < 5)
    await mirror.close()


async def test_a_closed_mirror_stays_readable(store: Store, mirror: Mirror) -> None:
    """It no longer follows."""
    await mirror.close()
    await mirror.close()
    await store.create(key("late"), {})
    assert mirror.get(key("a")) is not None
    assert mirror.get(key("late")) is None


async def test_a_kind_that_is_left_out_is_held_nowhere(store: Store) -> None:
    """Neither what was there nor what comes and goes, and nobody hears of it; all else is there."""
    kept, left = key("a"), Key("shop", "consumed", "mnd_1")
    await store.commit([Put(kept, {"n": 1}), Put(left, {"n": 1})])
    mirror = Mirror(store, RealClock(), without=frozenset({"consumed"}))
    heard: list[Key] = []
    mirror.subscribe(lambda _, changed: heard.extend(changed))
    try:
        await mirror.start()
        other = Key("shop", "consumed", "mnd_2")
        await store.create(other, {"n": 2})
        await store.delete(left)
        revision = await store.commit([Put(kept, {"n": 2}), Put(left, {"n": 3})])
        await mirror.reached(revision, PATIENCE)
        assert not mirror.all("shop", "consumed")
        assert mirror.get(kept) is not None
        assert set(heard) == {kept}
    finally:
        await mirror.close()
