"""Rotation by schedule: one key when it is due, whoever looks, however often, by whatever clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from caracal_grpc.authority.keys import schedule
from caracal_grpc.authority.keys.schedule import MOST_SKEW, RotationSchedule
from caracal_grpc.core.keystate import KeyState
from caracal_grpc.core.limits import DEFAULT_KEY_PUBLISH, DEFAULT_KEY_ROTATE
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.store.etcd import EtcdStore
from tests.support.clock import FakeClock
from tests.support.etcd import EtcdProcess
from tests.support.rig import Rig, memory_store, open_rig, settle
from tests.support.shop import shop

ZONES = 2
"""The authority's own, and the shop."""
DUE = DEFAULT_KEY_ROTATE

Two = tuple[Rig, Rig]


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks but the test, unless it starts that."""
    monkeypatch.setattr(RotationSchedule, "start", lambda _: None)


def look(rig: Rig) -> asyncio.Task[int]:
    """One look of a replica at the age of all keys; how many it added."""
    return asyncio.ensure_future(rig.authority.key_care.schedule.look())


def keys(rig: Rig, zone: str = "shop") -> int:
    """How many keys the zone has."""
    return len(rig.keyring.keys(zone))


async def test_key_is_rotated_when_it_is_due(any_rig: Rig) -> None:
    """Not before, in every zone, once; the new one waits for its publication like any other."""
    rig = any_rig
    await rig.advance(DUE - 1)
    assert await look(rig) == 0
    await rig.advance(1)
    assert await look(rig) == ZONES
    assert await look(rig) == 0
    states = [report.state for report in rig.keyring.report("shop")]
    assert states == [KeyState.PENDING, KeyState.ACTIVE]
    await rig.advance(DEFAULT_KEY_PUBLISH)
    assert await look(rig) == 0
    await rig.advance(DUE)
    assert await look(rig) == ZONES


async def test_each_zone_has_an_age_of_its_own(rig: Rig) -> None:
    """As its settings say."""
    await rig.apply(shop(settings={"key_rotate_seconds": 7200}))
    await rig.advance(7200)
    assert await look(rig) == 1
    assert (keys(rig), keys(rig, "caracal")) == (2, 1)


async def test_rotation_is_recorded_as_the_authoritys_own(rig: Rig) -> None:
    """No application did it."""
    await rig.advance(DUE)
    await look(rig)
    entry = await rig.last()
    assert (entry.type, entry.application) == ("key.rotate", "")
    assert entry.details["key"] == rig.keyring.keys("shop")[0].times.kid


async def test_two_that_look_at_once_add_one_key(two: Two) -> None:
    """Also when both believe that it is theirs to do: the write decides."""
    for rig in two:
        rig.authority.key_care.schedule._ownership._live = set  # nobody else runs, as it seems
    two[0].clock.advance(DUE)  # of both
    for rig in two:
        await rig.fresh()
    looks = [look(rig) for rig in two for _ in range(5)]
    assert sum(await asyncio.gather(*looks)) == ZONES
    for rig in two:
        await rig.state.reached(max(each.state.revision for each in two))
        assert (keys(rig), keys(rig, "caracal")) == (2, 2)


async def passed(two: Two, seconds: float) -> None:
    """Lets time pass for both, who have told each other of it then: none believes that the clock of
    the other is wrong.
    """
    two[0].clock.advance(seconds)  # of both
    for rig in two:
        await rig.fresh()
    said = [await rig.authority._replicas.say() for rig in two]
    for rig in two:
        await rig.state.reached(max(said))


async def test_only_the_owner_rotates_until_it_is_gone(two: Two) -> None:
    """Then another does."""
    first, second = two
    await passed(two, DUE)
    assert await look(first) == ZONES
    await passed(two, DEFAULT_KEY_PUBLISH + DUE)
    assert await look(second) == 0
    await first.authority._replicas.close()
    await second.state.reached(await second.authority._replicas.say())
    assert await look(second) == ZONES


async def test_restarts_add_no_keys(tmp_path: Path, clock: FakeClock, etcd: EtcdProcess) -> None:
    """Of any number of replicas, whatever the time of day."""
    settings, kek = etcd.settings(), Kek.generate()
    for start in range(4):
        async with AsyncExitStack() as closing:
            rigs = []
            for number in range(2):
                store = EtcdStore(settings, clock)
                closing.push_async_callback(store.close)
                opened = open_rig(tmp_path, store, clock, kek=kek, ledger=f"{start}-{number}")
                rigs.append(await closing.enter_async_context(opened))
                if start == number == 0:
                    await settle(rigs[0])
            for rig in rigs:
                await look(rig)
            assert [keys(rig) for rig in rigs] == [1, 1]
        clock.advance(DUE / 5)


@pytest.fixture
async def strangers(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Two]:
    """Two replicas with clocks of their own, over one store."""
    store, kek, other = memory_store(clock), Kek.generate(), FakeClock()
    async with open_rig(tmp_path, store, clock, kek=kek) as first:
        await settle(first)
        async with open_rig(tmp_path, store, other, kek=kek, ledger="other") as second:
            second.credentials, second.operator = first.credentials, first.operator
            yield first, second
    await store.close()


@pytest.mark.parametrize("off", [400 * 86_400, -400 * 86_400, MOST_SKEW + 5])
async def test_clock_that_is_far_off_rotates_nothing(
    strangers: Two, off: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Others contradict it; it says so, and does not rotate at all, let alone in a loop."""
    right, wrong = strangers
    await right.apply(shop(settings={"key_rotate_seconds": 3600}))
    wrong.clock.wall += off
    for rig, other in ((right, wrong), (wrong, right)):
        await other.state.reached(await rig.authority._replicas.say())
    caplog.clear()
    for _ in range(3):
        assert await look(wrong) == 0
        right.clock.wall += 3600
        wrong.clock.wall += 3600
    assert keys(wrong) == 1
    said = [each for each in caplog.records if each.name == "caracal.keys"]
    assert bool(said) is (off > 0), "only one that is due needs to be said"


