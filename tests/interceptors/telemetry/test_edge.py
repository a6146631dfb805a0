"""One setting of an edge: everything is shown, or nothing of OpenTelemetry is even loaded."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.interceptors import SyncEdge, connect, connect_sync
from tests.interceptors.calling import say_aio, say_sync
from tests.interceptors.support import (
    DENIED,
    RESOURCE,
    RULES,
    SECRET,
    Echo,
    FakeAuthority,
    calls,
    profile,
)
from tests.support.clock import FakeClock
from tests.support.otel import Shown

ZONE = {"zone": "shop"}
SPANS = 4 + 3 + 3
"""Of calls served, of calls made, and of exchanges."""

METRICS = {
    "caracal.client.token_refreshes",
    "caracal.guard.applied_revision",
    "caracal.guard.cache.lookups",
    "caracal.guard.decisions",
    "caracal.guard.open_streams",
    "caracal.guard.staleness",
    "caracal.guard.verification",
}


def quiet(shown: Shown, clock: FakeClock) -> dict[str, Any]:
    """How an edge is made that delivers nothing to the ledger, for which it would ask any time."""
    telemetry = shown.telemetry("shop")
    return {"rules": RULES, "clock": clock, "telemetry": telemetry, "record": False}


def parts(*tokens: str) -> list[str]:
    """What must be nowhere: each token, in pieces, and the application's secret."""
    return [SECRET, *(part for token in tokens for part in token.split("."))]


async def test_an_asyncio_edge_shows_all_of_itself(
    shown: Shown, address: str, authority: FakeAuthority, clock: FakeClock, caplog: Any
) -> None:
    """Decisions, cache, staleness and revision of the feed, and the mandates that it asked for."""
    caplog.set_level(logging.DEBUG)
    echo = Echo()
    async with connect(profile(address), **quiet(shown, clock)) as edge:
        server = grpc.aio.server(interceptors=[await edge.guard()])
        server.add_generic_rpc_handlers([echo.handlers()])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        await edge.ready(5)
        outgoing = edge.client_interceptors(on_behalf="self")
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", interceptors=outgoing) as channel:
            for _ in range(3):
                assert await say_aio(calls(channel), "UnaryUnary") == "abc"
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await say_aio(calls(channel), "UnaryUnary")
        authority.refusals.append(DENIED)
        with pytest.raises(grpc.aio.AioRpcError):
            await edge.exchange(RESOURCE, ["echo:other"])
        assert shown.names() == METRICS
        assert_calls_shown(shown)
        assert_age_shown(shown, clock)
        await server.stop(None)
        await shown.spans(SPANS)
    assert shown.points("caracal.guard.staleness") == []
    assert_nothing_leaked(shown, caplog, authority)


def test_an_edge_of_threads_shows_all_of_itself(
    shown: Shown, sync_address: str, authority: FakeAuthority, clock: FakeClock, caplog: Any
) -> None:
    """The same from `connect_sync`."""
    caplog.set_level(logging.DEBUG)
    how = quiet(shown, clock)
    with connect_sync(profile(sync_address), **how) as edge, _guarded(edge) as address:
        edge.ready(5)
        outgoing = edge.client_interceptors(on_behalf="self")
        with grpc.insecure_channel(address) as plain:
            for _ in range(3):
                stubs = calls(grpc.intercept_channel(plain, *outgoing))
                assert say_sync(stubs, "UnaryUnary") == "abc"
            with pytest.raises(grpc.RpcError):
                say_sync(calls(plain), "UnaryUnary")
        authority.refusals.append(DENIED)
        with pytest.raises(grpc.RpcError):
            edge.exchange(RESOURCE, ["echo:other"])
        assert shown.names() == METRICS
        assert_calls_shown(shown)
        assert_age_shown(shown, clock)
    # A loop from a factory, since `asyncio.run` would push aside the one of the test run.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(_ended(shown))
    assert shown.points("caracal.guard.staleness") == []
    assert_nothing_leaked(shown, caplog, authority)


async def _ended(shown: Shown) -> None:
    await shown.spans(SPANS)


@contextmanager
def _guarded(edge: SyncEdge) -> Iterator[str]:
    def say(request: StringValue, _: Any) -> StringValue:
        return request

    kinds = (StringValue.FromString, StringValue.SerializeToString)
    handlers = {"UnaryUnary": grpc.unary_unary_rpc_method_handler(say, *kinds)}
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, interceptors=[edge.guard()])
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("echo.v1.Echo", handlers)]
        )
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


