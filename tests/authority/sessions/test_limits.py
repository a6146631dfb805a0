"""How many sessions may live: exact over several replicas, without a lock and without a scan."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from caracal_grpc.authority.sessions import slots
from caracal_grpc.authority.sessions.slots import Slots
from caracal_grpc.authority.sessions.start import SessionStart
from caracal_grpc.authority.state import places
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session
from caracal_grpc.store.port import Store
from tests.authority.sessions.desk import end, outcomes, start
from tests.support.refusals import refused
from tests.support.rig import Rig


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a test can reach: six of one application, three below one."""
    monkeypatch.setattr(slots, "MAX_SESSIONS", 6)
    monkeypatch.setattr(slots, "MAX_CHILDREN", 3)


def living(rig: Rig, parent: str = "") -> int:
    """How many of the agent's sessions, below `parent` if given, live but for the standing one."""
    now = rig.clock.now()
    return sum(
        session.state(now) not in {"terminated", "expired"}
        for session in rig.state.sessions("shop")
        if session.application == rig.application("agent") and not session.standing
        if parent in {"", session.parent}
    )


@pytest.mark.usefixtures("few")
async def test_live_sessions_of_an_application_are_bounded(any_rig: Rig) -> None:
    """LIMIT_EXCEEDED for one more; what is terminated or expired does not count, nor do others'."""
    rig = any_rig
    caller, other = await rig.caller("agent"), await rig.caller("orders")
    first, *_ = [await start(rig, caller, life=life) for life in (600, 600, 600, 600, 600, 60)]
    with refused(Reason.LIMIT_EXCEEDED) as seen:
        await start(rig, caller)
    assert seen.metadata["limit"] == "6"
    await start(rig, other)
    await end(rig, first)
    await start(rig, caller)
    with refused(Reason.LIMIT_EXCEEDED):
        await start(rig, caller)
    await rig.advance(61)
    await start(rig, caller)
    with refused(Reason.LIMIT_EXCEEDED):
        await start(rig, caller)


@pytest.mark.usefixtures("few")
async def test_children_of_a_session_are_bounded(rig: Rig) -> None:
    """But for those of a standing one, which are bounded as the application's."""
    caller = await rig.caller("agent")
    parent = await start(rig, caller)
    children = [await start(rig, caller, parent=parent.id) for _ in range(3)]
    with refused(Reason.LIMIT_EXCEEDED) as seen:
        await start(rig, caller, parent=parent.id)
    assert seen.metadata["limit"] == "3"
    await start(rig, caller)
    await end(rig, children[1])
    await start(rig, caller, parent=parent.id)


@pytest.mark.usefixtures("few")
async def test_what_fell_with_one_above_does_not_count(rig: Rig) -> None:
    """The end of one session frees the places of all below it."""
    caller = await rig.caller("agent")
    top = await start(rig, caller)
    middle = await start(rig, caller, parent=top.id)
    for _ in range(3):
        await start(rig, caller, parent=middle.id)
    await start(rig, caller)
    with refused(Reason.LIMIT_EXCEEDED):
        await start(rig, caller)
    await end(rig, top)
    for _ in range(5):
        await start(rig, caller)
    with refused(Reason.LIMIT_EXCEEDED):
        await start(rig, caller)


@pytest.mark.usefixtures("few")
async def test_lapsed_and_suspended_services_count(rig: Rig) -> None:
    """They may come back; one that is abandoned counts until it has vanished from the store."""
    caller = await rig.caller("agent")
    services = [await start(rig, caller, kind="service", lease=10) for _ in range(6)]
    for service in services[:2]:
        await rig.authority.suspensions.suspend(caller, "shop", service.id, "")
    await rig.advance(11)
    with refused(Reason.LIMIT_EXCEEDED):
        await start(rig, caller)
    await rig.advance(86_400)
    for _ in range(4):
        await start(rig, caller)
    with refused(Reason.LIMIT_EXCEEDED):
        await start(rig, caller)
    left = {each.id for each in rig.state.sessions("shop") if each.kind == "service"}
    assert left == {each.id for each in services[:2]}


@pytest.mark.usefixtures("few")
async def test_replicas_never_exceed_the_bound_of_an_application(two: tuple[Rig, Rig]) -> None:
    """Of thirty starts at the same time by two replicas, six succeed."""
    caller = await two[0].caller("agent")
    await two[1].state.reached(two[0].state.revision)
    answers = await outcomes(
        *(start(two[number % 2], caller, kind="service") for number in range(30))
    )
    started = [each for each in answers if isinstance(each, Session)]
    refusals = {each for each in answers if each not in started}
    assert len(started) == 6
    assert refusals == {Reason.LIMIT_EXCEEDED}
    assert len({each.slots for each in started}) == 6


