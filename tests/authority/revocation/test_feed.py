"""The feed: everything first, then what changes, then signs of life; never a silent gap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from caracal_grpc.authority.revocation import feed as feeds
from caracal_grpc.authority.revocation.feed import FeedDelta, FeedEvent, FeedHeartbeat, FeedSnapshot
from caracal_grpc.core.reason import Reason
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, shop


async def news(events: AsyncIterator[FeedEvent]) -> FeedEvent:
    """The next event that is no heartbeat."""
    async with asyncio.timeout(5):
        async for event in events:
            if not isinstance(event, FeedHeartbeat):
                return event
    raise AssertionError("the feed ended")


async def revoke(rig: Rig, anchor: str, zone: str = "shop") -> int:
    """The revision at which `anchor` is dead."""
    assert rig.operator is not None
    return (await rig.authority.revocations.revoke(rig.operator, zone, anchor, "")).revision


async def test_snapshot_has_everything(rig: Rig) -> None:
    """Keys, what to trust, and every dead anchor, at one revision."""
    anchor = (await rig.exchange("agent", ORDERS)).mandate.jti
    revision = await revoke(rig, anchor)
    async with aclosing(rig.authority.feed.events("shop", "app_1")) as events:
        first = await news(events)
    assert isinstance(first, FeedSnapshot)
    assert first.revoked == (anchor,)
    assert first.revision >= revision
    assert first.keys.trust.issuer == "https://a.example/zones/shop"
    assert set(first.keys.keys) == {rig.keyring.signing_key("shop").kid}


async def test_changes_follow_in_order(any_rig: Rig) -> None:
    """Each revocation and each rotation is one delta with its revision."""
    rig = any_rig
    async with aclosing(rig.authority.feed.events("shop", "app_1")) as events:
        await news(events)
        revisions = [await revoke(rig, rig.standing(name)) for name in ("agent", "orders")]
        deltas = [await news(events) for _ in revisions]
        assert rig.operator is not None
        rotation = await rig.authority.keys.rotate(rig.operator, "shop")
        rekeyed = await news(events)
    assert [delta.revision for delta in deltas] == revisions
    assert isinstance(rekeyed, FeedDelta)
    assert rekeyed.keys is not None
    assert rotation.key.key.times.kid in rekeyed.keys.keys


async def test_forgotten_revocation_is_released(rig: Rig) -> None:
    """Edges are told when an anchor need no longer be remembered."""
    anchor = (await rig.exchange("agent", ORDERS)).mandate.jti
    async with aclosing(rig.authority.feed.events("shop", "app_1")) as events:
        await news(events)
        await revoke(rig, anchor)
        await news(events)
        rig.clock.advance(3700)
        released = await news(events)
    assert isinstance(released, FeedDelta)
    assert released.released == (anchor,)


async def test_zones_do_not_hear_of_each_other(rig: Rig) -> None:
    """What happens in another zone is no news."""
    await rig.apply(shop(name="mall"))
    async with aclosing(rig.authority.feed.events("shop", "app_1")) as events:
        await news(events)
        await revoke(rig, rig.standing("agent", "mall"), "mall")
        revision = await revoke(rig, rig.standing("agent"))
        event = await news(events)
    assert isinstance(event, FeedDelta)
    assert (event.revision, event.revoked) == (revision, (rig.standing("agent"),))


async def test_heartbeats_go_on(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle feed shows that it lives."""
    monkeypatch.setattr(feeds, "HEARTBEAT", 0.01)
    await asyncio.sleep(1.05)
    async with aclosing(rig.authority.feed.events("shop", "app_1")) as events:
        assert isinstance(await anext(events), FeedSnapshot)
        for _ in range(3):
            assert isinstance(await anext(events), FeedHeartbeat)


async def test_first_heartbeat_leaves_to_the_queue_what_is_in_the_queue(rig: Rig) -> None:
    """It proves the snapshot and no more: an edge skips changes at or below what is proven."""
    anchor = (await rig.exchange("agent", ORDERS)).mandate.jti
    async with aclosing(rig.authority.feed.events("shop", "app_1")) as events:
        first = await anext(events)
        revision = await revoke(rig, anchor)
        beat = await anext(events)
        change = await news(events)
    assert isinstance(beat, FeedHeartbeat)
    assert beat.revision == first.revision < revision
    assert isinstance(change, FeedDelta)
    assert change.revision == revision


