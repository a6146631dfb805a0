"""Propagation: who waits for a revocation learns when every edge has applied it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace

import pytest

from caracal_grpc.authority.revocation import feed as feeds
from caracal_grpc.authority.revocation import propagation as propagations
from caracal_grpc.authority.revocation.progress import Progress, Reach
from caracal_grpc.core.reason import Reason
from tests.authority.revocation.waiters import (
    APPLICATION,
    FakeEdge,
    edge,
    elapse,
    kept,
    killed,
    nothing_is_kept,
    until,
    waited,
    waiting,
    waits,
)
from tests.support.refusals import refused
from tests.support.rig import BEAT, Rig


async def test_done_at_once_where_no_edge_is_connected(any_rig: Rig) -> None:
    """The one replica tells that it has none."""
    told = await waited(any_rig, await killed(any_rig))
    assert told[-1] == Progress(1, 1, Reach(0, 0))
    assert [each.done for each in told[:-1]] == [False] * (len(told) - 1)
    await nothing_is_kept(any_rig)


async def test_done_when_every_edge_gave_its_word(any_rig: Rig) -> None:
    """Not before the last; each is asked for a revision at which the revocation holds."""
    async with edge(any_rig) as quick, edge(any_rig, silent=True) as slow:
        revision = await killed(any_rig)
        async with waiting(any_rig, revision) as wait:
            await until(lambda: slow.asked and quick.asked)
            await until(lambda: any_rig.authority.feed.reach("shop", revision) == Reach(2, 1))
            await asyncio.sleep(3 * BEAT)
            assert not wait.done()
            slow.say(slow.asked[0])
            assert (await wait)[-1] == Progress(1, 1, Reach(2, 2))
    assert min(quick.asked + slow.asked) >= revision


async def test_word_for_an_older_revision_is_not_enough(rig: Rig) -> None:
    """What an edge has applied before the revocation says nothing of it."""
    async with edge(rig, silent=True) as late:
        revision = await killed(rig)
        async with waiting(rig, revision) as wait:
            await until(lambda: late.asked)
            late.say(revision - 1)
            await asyncio.sleep(3 * BEAT)
            assert not wait.done()
            late.say(revision)
            assert (await wait)[-1].done


async def test_edge_that_leaves_does_not_count(rig: Rig) -> None:
    """It refuses by itself once it is stale."""
    async with AsyncExitStack() as leaving, edge(rig):
        gone = await leaving.enter_async_context(edge(rig, silent=True))
        async with waiting(rig, await killed(rig)) as wait:
            await until(lambda: gone.asked)
            await asyncio.sleep(3 * BEAT)
            assert not wait.done()
            await leaving.aclose()
            assert (await wait)[-1].reach == Reach(1, 1)


async def test_edge_that_comes_back_is_asked_with_its_first_heartbeat(rig: Rig) -> None:
    """Until it has taken in its snapshot it may judge by what it knew before."""
    revision = await killed(rig)
    async with edge(rig, silent=True) as first, waiting(rig, revision) as wait:
        await until(lambda: first.asked)
        async with edge(rig, silent=True) as back:
            await until(lambda: back.asked)
            assert back.heard == 2
            first.say(first.asked[0])
            await asyncio.sleep(3 * BEAT)
            assert not wait.done()
            back.say(back.asked[0])
            assert (await wait)[-1].reach == Reach(2, 2)


async def test_silent_edge_is_asked_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """With each heartbeat, so that no word is lost for good; the others are left alone."""
    monkeypatch.setattr(feeds, "HEARTBEAT", 0.01)
    await asyncio.sleep(1.05)  # the pause that began before
    async with edge(rig) as quick, edge(rig, silent=True) as slow:
        revision = await killed(rig)
        async with waiting(rig, revision) as wait:
            await until(lambda: len(slow.asked) > 3)
            assert len(quick.asked) == 1
            slow.silent = False
            assert (await wait)[-1].done


async def test_edge_that_fell_behind_is_asked_after_its_snapshot(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question that found no room is put again."""
    monkeypatch.setattr(feeds, "QUEUE", 2)
    async with aclosing(rig.authority.feed.events("shop", APPLICATION)) as events:
        slow = FakeEdge(rig)
        slow.take(await anext(events))
        for _ in range(5):
            revision = await killed(rig)
            await rig.store.commit([rig.authority.revocations.put("app_1", "shop", "mnd_x", "")])
        async with waiting(rig, revision) as wait, asyncio.timeout(10):
            while not slow.asked:
                slow.take(await anext(events))
            assert (await wait)[-1].done


