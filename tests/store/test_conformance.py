"""What every store promises, proven on each one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import (
    MAX_CHANGES,
    Beat,
    Delete,
    Delta,
    Expect,
    Put,
    Snapshot,
    Store,
)
from tests.store.conftest import PATIENCE, key, watching
from tests.support.etcd import RealClock


async def refused(call: Coroutine[Any, Any, Any]) -> CaracalError:
    """The refusal that `call` ends with."""
    with pytest.raises(CaracalError) as caught:
        await call
    return caught.value


def plus(amount: int) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """A change that counts."""
    return lambda value: {**value, "n": value["n"] + amount}


async def test_a_missing_key_reads_as_none(store: Store) -> None:
    """Absence is an answer, not an error."""
    assert await store.get(key("a")) is None


async def test_a_created_value_reads_back_at_its_revision(store: Store) -> None:
    """The value is what was given, without the store's own fields."""
    value = {"text": "grüße", "list": [1, 2.5, None], "nested": {"yes": True}}
    revision = await store.create(key("a"), value)
    record = await store.get(key("a"))
    assert record is not None
    assert (record.key, record.value, record.revision) == (key("a"), value, revision)


async def test_create_refuses_a_key_that_exists(store: Store) -> None:
    """The first creator wins and its value stays, even against an equal value."""
    await store.create(key("a"), {"n": 1})
    error = await refused(store.create(key("a"), {"n": 1}))
    assert error.reason is Reason.OBJECT_EXISTS
    assert error.metadata["id"] == "a"


async def test_one_of_many_creators_wins(store: Store) -> None:
    """Of ten that create one key with the same value at once, exactly one succeeds."""
    calls = [store.create(key("once"), {"by": "anyone"}) for _ in range(10)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(result, int) for result in results) == 1


async def test_update_changes_the_value_and_the_revision(store: Store) -> None:
    """The new revision is later, and reads show the new value."""
    created = await store.create(key("a"), {"n": 1})
    updated = await store.update(key("a"), plus(1))
    record = await store.get(key("a"))
    assert record is not None
    assert updated > created
    assert (record.value, record.revision) == ({"n": 2}, updated)


async def test_update_of_a_missing_key_is_refused(store: Store) -> None:
    """There is nothing to change."""
    error = await refused(store.update(key("a"), plus(1)))
    assert error.reason is Reason.OBJECT_NOT_FOUND


async def test_update_to_an_equal_value_writes_nothing(store: Store) -> None:
    """The revision stays, and watchers hear nothing."""
    created = await store.create(key("a"), {"n": 1})
    assert await store.update(key("a"), plus(0)) == created


async def test_what_a_change_raises_ends_the_update(store: Store) -> None:
    """The value stays, and the error arrives as it was raised."""
    await store.create(key("a"), {"n": 1})
    refusal = CaracalError(Reason.KEY_STATE_CONFLICT, "no")

    def refuse(_: Mapping[str, Any]) -> Mapping[str, Any]:
        raise refusal

    assert await refused(store.update(key("a"), refuse)) is refusal
    record = await store.get(key("a"))
    assert record is not None
    assert record.value == {"n": 1}


async def test_ten_concurrent_updates_lose_none(store: Store) -> None:
    """Each update builds on the one before it."""
    await store.create(key("a"), {"n": 0})
    await asyncio.gather(*(store.update(key("a"), plus(1)) for _ in range(10)))
    record = await store.get(key("a"))
    assert record is not None
    assert record.value == {"n": 10}


async def test_delete_removes_the_key(store: Store) -> None:
    """It is gone at the revision returned, and gone only once."""
    created = await store.create(key("a"), {"n": 1})
    assert await store.delete(key("a")) > created
    assert await store.get(key("a")) is None
    error = await refused(store.delete(key("a")))
    assert error.reason is Reason.OBJECT_NOT_FOUND


async def test_list_finds_what_was_asked_for(store: Store) -> None:
    """By zone, by kind, by both and all, in order of keys."""
    for name in (key("b"), key("a"), key("c", "apps"), key("d", zone="shop2")):
        await store.create(name, {})
    assert [r.key for r in (await store.list("shop", "sessions")).records] == [key("a"), key("b")]
    assert [r.key.id for r in (await store.list("shop")).records] == ["c", "a", "b"]
    assert [r.key.id for r in (await store.list(kind="sessions")).records] == ["a", "b", "d"]
    assert [r.key.id for r in (await store.list()).records] == ["c", "a", "b", "d"]
    assert (await store.list("nowhere")).records == ()


async def test_a_list_says_its_revision(store: Store) -> None:
    """The revision is no older than the last write."""
    revision = await store.create(key("a"), {})
    assert (await store.list()).revision >= revision


