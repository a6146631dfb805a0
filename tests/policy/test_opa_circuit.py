"""A policy server that fails again and again is left alone for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.circuit import FIRST_PAUSE, THRESHOLD
from caracal_grpc.policy.opa import MAX_AT_ONCE, OpaPolicy
from tests.policy.opa_client import asking, question
from tests.policy.opa_server import BUNDLE, DATA_PATH, Recorded
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.web import Answer


@pytest.fixture
async def web() -> AsyncIterator[Recorded]:
    """A server of recorded exchanges, to be tampered with."""
    server = Recorded()
    await server.start()
    yield server
    await server.stop()


async def test_circuit_opens_and_lets_one_probe_through(web: Recorded) -> None:
    """One that fails again and again is asked once in a while, and by all when it is back."""
    clock = FakeClock()
    web.answers[DATA_PATH] = Answer(b"", 500)
    async with asking(web.url, clock) as server:
        policy = OpaPolicy(BUNDLE.version, server)

        async def fails() -> float:
            with refused(Reason.POLICY_FAILED) as seen:
                await policy.decide(question("allow"))
            assert seen.error is not None
            return seen.error.retry_after or 0.0

        for _ in range(THRESHOLD):
            await fails()
        assert await fails() == FIRST_PAUSE
        assert len(web.requests) == THRESHOLD
        clock.advance(FIRST_PAUSE)
        await fails()
        assert len(web.requests) == THRESHOLD + 1
        assert await fails() == 2 * FIRST_PAUSE
        assert len(web.requests) == THRESHOLD + 1
        clock.advance(2 * FIRST_PAUSE)
        del web.answers[DATA_PATH]
        for _ in range(3):
            assert (await policy.decide(question("allow"))).outcome == "allow"


async def test_one_probe_at_a_time(web: Recorded) -> None:
    """While the probe is under way the others are refused; one that gives up makes way."""
    clock = FakeClock()
    web.answers[DATA_PATH] = Answer(b"", 500)
    async with asking(web.url, clock) as server:
        policy = OpaPolicy(BUNDLE.version, server)
        for _ in range(THRESHOLD):
            with refused(Reason.POLICY_FAILED):
                await policy.decide(question("allow"))
        clock.advance(FIRST_PAUSE)
        del web.answers[DATA_PATH]
        web.hold(DATA_PATH)
        probe = asyncio.create_task(policy.decide(question("allow")))
        await web.asked(DATA_PATH, THRESHOLD + 1)
        with refused(Reason.POLICY_FAILED):
            await policy.decide(question("allow"))
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        web.release(DATA_PATH)
        assert (await policy.decide(question("allow"))).outcome == "allow"


async def test_result_that_cannot_be_used_opens_no_circuit(web: Recorded) -> None:
    """A policy that says nothing about one request is no server that fails."""
    async with asking(web.url) as server:
        policy = OpaPolicy(BUNDLE.version, server)
        for _ in range(2 * THRESHOLD):
            with refused(Reason.POLICY_FAILED):
                await policy.decide(question("nothing"))
        assert (await policy.decide(question("allow"))).outcome == "allow"


async def test_who_never_had_a_turn_opens_no_circuit(web: Recorded) -> None:
    """A server that hangs takes every turn; that of another zone has not failed by that."""
    web.hold(f"/hangs{DATA_PATH}")
    async with asking(f"{web.url}/{{zone}}", timeout=0.5) as server:
        policy = OpaPolicy(BUNDLE.version, server)
        many = 3 * MAX_AT_ONCE
        hanging = [policy.decide(question("allow", zone="hangs")) for _ in range(many)]
        waiting = [policy.decide(question("allow", zone="well")) for _ in range(THRESHOLD)]
        await asyncio.gather(*hanging, *waiting, return_exceptions=True)
        with refused(Reason.POLICY_FAILED) as seen:
            await policy.decide(question("allow", zone="hangs"))
        assert "fails again and again" in str(seen.error)
        assert (await policy.decide(question("allow", zone="well"))).outcome == "allow"
    web.release(f"/hangs{DATA_PATH}")