async def test_lone_clock_that_is_ahead_rotates_once(rig: Rig) -> None:
    """Nobody contradicts it; what it published is pending by any other clock, and keeps it so."""
    rig.clock.wall += 400 * 86_400
    assert await look(rig) == ZONES
    rig.clock.wall -= 400 * 86_400
    assert await look(rig) == 0
    rig.clock.wall += DUE
    assert await look(rig) == 0, "a key is to follow already"
    assert keys(rig) == 2


async def test_it_goes_on_by_itself(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One task looks again and again, and at once when a zone changes."""
    monkeypatch.undo()
    monkeypatch.setattr(schedule, "LOOK", 0.05)
    caplog.set_level(logging.INFO, "caracal.keys")
    rig.authority.key_care.schedule.start()
    await rig.advance(DUE)
    async with asyncio.timeout(10):
        while keys(rig) < 2 or keys(rig, "caracal") < 2:
            await asyncio.sleep(0.01)
    monkeypatch.setattr(schedule, "LOOK", 1000.0)
    await rig.advance(DEFAULT_KEY_PUBLISH + 3600)
    await rig.apply(shop(settings={"key_rotate_seconds": 3600}))
    async with asyncio.timeout(10):
        while keys(rig) < 3:
            await asyncio.sleep(0.01)
    assert keys(rig, "caracal") == 2


async def test_rotation_that_fails_is_tried_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is away for a moment ends nothing."""
    await rig.advance(DUE)
    commit = rig.store.commit

    async def failing(*_: object) -> int:
        from caracal_grpc.store.refusal import unavailable

        raise unavailable("it is away")

    monkeypatch.setattr(rig.store, "commit", failing)
    assert await look(rig) == 0
    monkeypatch.setattr(rig.store, "commit", commit)
    assert await look(rig) == ZONES
