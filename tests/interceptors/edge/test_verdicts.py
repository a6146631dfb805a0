"""The verdicts of an edge for what a proxy lets through: by its feed, recorded, consumed once."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import connect
from caracal_grpc.interceptors.guard.behind import Behind
from caracal_grpc.interceptors.telemetry.telemetry import Telemetry
from caracal_grpc.interceptors.testing import bearing
from tests.interceptors.edge.test_single_use import METHOD, ONCE, Consuming
from tests.interceptors.support import RESOURCE, profile
from tests.support.clock import FakeClock
from tests.support.refusals import refused

USES = "req_01h455vb4pex5vsknk084sn02q", "req_01h455vb4pex5vsknk084sn02r"
RULE = ONCE.find(METHOD)


@pytest.fixture
def authority() -> Consuming:
    """The authority that the test scripts."""
    return Consuming()


async def test_verdicts_of_an_edge_consume_under_the_name_of_the_use(
    address: str, clock: FakeClock, authority: Consuming
) -> None:
    """A proxy that asks again about one request has not used the mandate twice."""
    async with connect(profile(address), rules=ONCE, clock=clock) as edge:
        verdicts = await edge.verdicts()
        await edge.ready(5)
        assert verdicts.ready
        carried = bearing(await edge.exchange(RESOURCE, ["echo:say"], single_use=True))
        for _ in range(2):
            admission = await verdicts.on(METHOD, RULE, carried, Behind(), use=USES[0])
            assert admission.mandate is not None
        with refused(Reason.MANDATE_REPLAYED):
            await verdicts.on(METHOD, RULE, carried, Behind(), use=USES[1])
        with refused(Reason.MANDATE_REPLAYED):
            await verdicts.on(METHOD, RULE, carried, Behind())
    assert [use.request_id for use in authority.uses[:3]] == [USES[0], USES[0], USES[1]]
    assert authority.uses[3].request_id not in USES


async def test_verdicts_wait_for_the_feed(
    address: str, clock: FakeClock, authority: Consuming
) -> None:
    """Before the authority was heard nobody knows what is revoked."""
    async with connect(profile("127.0.0.1:1"), rules=ONCE, clock=clock) as edge:
        verdicts = await edge.verdicts()
        assert not verdicts.ready
        with refused(Reason.AUTHORITY_STALE):
            await verdicts.on(METHOD, RULE, bearing("e30.e30.e30"), Behind())


async def test_however_many_there_are_the_feed_is_shown_once(
    address: str, clock: FakeClock, authority: Consuming
) -> None:
    """They have one, and no streams."""
    shown: list[object] = []

    class Showing(Telemetry):
        def watch(self, feed: Any, guard: Any) -> None:
            shown.append(guard)

    telemetry = Showing("test")
    async with connect(profile(address), rules=ONCE, clock=clock, telemetry=telemetry) as edge:
        first, _ = [await edge.verdicts() for _ in range(2)]
    assert shown == [first]