async def test_a_commit_is_one_revision(store: Store) -> None:
    """All of it holds at the revision returned, and watchers get it in one piece."""
    await store.create(key("old"), {})
    async with watching(store) as watch:
        await watch.snapshot()
        revision = await store.commit(
            [Put(key("a"), {"n": 1}), Put(key("b"), {"n": 2}), Delete(key("old"))]
        )
        delta = await watch.delta()
    assert delta.revision == revision
    assert {record.key.id: record.value["n"] for record in delta.puts} == {"a": 1, "b": 2}
    assert delta.deletes == (key("old"),)
    assert {record.revision for record in (await store.list()).records} == {revision}


async def test_a_commit_whose_expectation_fails_changes_nothing(store: Store) -> None:
    """Neither the keys that were expected nor the others."""
    await store.create(key("a"), {"n": 1})
    error = await refused(
        store.commit([Put(key("a"), {"n": 2}), Put(key("b"), {})], [Expect(key("a"), 1)])
    )
    assert error.reason is Reason.CONFLICT
    assert [record.value for record in (await store.list()).records] == [{"n": 1}]


async def test_expectations_name_revisions_and_absence(store: Store) -> None:
    """A commit goes through when each key is as expected, changed by it or not."""
    revision = await store.create(key("a"), {})
    expects = [Expect(key("a"), revision), Expect(key("b"), 0)]
    assert await store.commit([Put(key("c"), {})], expects) > revision
    error = await refused(store.commit([Put(key("d"), {})], [Expect(key("c"), 0)]))
    assert error.reason is Reason.CONFLICT


async def test_concurrent_commits_on_one_expectation_let_one_through(store: Store) -> None:
    """Two halves of a swap never mix."""
    revision = await store.create(key("a"), {"n": 0})

    def swap(n: int) -> Coroutine[Any, Any, int]:
        changes = [Put(key("a"), {"n": n}), Put(key("b"), {"n": n})]
        return store.commit(changes, [Expect(key("a"), revision)])

    results = await asyncio.gather(*(swap(n) for n in range(8)), return_exceptions=True)
    assert sum(isinstance(result, int) for result in results) == 1
    assert len({record.value["n"] for record in (await store.list()).records}) == 1


async def test_a_commit_of_nothing_checks_its_expectations(store: Store) -> None:
    """It answers a revision at which they held."""
    revision = await store.create(key("a"), {})
    assert await store.commit([], [Expect(key("a"), revision)]) >= revision
    error = await refused(store.commit([], [Expect(key("a"), 0)]))
    assert error.reason is Reason.CONFLICT


async def test_deleting_a_missing_key_in_a_commit_is_no_error(store: Store) -> None:
    """The end is what was asked for."""
    await store.commit([Delete(key("a"))])
    assert await store.get(key("a")) is None


async def test_a_commit_that_is_too_long_is_refused(store: Store) -> None:
    """By its number of changes, before anything is written."""
    changes = [Put(key(str(n)), {}) for n in range(MAX_CHANGES + 1)]
    assert (await refused(store.commit(changes))).reason is Reason.LIMIT_EXCEEDED
    assert (await store.list()).records == ()
    await store.commit(changes[:MAX_CHANGES])
    assert len((await store.list()).records) == MAX_CHANGES


async def test_a_commit_names_each_key_once(store: Store) -> None:
    """Two changes of one key in one revision have no order."""
    error = await refused(store.commit([Put(key("a"), {}), Delete(key("a"))]))
    assert error.reason is Reason.FIELD_INVALID


@pytest.mark.parametrize("value", [{"a": float("nan")}, {"a": object()}, {"v": 2}, {"a": "\ud800"}])
async def test_a_value_that_json_cannot_hold_is_refused(store: Store, value: Any) -> None:
    """As are values that use the store's own fields."""
    assert (await refused(store.create(key("a"), value))).reason is Reason.FIELD_INVALID


async def test_a_value_that_is_too_large_is_refused(store: Store) -> None:
    """Alone, and together with others in one commit."""
    huge, half = {"a": "x" * 1_100_000}, {"a": "x" * 600_000}
    assert (await refused(store.create(key("a"), huge))).reason is Reason.LIMIT_EXCEEDED
    two = store.commit([Put(key("a"), half), Put(key("b"), half)])
    assert (await refused(two)).reason is Reason.LIMIT_EXCEEDED


async def test_a_read_at_a_future_revision_is_refused_in_time(store: Store) -> None:
    """A store that cannot catch up says so."""
    revision = await store.create(key("a"), {})
    assert await store.get(key("a"), min_revision=revision) is not None
    assert (await store.list(min_revision=revision)).records
    error = await refused(store.get(key("a"), min_revision=revision + 1_000_000))
    assert error.reason is Reason.STORE_UNAVAILABLE


async def test_a_read_waits_for_the_revision_it_needs(store: Store) -> None:
    """A write that comes in time releases it, and it sees that write."""
    first = await store.create(key("a"), {"n": 1})
    reading = asyncio.create_task(store.get(key("b"), min_revision=first + 1))
    await store.create(key("b"), {"n": 2})
    record = await reading
    assert record is not None
    assert record.value == {"n": 2}