@pytest.mark.usefixtures("few")
async def test_replicas_never_exceed_the_bound_of_a_parent(two: tuple[Rig, Rig]) -> None:
    """Nor when places are given back meanwhile."""
    caller = await two[0].caller("agent")
    parent = await start(two[0], caller)
    children = [await start(two[0], caller, parent=parent.id) for _ in range(2)]
    for rig in two:
        await rig.state.reached(two[0].state.revision)
    answers = await outcomes(
        *(start(two[number % 2], caller, parent=parent.id) for number in range(12)),
        *(end(two[number], children[number]) for number in range(2)),
    )
    started = [each for each in answers if isinstance(each, Session)]
    refusals = {each for each in answers if isinstance(each, Reason)}
    assert 1 <= len(started) <= 3
    assert refusals == {Reason.LIMIT_EXCEEDED}
    for _ in range(3 - len(started)):
        await start(two[0], caller, parent=parent.id)
    assert living(two[0], parent.id) == 3
    with refused(Reason.LIMIT_EXCEEDED):
        await start(two[0], caller, parent=parent.id)


@pytest.mark.usefixtures("few")
async def test_replica_that_comes_later_knows_what_is_taken(two: tuple[Rig, Rig]) -> None:
    """Its places are found in the store, not counted by who took them."""
    caller = await two[0].caller("agent")
    for _ in range(6):
        await start(two[0], caller)
    await two[1].state.reached(two[0].state.revision)
    with refused(Reason.LIMIT_EXCEEDED):
        await start(two[1], caller)


@pytest.mark.usefixtures("few")
async def test_full_application_is_refused_without_looking_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks again and again costs one look-up, until something may be free."""
    caller = await rig.caller("agent")
    first, *_ = [await start(rig, caller, life=600) for _ in range(6)]
    looked: list[str] = []
    look = Slots._holder

    def holder(self: Slots, zone: str, slot: str) -> Session | None:
        looked.append(slot)
        return look(self, zone, slot)

    monkeypatch.setattr(Slots, "_holder", holder)
    for _ in range(5):
        with refused(Reason.LIMIT_EXCEEDED):
            await start(rig, caller)
    assert len(looked) == 6
    await end(rig, first)
    await start(rig, caller)


async def commits(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is committed from now on."""
    seen: list[Any] = []
    original = store.commit

    async def commit(changes: Any, expects: Any = ()) -> int:
        if any(change.key.zone == "shop" for change in changes):
            seen.append(changes)
        return await original(changes, expects)

    monkeypatch.setattr(store, "commit", commit)
    return seen


async def test_start_is_one_write(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session and its places together: one of the application, and one of the parent."""
    caller = await rig.caller("agent")
    seen = await commits(rig.store, monkeypatch)
    parent = await start(rig, caller)
    child = await start(rig, caller, parent=parent.id)
    kinds = [[change.key.kind for change in changes] for changes in seen]
    assert kinds == [["sessions", "slots"], ["sessions", "slots", "slots"]]
    assert [slot.rpartition(".")[0] for slot in child.slots] == [
        rig.application("agent"),
        parent.id,
    ]
    for slot in child.slots:
        record = rig.state.record(places.slot_place("shop", slot))
        assert record is not None
        assert record.value["session"] == child.id
        assert json.dumps(dict(record.value))


async def test_places_outlive_their_session(rig: Rig) -> None:
    """However long its lease is renewed, so that nobody takes the place of one that lives."""
    caller = await rig.caller("agent")
    service = await start(rig, caller, kind="service", lease=3600)
    for _ in range(80):
        await rig.advance(3000)
        await rig.authority.leases.heartbeat(caller, "shop", service.id, 1)
    revision = await rig.store.commit([], [])
    await rig.state.reached(revision)
    (slot,) = service.slots
    record = rig.state.record(places.slot_place("shop", slot))
    assert record is not None
    assert record.value["session"] == service.id


async def test_many_at_once_find_places_of_their_own(two: tuple[Rig, Rig]) -> None:
    """Two hundred starts by two replicas below one session: no two share a place."""
    caller = await two[0].caller("agent")
    parent = await start(two[0], caller)
    await two[1].state.reached(two[0].state.revision)
    request = SessionStart("shop", parent=parent.id)
    started = await asyncio.gather(
        *(two[number % 2].authority.sessions.start(caller, request) for number in range(200))
    )
    taken = [slot for each in started for slot in each.session.slots]
    assert len(set(taken)) == 400