def assert_calls_shown(shown: Shown) -> None:
    """Three calls under one mandate, one without, and a refused exchange."""
    count = shown.count
    assert count("caracal.guard.decisions", decision="allowed", method="UnaryUnary") == 3
    assert count("caracal.guard.decisions", decision="refused", reason="MANDATE_MISSING") == 1
    assert count("caracal.guard.verification") == 4
    assert count("caracal.guard.cache.lookups", result="miss") == 1
    assert count("caracal.guard.cache.lookups", result="hit") == 2
    # One for the feed, one for the calls.
    assert count("caracal.client.token_refreshes", outcome="granted") == 2
    assert count("caracal.client.token_refreshes", outcome="POLICY_DENIED") == 1
    assert shown.points("caracal.guard.applied_revision") == [(ZONE, 1)]
    assert shown.points("caracal.guard.open_streams") == [(ZONE, 0)]


def assert_age_shown(shown: Shown, clock: FakeClock) -> None:
    """The longer the authority was not heard, the older."""

    def age() -> float:
        ((labels, seconds),) = shown.points("caracal.guard.staleness")
        assert labels == ZONE
        return float(seconds)

    assert age() < 1
    clock.advance(60)
    assert age() >= 59


def assert_nothing_leaked(shown: Shown, caplog: Any, authority: FakeAuthority) -> None:
    """No mandate of anyone, the feed's neither, and no secret."""
    logged = "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    everything = shown.everything() + logged
    tokens = list(authority.issued.values())
    assert len(tokens) == 2
    assert [part for part in parts(*tokens) if part in everything] == []
    assert "MANDATE_MISSING" in shown.everything()
    assert "MANDATE_MISSING" in logged


async def test_an_edge_without_telemetry_says_nothing_of_a_refusal(
    address: str, caplog: Any
) -> None:
    """Off is off; `on_refusal` hears of it all the same."""
    caplog.set_level(logging.INFO, logger="caracal.guard")
    heard: list[str] = []
    async with connect(profile(address), rules=RULES) as edge:
        guard = await edge.guard(on_refusal=lambda method, *_: heard.append(method))
        for each in (guard, await edge.guard()):
            server = grpc.aio.server(interceptors=[each])
            server.add_generic_rpc_handlers([Echo().handlers()])
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                with pytest.raises(grpc.aio.AioRpcError):
                    await say_aio(calls(channel), "UnaryUnary")
            await server.stop(None)
    assert heard == ["/echo.v1.Echo/UnaryUnary"]
    assert [record for record in caplog.records if record.name == "caracal.guard"] == []


OFF = """
import asyncio, sys
from caracal_grpc.interceptors import connect, connect_sync, Profile

made = Profile.of({path!r})

async def main():
    async with connect(made) as edge:
        await edge.guard()
        edge.client_interceptors()

asyncio.run(main())
with connect_sync(made) as edge:
    edge.guard()
    edge.client_interceptors()
loaded = [name for name in sys.modules if "opentelemetry" in name or "telemetry" in name]
assert loaded == [], loaded
"""

WITHOUT = """
import sys
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors import connect, connect_sync

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "opentelemetry":
            raise ModuleNotFoundError("No module named " + name)

sys.meta_path.insert(0, Blocked())
for make in (connect, connect_sync):
    make({path!r})
    try:
        make({path!r}, telemetry=True)
    except CaracalError as error:
        assert error.reason == "FIELD_INVALID"
        assert "caracal-grpc[telemetry]" in str(error), error
        assert error.violations[0].field == "telemetry"
    else:
        raise SystemExit("telemetry without OpenTelemetry")
"""


@pytest.fixture
def run(tmp_path: Any) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Runs a program in a process of its own, with a profile."""
    path = tmp_path / "profile.json"
    profile("127.0.0.1:1").save(path)

    def running(program: str) -> subprocess.CompletedProcess[str]:
        code = program.format(path=str(path))
        command = [sys.executable, "-W", "error", "-c", code]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return running


def test_off_loads_nothing(run: Callable[[str], subprocess.CompletedProcess[str]]) -> None:
    """Edges with guards and channels, of both kinds, without one module of OpenTelemetry."""
    done = run(OFF)
    assert done.returncode == 0, done.stderr


def test_without_the_extra_it_says_which(
    run: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    """A typed refusal, when it is asked for and not before."""
    done = run(WITHOUT)
    assert done.returncode == 0, done.stderr + done.stdout


def test_true_takes_the_providers_of_the_process() -> None:
    """The one setting needs nothing else."""
    from caracal_grpc.interceptors.telemetry.telemetry import Telemetry

    edge = connect_sync(profile("127.0.0.1:1"), telemetry=True)
    assert isinstance(edge._settings.observer, Telemetry)
    edge.close()
