"""The floor of a zone: what was issued before it is dead, what is issued since is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from collections.abc import Set as AbstractSet
from contextlib import aclosing

import pytest

from caracal_grpc.authority.revocation.feed import FeedDelta, FeedEvent, FeedSnapshot
from caracal_grpc.authority.revocation.revocations import Revoked
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.floor import issued_before
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import LEEWAY, REVOCATION_TTL
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.verdict import Call, judge
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import CARACAL, ORDERS, shop


async def raise_floor(rig: Rig, moment: float, zone: str = "shop") -> Revoked:
    """Kills what was issued before `moment`, as the operator."""
    assert rig.operator is not None
    revocations = rig.authority.revocations
    return await revocations.revoke_issued_before(rig.operator, zone, moment, "why")


def verdict(rig: Rig, mandate: Mandate) -> Reason | None:
    """What an edge says that knows what this replica knows."""
    trust = rig.authority.feed.zone_keys(mandate.zone).trust
    call = Call(mandate.use, mandate.resource, frozenset(), rig.clock.now())
    try:
        judge(mandate, trust, call, rig.state.dead(mandate.zone))
    except CaracalError as error:
        assert error.metadata["anchor"] == mandate.zone
        return error.reason
    return None


async def next_floor(events: AsyncIterator[FeedEvent]) -> int:
    """The floor in the next event that tells of keys."""
    while True:
        event = await anext(events)
        if isinstance(event, FeedSnapshot | FeedDelta) and event.keys:
            return event.keys.trust.issued_before


async def test_what_was_issued_before_is_dead_and_sessions_live_on(any_rig: Rig) -> None:
    """The same sessions are issued mandates that live."""
    rig = any_rig
    old = (await rig.exchange("agent", ORDERS)).mandate
    await rig.advance(1)
    done = await raise_floor(rig, rig.clock.now())
    assert (done.impact.count, done.revision > 0) == (0, True)
    new = (await rig.exchange("agent", ORDERS)).mandate
    assert (verdict(rig, old), verdict(rig, new)) == (Reason.MANDATE_REVOKED, None)
    assert old.session == new.session


async def test_only_what_is_older_is_dead(rig: Rig) -> None:
    """A moment in the past spares what was issued since."""
    old = (await rig.exchange("agent", ORDERS)).mandate
    await rig.advance(10)
    new = (await rig.exchange("agent", ORDERS)).mandate
    await raise_floor(rig, rig.clock.now() - 5)
    assert (verdict(rig, old), verdict(rig, new)) == (Reason.MANDATE_REVOKED, None)


@pytest.mark.parametrize("fraction", [0.001, 0.3, 0.999])
async def test_what_is_issued_in_the_second_of_the_floor(any_rig: Rig, fraction: float) -> None:
    """Before it: dead. After it, in the same second: alive, though both say whole seconds only."""
    rig = any_rig
    rig.clock.advance(fraction)
    before = (await rig.exchange("agent", ORDERS)).mandate
    await raise_floor(rig, rig.clock.now())
    after = (await rig.exchange("agent", ORDERS)).mandate
    assert (verdict(rig, before), verdict(rig, after)) == (Reason.MANDATE_REVOKED, None)


async def test_a_replica_whose_clock_is_slow_issues_what_lives(two: tuple[Rig, Rig]) -> None:
    """It knows the floor, and issues as of it; nothing that it issues is dead on arrival."""
    first, second = two
    await first.advance(60)
    await second.fresh()
    floor = first.clock.now()
    done = await raise_floor(first, floor)
    await second.state.reached(done.revision)
    second.clock.wall -= 3
    for resource in (ORDERS, CARACAL):
        mandate = (await second.exchange("agent", resource, ttl=5)).mandate
        assert (mandate.issued_at, verdict(second, mandate)) == (int(floor), None)


async def test_a_replica_that_has_not_heard_of_it_issues_what_is_dead(
    two: tuple[Rig, Rig],
) -> None:
    """Nobody can tell that from what was issued before; the others refuse it."""
    first, second = two
    first.clock.advance(0.5)
    await second.mirror.close()
    lagging = (await second.exchange("agent", ORDERS)).mandate
    done = await raise_floor(first, first.clock.now())
    late = (await second.exchange("agent", ORDERS)).mandate
    assert verdict(second, late) is None
    assert {verdict(first, each) for each in (lagging, late)} == {Reason.MANDATE_REVOKED}
    await second.mirror.start()
    await second.state.reached(done.revision)
    assert verdict(first, (await second.exchange("agent", ORDERS)).mandate) is None


async def test_it_never_goes_back(any_rig: Rig) -> None:
    """An earlier moment, or the same, changes nothing and answers when the later one came."""
    rig = any_rig
    now = rig.clock.now()
    first = await raise_floor(rig, now)
    for earlier in (now, now - 100):
        assert (await raise_floor(rig, earlier)).revision == first.revision
    assert issued_before(rig.state, "shop") == int(now)
    await rig.advance(1)
    assert (await raise_floor(rig, now + 1)).revision > first.revision


async def test_two_at_once_leave_the_later_one(two: tuple[Rig, Rig]) -> None:
    """Whichever is written last."""
    now = int(two[0].clock.now())
    for age in range(10, 0, -1):
        done = await asyncio.gather(
            raise_floor(two[0], now - age), raise_floor(two[1], now - age - 1)
        )
        await two[0].state.reached(max(each.revision for each in done))
        assert issued_before(two[0].state, "shop") == now - age


async def test_the_future_is_refused(rig: Rig) -> None:
    """FIELD_INVALID; what a clock that is ahead by a leeway calls now, is now."""
    with refused(Reason.FIELD_INVALID):
        await raise_floor(rig, rig.clock.now() + LEEWAY + 1)
    await raise_floor(rig, rig.clock.now() + LEEWAY)
    assert issued_before(rig.state, "shop") == int(rig.clock.now())


async def test_it_is_recorded_with_reason_and_actor(rig: Rig) -> None:
    """In the ledger, and in the store."""
    done = await raise_floor(rig, 1_789_999_990)
    entry = await rig.last()
    assert (entry.id, entry.type, entry.decision) == (done.audit_id, "revocation", "done")
    assert entry.details == {"issued_before": "2026-09-21T14:13:10Z", "why": "why"}
    record = rig.state.record(places.floor_place("shop"))
    assert record is not None
    assert rig.operator is not None
    assert record.value == {
        **record.value,
        "issued_before": 1_789_999_990,
        "reason": "why",
        "actor": rig.operator.application,
    }


async def test_it_is_forgotten_when_it_kills_nothing_any_more(rig: Rig) -> None:
    """Long after the longest life."""
    old = (await rig.exchange("agent", ORDERS)).mandate
    await rig.advance(1)
    await raise_floor(rig, rig.clock.now())
    await rig.advance(REVOCATION_TTL - 1)
    assert issued_before(rig.state, "shop") > old.issued_at
    await rig.advance(2)
    assert issued_before(rig.state, "shop") == 0
    assert old.expires_at + LEEWAY < rig.clock.now()


async def test_a_zone_says_nothing_of_another(rig: Rig) -> None:
    """Its floor is its own."""
    await rig.apply(shop(name="mall"))
    issued = (await rig.exchange("agent", ORDERS)).mandate
    await rig.advance(1)
    await raise_floor(rig, rig.clock.now(), "mall")
    assert verdict(rig, issued) is None


async def test_dead_mandates_serve_as_nothing(rig: Rig) -> None:
    """Neither as a subject token nor as the answer to the same request again."""
    first = await rig.exchange("agent", ORDERS, request_id="again")
    assert (await rig.exchange("agent", ORDERS, request_id="again")).mandate == first.mandate
    await rig.advance(1)
    await raise_floor(rig, rig.clock.now())
    with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
        await rig.exchange("orders", ORDERS, "orders:track", subject_token=first.token)
    assert seen.metadata["cause"] == Reason.MANDATE_REVOKED
    again = await rig.exchange("agent", ORDERS, request_id="again")
    assert again.mandate.jti != first.mandate.jti
    assert verdict(rig, again.mandate) is None


async def test_the_feed_tells_it_like_a_change_of_keys(rig: Rig) -> None:
    """In a delta with the whole key set, and in every snapshot after."""
    now = int(rig.clock.now())
    async with aclosing(rig.authority.feed.events("shop", "app_1")) as events:
        assert await next_floor(events) == 0
        await raise_floor(rig, now)
        assert await next_floor(events) == now
    async with aclosing(rig.authority.feed.events("shop", "app_1")) as events:
        assert await next_floor(events) == now


async def test_the_authority_refuses_at_once_and_cuts_after_the_feed(rig: Rig) -> None:
    """Its view knows the floor when it is answered; edges hear of it before its own streams do.

    The feed runs under mandates of the zone, so the other way round no edge would hear.
    """
    told: list[str] = []
    cut = asyncio.Event()

    def hear(died: AbstractSet[str]) -> None:
        told.append(f"streams of {' '.join(died)}")
        cut.set()

    async def watch() -> None:
        async with aclosing(rig.authority.feed.events("shop", "app_1")) as events:
            while not await next_floor(events):
                pass
        told.append("edges")

    rig.authority.view.subscribe(hear)
    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    await raise_floor(rig, rig.clock.now())
    trust = rig.authority.view.trust(rig.keyring.signing_key("shop").kid)
    assert trust is not None
    assert trust.issued_before == int(rig.clock.now())
    async with asyncio.timeout(10):
        await cut.wait()
    assert told == ["edges", "streams of shop"]
    await watching
