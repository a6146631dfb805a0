"""What only the store in memory can show: time moved by hand, and a backlog that overflows."""

from __future__ import annotations

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.store import memory
from caracal_grpc.store.memory import MemoryStore
from caracal_grpc.store.port import Beat, Delta, Key, Snapshot
from tests.store.conftest import key, watching
from tests.support.clock import FakeClock


async def test_a_life_ends_by_the_clock() -> None:
    """Not a second before its ttl, and at one revision with others that end then."""
    clock = FakeClock()
    store = MemoryStore(clock)
    await store.create(key("a"), {}, ttl=60)
    last = await store.create(key("b"), {}, ttl=60)
    clock.advance(59.9)
    assert await store.get(key("a")) is not None
    clock.advance(0.2)
    listed = await store.list()
    assert (listed.records, listed.revision) == ((), last + 1)


async def test_a_key_that_was_written_again_has_its_new_life() -> None:
    """The end of the earlier write does not end it."""
    clock = FakeClock()
    store = MemoryStore(clock)
    await store.create(key("a"), {}, ttl=60)
    await store.delete(key("a"))
    await store.create(key("a"), {}, ttl=600)
    clock.advance(61)
    assert await store.get(key("a")) is not None


async def test_a_watcher_that_falls_far_behind_gets_a_snapshot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its backlog is bounded, and nothing is dropped in silence."""
    monkeypatch.setattr(memory, "_BACKLOG", 5)
    store = MemoryStore(FakeClock(), beat_interval=0.05)
    async with watching(store) as watch:
        await watch.snapshot()
        for n in range(20):
            await store.create(key(str(n)), {})
        assert len((await watch.snapshot()).records) == 20
        await store.create(key("more"), {})
        assert [record.key.id for record in (await watch.delta()).puts] == ["more"]
    assert not [e for e in watch.seen if isinstance(e, Delta) and e.puts[0].key.id == "19"]


async def test_beats_carry_the_time_of_the_clock() -> None:
    """As of the moment at which nothing was pending."""
    clock = FakeClock()
    store = MemoryStore(clock, beat_interval=0.01)
    async with watching(store) as watch:
        first = await watch.until(lambda _: True)
        assert isinstance(first, Snapshot)
        assert (await watch.beat()) == Beat(first.revision, clock.monotonic())
        clock.advance(5)
        await watch.beat(after=clock.monotonic() - 1)


@pytest.mark.parametrize(
    "parts",
    [
        ("", "k", "i"),
        ("z", "a/b", "i"),
        ("z", "k", "x" * 201),
        ("z", "k", "a\n"),
        ("_beats", "k", "i"),
    ],
)
def test_a_key_that_would_not_fit_is_refused(parts: tuple[str, str, str]) -> None:
    """No part can reach into another place, or into the store's own."""
    with pytest.raises(CaracalError) as caught:
        Key(*parts)
    assert caught.value.reason is Reason.FIELD_INVALID
