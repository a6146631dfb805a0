"""The standard health service says what the guards would do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from caracal_grpc.interceptors import connect, connect_sync
from caracal_grpc.interceptors.feed.proof import PATIENCE
from tests.interceptors.support import EXPIRED, FakeAuthority, eventually, profile
from tests.support.clock import FakeClock

STATUS = health_pb2.HealthCheckResponse.ServingStatus
SERVING, NOT_SERVING = STATUS.Value("SERVING"), STATUS.Value("NOT_SERVING")
ASKED = health_pb2.HealthCheckRequest(service="shop.Payments")


@contextmanager
def _serving(servicer: health.HealthServicer) -> Iterator[Any]:
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield health_pb2_grpc.HealthStub(channel)
        server.stop(None).wait()


async def test_stale_is_not_serving_and_fresh_is_serving_again(
    address: str, clock: FakeClock
) -> None:
    """A real health service is watched from before the feed has come until the edge is closed."""
    servicer = health.aio.HealthServicer()
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    before = asyncio.all_tasks()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        edge = connect(profile(address), clock=clock)
        await edge.report_health(servicer, ["", "shop.Payments"])
        said = health_pb2_grpc.HealthStub(channel).Watch(ASKED, timeout=30)
        assert (await said.read()).status == NOT_SERVING
        await edge.ready(5)
        assert (await said.read()).status == SERVING
        clock.advance(60)
        assert (await said.read()).status == NOT_SERVING
        clock.advance(PATIENCE + 1)  # now the stream is given up, and the next proves itself
        assert (await said.read()).status == SERVING
        await edge.close()
        assert (await said.read()).status == NOT_SERVING
        said.cancel()
    await server.stop(None)
    assert {task.get_name() for task in asyncio.all_tasks() - before} & {"caracal-health"} == set()


def test_threads_report_as_well(sync_address: str, clock: FakeClock) -> None:
    """The same from `connect_sync`, whose thread ends with the edge."""
    servicer = health.HealthServicer()
    with _serving(servicer) as stub:
        edge = connect_sync(profile(sync_address), clock=clock)
        edge.report_health(servicer, "shop.Payments")
        said = stub.Watch(ASKED, timeout=30)
        assert next(said).status == NOT_SERVING
        edge.ready(5)
        assert next(said).status == SERVING
        clock.advance(60)
        assert next(said).status == NOT_SERVING
        clock.advance(PATIENCE + 1)
        assert next(said).status == SERVING
        edge.close()
        assert next(said).status == NOT_SERVING
        said.cancel()
    assert "caracal-health" not in {thread.name for thread in threading.enumerate()}


async def test_a_servicer_that_fails_once_is_told_again(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What went wrong is logged, and the next look reports."""

    class Moody(health.aio.HealthServicer):
        failures = 1

        async def set(self, service: str, status: int) -> None:
            """Fails once to say that it serves."""
            if status == SERVING and self.failures:
                self.failures -= 1
                raise ValueError("fell over")
            told.append(status)

    told: list[int] = []
    async with connect(profile(address)) as edge:
        await edge.report_health(Moody())
        await eventually(lambda: told[-1] == SERVING)
    assert told == [NOT_SERVING, SERVING, NOT_SERVING]
    assert "fell over" in caplog.text


async def test_not_serving_while_the_feed_is_refused(
    address: str, authority: FakeAuthority
) -> None:
    """A process that never heard from its authority never said that it serves."""
    authority.feed.refusals.extend([EXPIRED] * 100)
    servicer = health.aio.HealthServicer()
    async with connect(profile(address)) as edge:
        await edge.report_health(servicer)
        await eventually(lambda: len(authority.feed.tokens) >= 2)
        answer = await servicer.Check(health_pb2.HealthCheckRequest(), None)
        assert answer.status == NOT_SERVING
