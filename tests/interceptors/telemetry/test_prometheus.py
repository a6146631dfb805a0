"""What Prometheus reads of an edge: every metric by its name, its unit and its labels."""

from __future__ import annotations

import asyncio
import urllib.request
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import start_http_server
from prometheus_client.parser import text_string_to_metric_families

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import Edge, connect
from caracal_grpc.interceptors.telemetry.telemetry import Telemetry
from tests.interceptors.calling import say_aio
from tests.interceptors.support import (
    DENIED,
    METHODS,
    RESOURCE,
    RULES,
    FakeAuthority,
    calls,
    profile,
)
from tests.support.clock import FakeClock

DECISIONS = "caracal_guard_decisions_total"
VERIFICATION = "caracal_guard_verification_seconds"
LOOKUPS = "caracal_guard_cache_lookups_total"
CUTS = "caracal_guard_cut_streams_total"
REFRESHES = "caracal_client_token_refreshes_total"
STALENESS = "caracal_guard_staleness_seconds"
REVISION = "caracal_guard_applied_revision"
STREAMS = "caracal_guard_open_streams"
BUFFERED = "caracal_edge_decisions_buffered"
DROPPED = "caracal_edge_decisions_dropped_total"

METHOD = {"zone", "service", "method"}
LABELS = {
    DECISIONS: METHOD | {"decision", "reason"},
    f"{VERIFICATION}_count": {"zone", "decision"},
    f"{VERIFICATION}_sum": {"zone", "decision"},
    f"{VERIFICATION}_bucket": {"zone", "decision", "le"},
    LOOKUPS: {"zone", "result"},
    CUTS: METHOD | {"reason"},
    REFRESHES: {"zone", "outcome"},
    STALENESS: {"zone"},
    REVISION: {"zone"},
    STREAMS: {"zone"},
    BUFFERED: {"zone"},
    DROPPED: {"zone"},
}
"""All that there is, by the names that Prometheus knows: none of it is a caller's word."""

Samples = dict[str, list[tuple[dict[str, str], float]]]


@pytest.fixture
def meters() -> Iterator[MeterProvider]:
    """The meters of a process that Prometheus scrapes."""
    provider = MeterProvider([PrometheusMetricReader()], shutdown_on_exit=False)
    yield provider
    provider.shutdown()


@pytest.fixture
def url() -> Iterator[str]:
    """Where it scrapes."""
    server, thread = start_http_server(0, addr="127.0.0.1")
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
async def edge(address: str, clock: FakeClock, meters: MeterProvider) -> AsyncIterator[Edge]:
    """A process of the application."""
    tracers = TracerProvider(shutdown_on_exit=False)
    telemetry = Telemetry("shop", tracer_provider=tracers, meter_provider=meters)
    async with connect(profile(address), rules=RULES, clock=clock, telemetry=telemetry) as made:
        yield made


@asynccontextmanager
async def guarded(edge: Edge) -> AsyncIterator[str]:
    """A server behind a guard whose one stream stays open; its address."""

    async def say(request: StringValue, _: Any) -> StringValue:
        return request

    async def watch(request: StringValue, _: Any) -> AsyncIterator[StringValue]:
        yield request
        await asyncio.Event().wait()

    kinds = (StringValue.FromString, StringValue.SerializeToString)
    handlers = {
        "UnaryUnary": grpc.unary_unary_rpc_method_handler(say, *kinds),
        "Undeclared": grpc.unary_unary_rpc_method_handler(say, *kinds),
        "UnaryStream": grpc.unary_stream_rpc_method_handler(watch, *kinds),
    }
    server = grpc.aio.server(interceptors=[await edge.guard()])
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("echo.v1.Echo", handlers)]
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await edge.ready(5)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def scraped(url: str) -> Samples:
    """What Prometheus reads over HTTP, of what is ours."""

    def get() -> str:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - on loopback
            return str(answer.read().decode())

    text = await asyncio.to_thread(get)
    found: Samples = defaultdict(list)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith("caracal"):
                labels = {k: v for k, v in sample.labels.items() if not k.startswith("otel_")}
                found[sample.name].append((labels, sample.value))
    return found


def value(samples: Samples, name: str, **labels: str) -> float:
    """The sum over the time series with these labels."""
    return sum(count for found, count in samples[name] if labels.items() <= found.items())


async def test_a_scrape_has_all_that_an_edge_counts(
    edge: Edge, url: str, authority: FakeAuthority, clock: FakeClock
) -> None:
    """Decisions by reason, verification, cache, streams open and cut, refreshes and the feed."""
    async with guarded(edge) as target:
        stubs = calls(edge.channel(target, on_behalf="self"))
        for _ in range(3):
            assert await say_aio(stubs, "UnaryUnary") == "abc"
        async with grpc.aio.insecure_channel(target) as plain:
            for method in ("UnaryUnary", "Undeclared"):
                with pytest.raises(grpc.aio.AioRpcError):
                    await say_aio(calls(plain), method)
        authority.refusals.append(DENIED)
        with pytest.raises(grpc.aio.AioRpcError):
            await edge.exchange(RESOURCE, ["echo:other"])
        stream = stubs["UnaryStream"](StringValue(value="abc"))
        assert (await stream.read()).value == "abc"
        open_ = await scraped(url)
        clock.advance(3600)
        with pytest.raises(grpc.aio.AioRpcError):
            await stream.read()
        cut = await scraped(url)
    assert value(open_, DECISIONS, decision="allowed", reason="", method="UnaryUnary") == 3
    assert value(open_, DECISIONS, decision="refused", reason="MANDATE_MISSING") == 1
    assert value(open_, DECISIONS, method="", reason="METHOD_NOT_DECLARED") == 1
    assert value(open_, f"{VERIFICATION}_count", zone="shop") == value(open_, DECISIONS) == 6
    assert 0 < value(open_, f"{VERIFICATION}_sum") < 6
    assert value(open_, LOOKUPS, result="miss") == 1
    assert value(open_, LOOKUPS, result="hit") == 3
    assert value(open_, REFRESHES, outcome="POLICY_DENIED") == 1
    assert value(open_, STREAMS) == 1
    assert value(open_, REVISION) == 1
    assert value(open_, STALENESS) < 60
    assert value(open_, DROPPED) == 0
    assert value(cut, CUTS, method="UnaryStream", service="echo.v1.Echo") == 1
    assert value(cut, STREAMS) == 0
    assert value(cut, STALENESS) > 60
    assert {name: set(samples[0][0]) for name, samples in cut.items()} == LABELS
    assert_bounded(cut)


def assert_bounded(samples: Samples) -> None:
    """Each label has its values from the rules, the zone or a table."""
    reasons = {reason.name for reason in Reason}
    allowed = {
        "zone": {"shop"},
        "service": {"", "echo.v1.Echo"},
        "method": {"", *METHODS},
        "decision": {"allowed", "refused"},
        "reason": {"", *reasons},
        "result": {"hit", "miss"},
        "outcome": {"granted", *(code.name for code in grpc.StatusCode), *reasons},
    }
    series = [labels for found in samples.values() for labels, _ in found]
    strays = [
        (key, text)
        for labels in series
        for key, text in labels.items()
        if key != "le" and text not in allowed[key]
    ]
    assert strays == []