async def test_heartbeat_that_waits_is_as_old_as_it_is(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow subscriber is not told that it misses nothing while news wait behind the heartbeat."""
    monkeypatch.setattr(feeds, "HEARTBEAT", 0.01)
    async with aclosing(rig.authority.feed.events("shop", "app_1")) as events:
        await news(events)
        made = rig.clock.now()
        (subscriber,) = rig.authority.feed._subscribers.values()
        async with asyncio.timeout(5):
            while subscriber.queue.empty():
                await asyncio.sleep(0.01)
        rig.clock.advance(30)
        for _ in range(2):  # that of the snapshot, and the first that was queued
            beat = await anext(events)
            assert isinstance(beat, FeedHeartbeat)
            assert beat.at == made


async def test_age_grows_while_the_store_is_away(rig: Rig) -> None:
    """An authority that lost its store says how long ago, so that edges behind it go stale."""
    assert rig.authority.feed.beat(1).age <= 1
    await rig.mirror.close()
    rig.clock.advance(30)
    assert rig.authority.feed.beat(1).age >= 30


async def test_slow_subscriber_gets_a_snapshot(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """More changes than its queue holds mean everything anew, and nothing is missing."""
    monkeypatch.setattr(feeds, "QUEUE", 3)
    anchors = {(await rig.exchange("agent", ORDERS)).mandate.jti for _ in range(10)}
    async with aclosing(rig.authority.feed.events("shop", "app_1")) as events:
        await news(events)
        for anchor in sorted(anchors):
            await revoke(rig, anchor)
        again = await news(events)
        after = await revoke(rig, rig.standing("orders"))
        delta = await news(events)
    assert isinstance(again, FeedSnapshot)
    assert set(again.revoked) == anchors
    assert isinstance(delta, FeedDelta)
    assert delta.revision == after


async def test_gap_in_the_store_means_a_snapshot(rig: Rig) -> None:
    """When the mirror had to list anew, so do the subscribers."""
    async with aclosing(rig.authority.feed.events("shop", "app_1")) as events:
        await news(events)
        await rig.mirror.close()
        await rig.mirror.start()
        assert isinstance(await news(events), FeedSnapshot)


async def test_draining_ends_the_feed(rig: Rig) -> None:
    """DRAINING for those who watch and for those who come late."""
    events = rig.authority.feed.events("shop", "app_1")
    await news(events)
    watching = asyncio.create_task(news(events))
    await asyncio.sleep(0)
    await rig.authority.feed.close()
    with refused(Reason.DRAINING):
        await watching
    with refused(Reason.DRAINING):
        await news(rig.authority.feed.events("shop", "app_1"))


async def test_unknown_zone_has_no_feed(rig: Rig) -> None:
    """OBJECT_NOT_FOUND."""
    with refused(Reason.OBJECT_NOT_FOUND):
        await news(rig.authority.feed.events("nowhere", "app_1"))


async def test_subscribers_are_bounded_and_leave_no_trace(
    rig: Rig,
) -> None:
    """LIMIT_EXCEEDED at the bound, whoever asks; one that leaves makes room."""
    rig.authority.feed._capacity.total = 1
    async with aclosing(rig.authority.feed.events("shop", "app_1")) as events:
        await news(events)
        with refused(Reason.LIMIT_EXCEEDED):
            await news(rig.authority.feed.events("shop", "app_2"))
    async with aclosing(rig.authority.feed.events("shop", "app_1")) as events:
        await news(events)


async def test_one_application_cannot_take_the_feed_from_others(rig: Rig) -> None:
    """LIMIT_EXCEEDED at its share for the one, a feed for the other."""
    rig.authority.feed._capacity.share = 1
    async with aclosing(rig.authority.feed.events("shop", "app_1")) as events:
        await news(events)
        with refused(Reason.LIMIT_EXCEEDED) as seen:
            await news(rig.authority.feed.events("shop", "app_1"))
        async with aclosing(rig.authority.feed.events("shop", "app_2")) as others:
            await news(others)
    assert seen.metadata["limit"] == "1"