async def test_a_key_with_a_ttl_lives_that_long_and_ends(store: Store) -> None:
    """It is there for its ttl, then it goes by itself, and watchers hear of it."""
    loop = asyncio.get_running_loop()
    async with watching(store) as watch:
        await watch.snapshot()
        started = loop.time()
        await store.create(key("a"), {"n": 1}, ttl=2)
        await store.create(key("b"), {"n": 1})
        gone = await watch.until(lambda event: isinstance(event, Delta) and bool(event.deletes))
        lived = loop.time() - started
    assert isinstance(gone, Delta)
    assert gone.deletes == (key("a"),)
    assert lived >= 2
    assert [record.key for record in (await store.list()).records] == [key("b")]


async def test_an_update_keeps_the_life_of_a_key(store: Store) -> None:
    """A key that was to end still ends."""
    async with watching(store) as watch:
        await watch.snapshot()
        await store.create(key("a"), {"n": 1}, ttl=1)
        await store.update(key("a"), plus(1))
        await watch.until(lambda event: isinstance(event, Delta) and bool(event.deletes))
    assert await store.get(key("a")) is None


@pytest.mark.parametrize("ttl", [0, -1, 10**9])
async def test_a_ttl_out_of_bounds_is_refused(store: Store, ttl: int) -> None:
    """No key ends before it begins, and none lives for decades."""
    error = await refused(store.create(key("a"), {}, ttl=ttl))
    assert error.reason is Reason.FIELD_INVALID


async def test_a_watch_begins_with_all_there_is(store: Store) -> None:
    """The first event is a snapshot with every record."""
    revision = await store.create(key("a"), {"n": 1})
    async with watching(store) as watch:
        first = await watch.until(lambda _: True)
    assert isinstance(first, Snapshot)
    assert first.revision >= revision
    assert [record.value for record in first.records] == [{"n": 1}]


async def test_a_watch_brings_every_change_once_and_in_order(store: Store) -> None:
    """Puts and deletes, each at its own revision, none missing, none twice."""
    async with watching(store) as watch:
        await watch.snapshot()
        revisions = [await store.create(key(str(n)), {"n": n}) for n in range(20)]
        revisions.append(await store.delete(key("3")))
        await watch.until(lambda event: isinstance(event, Delta) and bool(event.deletes))
    deltas = [event for event in watch.seen if isinstance(event, Delta)]
    assert [delta.revision for delta in deltas] == revisions
    assert deltas[-1].deletes == (key("3"),)


async def test_a_watch_beats_while_nothing_happens(store: Store) -> None:
    """Each proof was started later than the one before it, and is not from the future."""
    clock = RealClock()
    async with watching(store) as watch:
        await watch.snapshot()
        first = await watch.beat()
        second = await watch.beat(after=first.as_of)
    assert second.revision >= first.revision
    assert second.as_of <= clock.monotonic()
    assert not [event for event in watch.seen if isinstance(event, Delta)]


async def test_a_beat_comes_after_all_that_it_covers(store: Store) -> None:
    """When a beat says revision R, the delta of R has been delivered."""
    async with watching(store) as watch:
        await watch.snapshot()
        writes = asyncio.create_task(write_some(store))
        last = await writes
        await watch.until(lambda event: isinstance(event, Beat) and event.revision >= last)
    applied = 0
    for event in watch.seen:
        assert event.revision >= applied
        applied = event.revision
    assert [e.revision for e in watch.seen if isinstance(e, Delta)][-1] == last


async def write_some(store: Store) -> int:
    """Thirty writes; the revision of the last."""
    revision = 0
    for n in range(30):
        revision = await store.create(key(str(n)), {})
    return revision


async def test_beats_are_no_records(store: Store) -> None:
    """What the store writes for itself never shows."""
    async with watching(store) as watch:
        await watch.snapshot()
        await watch.beat()
        assert (await store.list()).records == ()


async def test_a_slow_watcher_catches_up(store: Store) -> None:
    """One that takes nothing for a while gets everything afterwards."""
    async with watching(store) as watch:
        await watch.snapshot()
        last = await write_some(store)
        await watch.until(lambda event: isinstance(event, Delta) and event.revision == last)
    assert len([event for event in watch.seen if isinstance(event, Delta)]) == 30


async def test_two_watches_see_the_same(store: Store) -> None:
    """Watches do not take from each other, and each has beats of its own."""
    async with watching(store) as one, watching(store) as two:
        await one.snapshot()
        await two.snapshot()
        revision = await store.create(key("a"), {})
        assert (await one.delta()).revision == revision
        assert (await two.delta()).revision == revision
        await one.beat()
        await two.beat()


async def test_closing_the_store_ends_its_watches(store: Store) -> None:
    """A consumer that waits is released, and later calls are refused."""
    events = store.watch()
    assert isinstance(await anext(events), Snapshot)

    async def drain() -> None:
        async for _ in events:
            continue

    draining = asyncio.create_task(drain())
    await asyncio.sleep(0.05)
    await store.close()
    await asyncio.wait_for(draining, PATIENCE)
    assert (await refused(store.get(key("a")))).reason is Reason.STORE_UNAVAILABLE
