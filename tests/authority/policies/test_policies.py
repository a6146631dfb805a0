"""The active policy of a zone: compiled once, waited for, and let go of when nobody asks it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from caracal_grpc.authority.policies import policies as module
from caracal_grpc.authority.policies.policies import Policies
from caracal_grpc.authority.policies.source import Active
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.bundle import Bundle
from caracal_grpc.policy.grants import grants_data, grants_modules
from tests.policy.documents import grant
from tests.policy.sandbox.policies import question
from tests.support.clock import FakeClock
from tests.support.gated import GatedEngine
from tests.support.refusals import refused


class Zones:
    """What decides in each zone, as a test says; it counts what is read."""

    def __init__(self) -> None:
        self.active: dict[str, Bundle | CaracalError] = {}
        self.read = 0

    def choose(self, zone: str, life: int) -> Bundle:
        """From now on grants of that life decide in the zone."""
        grants = grants_data([grant(ttl_seconds=life)])
        self.active[zone] = bundle = Bundle.of(grants_modules(), grants)
        return bundle

    def __call__(self, zone: str) -> Active | None:
        """The source of `Policies`."""
        chosen = self.active.get(zone)
        if chosen is None:
            return None

        async def load() -> Bundle:
            self.read += 1
            if isinstance(chosen, CaracalError):
                raise chosen
            return chosen

        return Active(chosen.version if isinstance(chosen, Bundle) else str(id(chosen)), load)


@pytest.fixture
def zones() -> Zones:
    """No zone has a policy yet."""
    return Zones()


@pytest.fixture
def gated() -> GatedEngine:
    """The engine, whose gates are open."""
    return GatedEngine()


@pytest.fixture
async def policies(zones: Zones, gated: GatedEngine, clock: FakeClock) -> AsyncIterator[Policies]:
    """What is under test; everything is closed in the end, and once."""
    opened = Policies(gated, zones, clock)
    yield opened
    gated.compiling.open()
    gated.asking.open()
    await opened.close()
    assert len(gated.closed) == len(set(gated.closed))


async def test_version_is_compiled_once_for_all_who_ask(
    policies: Policies, zones: Zones, gated: GatedEngine
) -> None:
    """However many ask at the same time; and whoever asks later does not wait."""
    bundle = zones.choose("acme", 60)
    found = await asyncio.gather(*(policies.active("acme") for _ in range(20)))
    assert {each.version for each in found} == {bundle.version}
    assert (await policies.active("acme")) is found[0]
    assert (gated.compiling.came, zones.read) == (1, 1)


async def test_who_asks_first_and_gives_up_takes_nobody_along(
    policies: Policies, zones: Zones, gated: GatedEngine
) -> None:
    """The others get what was begun."""
    zones.choose("acme", 60)
    gated.compiling.shut()
    first, second = (asyncio.create_task(policies.active("acme")) for _ in range(2))
    await gated.compiling.reached(1)
    first.cancel()
    gated.compiling.open()
    assert (await second).key
    assert gated.compiling.came == 1


async def test_zones_do_not_wait_for_each_other(
    policies: Policies, zones: Zones, gated: GatedEngine
) -> None:
    """One compiles for long, the other decides."""
    zones.choose("quick", 60)
    quick = await policies.active("quick")
    zones.choose("slow", 30)
    gated.compiling.shut()
    waiting = asyncio.create_task(policies.active("slow"))
    await gated.compiling.reached(2)
    assert (await (await policies.active("quick")).decide(question())).outcome == "allow"
    assert not waiting.done()
    gated.compiling.open()
    assert (await waiting) is not quick


async def test_waiting_has_an_end(
    monkeypatch: pytest.MonkeyPatch, policies: Policies, zones: Zones, gated: GatedEngine
) -> None:
    """POLICY_FAILED, to be tried again; it goes on compiling, and decides when it is there."""
    zones.choose("acme", 60)
    gated.compiling.shut()
    monkeypatch.setattr(module, "LOADING_WAIT", 0.05)
    with refused(Reason.POLICY_FAILED) as seen:
        await policies.active("acme")
    assert seen.error.retry_after
    gated.compiling.open()
    monkeypatch.undo()
    await policies.active("acme")
    assert gated.compiling.came == 1


async def test_newer_version_is_waited_for(
    policies: Policies, zones: Zones, gated: GatedEngine
) -> None:
    """Whoever waits for one that is replaced meanwhile gets the one that decides by then."""
    old = zones.choose("acme", 60)
    gated.compiling.shut()
    waiting = asyncio.create_task(policies.active("acme"))
    await gated.compiling.reached(1)
    new = zones.choose("acme", 30)
    gated.compiling.open()
    assert (await waiting).version == new.version
    assert gated.closed == [old.version]


async def test_replaced_policy_answers_those_who_ask_it(
    policies: Policies, zones: Zones, gated: GatedEngine
) -> None:
    """It is closed when the last has its answer, and fails whoever asks it later."""
    old = zones.choose("acme", 60)
    asked = await policies.active("acme")
    gated.asking.shut()
    asking = [asyncio.create_task(asked.decide(question())) for _ in range(2)]
    await gated.asking.reached(2)
    zones.choose("acme", 30)
    current = await policies.active("acme")
    assert (policies.decides("acme", asked), policies.decides("acme", current)) == (False, True)
    assert gated.closed == []
    gated.asking.open()
    assert [(await each).ttl_seconds for each in asking] == [60, 60]
    assert gated.closed == [old.version]
    with refused(Reason.POLICY_FAILED):
        await asked.decide(question())


async def test_without_a_policy_there_is_none(
    policies: Policies, zones: Zones, gated: GatedEngine
) -> None:
    """NO_ACTIVE_POLICY, also where one was taken away, which is then closed."""
    with refused(Reason.NO_ACTIVE_POLICY):
        await policies.active("acme")
    bundle = zones.choose("acme", 60)
    await policies.active("acme")
    del zones.active["acme"]
    with refused(Reason.NO_ACTIVE_POLICY):
        await policies.active("acme")
    await asyncio.sleep(0)
    assert gated.closed == [bundle.version]


async def test_policy_that_cannot_be_had_is_not_tried_by_everybody(
    policies: Policies, zones: Zones, clock: FakeClock
) -> None:
    """All get the same refusal, each a copy of their own, until it is time to try again."""
    zones.active["acme"] = CaracalError(Reason.STORE_UNAVAILABLE, "away", retry_after=1.0)
    answers = await asyncio.gather(
        *(policies.active("acme") for _ in range(5)), return_exceptions=True
    )
    assert {str(each) for each in answers} == {"STORE_UNAVAILABLE: away"}
    assert len({id(each) for each in answers}) == 5
    assert zones.read == 1
    for pause in (0.5, 1.0, 2.0):
        with refused(Reason.STORE_UNAVAILABLE):
            await policies.active("acme")
        clock.advance(pause)
        read = zones.read
        with refused(Reason.STORE_UNAVAILABLE):
            await policies.active("acme")
        assert zones.read == read + 1
    zones.choose("acme", 60)
    await policies.active("acme")


async def test_policy_that_does_not_compile_denies(policies: Policies, zones: Zones) -> None:
    """POLICY_FAILED, whatever the place of the fault."""
    zones.active["acme"] = Bundle.of({"a.rego": "package"}, {})
    with refused(Reason.POLICY_FAILED) as seen:
        await policies.active("acme")
    assert "does not compile" in str(seen.error)


async def test_a_fault_of_ours_is_a_refusal_like_any_other(clock: FakeClock) -> None:
    """It is not tried without end: who asks between two attempts gets what the last came to."""
    read = 0

    async def load() -> Bundle:
        nonlocal read
        read += 1
        raise LookupError("grants")

    policies = Policies(GatedEngine(), lambda _: Active("broken", load), clock)
    async with asyncio.timeout(20):
        for _ in range(3):
            with refused(Reason.POLICY_FAILED):
                await policies.ready("acme")
    assert read == 1
    await policies.close()