async def test_nobody_is_asked_while_nobody_waits(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No heartbeat asks, nothing is written: a revocation alone costs nothing more."""
    monkeypatch.setattr(feeds, "HEARTBEAT", 0.01)
    await asyncio.sleep(1.05)
    async with edge(rig) as idle:
        await waited(rig, await killed(rig))
        await nothing_is_kept(rig)
        idle.asked.clear()
        heard, before = idle.heard, await killed(rig)
        await until(lambda: idle.heard > heard + 5)
        assert idle.asked == []
        records = (await rig.store.list()).records
        assert max(each.revision for each in records if each.key.kind != "replicas") <= before


async def test_edges_of_other_zones_are_not_asked(rig: Rig) -> None:
    """They have no part in it."""
    async with edge(rig, zone="caracal", silent=True) as foreign, edge(rig):
        assert (await waited(rig, await killed(rig)))[-1].reach == Reach(1, 1)
        assert foreign.asked == []


async def test_many_may_wait_at_a_time(rig: Rig) -> None:
    """An edge that gave its word for one is not asked for the others."""
    async with edge(rig) as one:
        revision = await killed(rig)
        every = await asyncio.gather(*(waited(rig, revision) for _ in range(5)))
        assert all(told[-1] == Progress(1, 1, Reach(1, 1)) for told in every)
        assert len(one.asked) == 1
        await nothing_is_kept(rig)


async def test_only_the_application_of_a_stream_speaks_for_it(rig: Rig) -> None:
    """OBJECT_NOT_FOUND for another application, another zone, and a stream that is gone."""
    feed = rig.authority.feed
    async with edge(rig) as mine:
        for application, zone in (("app_2", "shop"), (APPLICATION, "caracal")):
            with refused(Reason.OBJECT_NOT_FOUND):
                feed.acknowledge(application, zone, mine.stream, 5)
        feed.acknowledge(APPLICATION, "shop", mine.stream, 5)
    with refused(Reason.OBJECT_NOT_FOUND):
        mine.say(5)


async def test_who_may_wait(rig: Rig) -> None:
    """For a zone that exists and is theirs, and a revision that was."""
    stranger = replace(await rig.caller("agent"), zone="mall")
    assert rig.operator is not None
    for caller, zone, revision, reason in (
        (stranger, "shop", 1, Reason.ZONE_FORBIDDEN),
        (rig.operator, "nowhere", 1, Reason.OBJECT_NOT_FOUND),
        (rig.operator, "shop", 0, Reason.FIELD_INVALID),
        (rig.operator, "shop", -1, Reason.FIELD_INVALID),
    ):
        with refused(reason):
            await anext(rig.authority.propagation.wait(caller, zone, revision))
    assert await kept(rig) == []


async def test_revision_that_does_not_come_is_refused(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STORE_UNAVAILABLE: this replica has not seen it either."""
    monkeypatch.setattr(rig.state, "_max_staleness", 0.05)
    with refused(Reason.STORE_UNAVAILABLE):
        await waited(rig, 1_000_000)
    assert await kept(rig) == []


async def test_those_who_wait_are_bounded(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """LIMIT_EXCEEDED for one application, for all, and for the zone over all replicas."""
    propagation, revision = rig.authority.propagation, await killed(rig)
    async with edge(rig, silent=True) as slow, waiting(rig, revision) as wait:
        await until(lambda: slow.asked)
        for bound in ("share", "total"):
            with monkeypatch.context() as patch, refused(Reason.LIMIT_EXCEEDED) as seen:
                patch.setattr(propagation._capacity, bound, 1)
                await waited(rig, revision)
            assert seen.metadata["limit"] == "1"
        with monkeypatch.context() as patch, refused(Reason.LIMIT_EXCEEDED) as seen:
            patch.setattr(propagations, "MAX_ZONE_WAITS", 1)
            await waited(rig, revision)
        assert seen.metadata["limit"] == "1"
        assert not wait.done()
        slow.say(revision)
        await wait
    await nothing_is_kept(rig)
    assert (await waited(rig, revision))[-1].done


async def test_draining_ends_every_wait(rig: Rig) -> None:
    """DRAINING for those who wait and those who come; nothing of them is left in the store."""
    revision = await killed(rig)
    async with edge(rig, silent=True) as slow, waiting(rig, revision) as wait:
        await until(lambda: slow.asked)
        rig.authority.propagation.drain()
        with refused(Reason.DRAINING):
            await wait
        with refused(Reason.DRAINING):
            await waited(rig, revision)
    await rig.authority.propagation.close()
    assert await kept(rig) == []


async def test_one_who_gives_up_leaves_nothing(rig: Rig) -> None:
    """Neither in the store, nor does anybody go on asking."""
    async with edge(rig, silent=True) as slow:
        revision = await killed(rig)
        async with waiting(rig, revision):
            await until(lambda: slow.asked)
        await nothing_is_kept(rig)


async def test_who_waits_long_is_written_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its record would be forgotten otherwise, and with it what the replicas told."""
    monkeypatch.setattr(propagations, "_RENEWAL", 0.05)
    revision = await killed(rig)
    async with edge(rig, silent=True) as slow, waiting(rig, revision) as wait:
        await until(lambda: slow.asked)
        for _ in range(6):
            before = {each.key.id: each.revision for each in await waits(rig)}
            await elapse(rig, 25)
            async with asyncio.timeout(10):
                while any(each.revision == before.get(each.key.id) for each in await waits(rig)):
                    await asyncio.sleep(BEAT)
        assert len(await kept(rig)) == 2
        slow.say(revision)
        assert (await wait)[-1].done
