"""How the spans of an edge's own calls fit in with those of others, and stay out of the way."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from opentelemetry.instrumentation.grpc import aio_client_interceptors
from opentelemetry.instrumentation.utils import suppress_instrumentation

from caracal_grpc.interceptors import Edge, connect, connect_sync
from caracal_grpc.interceptors.telemetry.telemetry import Telemetry
from tests.interceptors.calling import say_aio, say_sync
from tests.interceptors.client.neighbours import around_aio
from tests.interceptors.support import (
    METHODS,
    RULES,
    Echo,
    calls,
    profile,
)
from tests.interceptors.telemetry.spans import ALLOWED, guarded, inside, path, traceparent
from tests.support.otel import Shown, ours


async def test_a_call_from_a_handler_goes_on_with_its_trace(
    shown: Shown, edge: Edge, address: str, echo: Echo
) -> None:
    """Client, handler, its call and what that calls are one trace, each within the one before."""
    outer = "/echo.v1.Echo/UnaryUnary"

    async def relay(request: StringValue, _: Any) -> StringValue:
        return StringValue(value=await say_aio(inner, "UnaryStream"))

    kinds = (StringValue.FromString, StringValue.SerializeToString)
    handler = {"UnaryUnary": grpc.unary_unary_rpc_method_handler(relay, *kinds)}
    inner = calls(edge.channel(address))
    async with guarded(
        edge, grpc.method_handlers_generic_handler("echo.v1.Echo", handler)
    ) as target:
        stubs = calls(edge.channel(target, on_behalf="self"))
        baggage = (("baggage", "team=shop"), ("tracestate", "vendor=1"))
        assert await say_aio(stubs, "UnaryUnary", metadata=baggage) == "abc"
    made, served = await shown.named(outer, 2)
    (again,) = await shown.named(path("UnaryStream"))
    assert inside(served, made)
    assert inside(again, served)
    (arrived,) = echo.calls
    names = [key for key, _ in arrived]
    assert names.count("traceparent") == names.count("x-request-id") == names.count("baggage") == 1
    assert dict(arrived)["traceparent"] == traceparent(again)


async def test_the_span_of_the_service_s_own_instrumentation_serves(
    shown: Shown, edge: Edge, address: str, echo: Echo
) -> None:
    """No second one is made."""
    interceptors = [*aio_client_interceptors(shown.tracers), *edge.client_interceptors()]
    async with grpc.aio.insecure_channel(address, interceptors=interceptors) as channel:
        assert await say_aio(calls(channel), "UnaryUnary") == "abc"
    (span,) = await shown.named(path("UnaryUnary"))
    assert ours(span) == ALLOWED
    assert [value for key, value in echo.calls[0] if key == "traceparent"] == [traceparent(span)]


async def test_an_interceptor_within_that_answers_by_itself_ends_the_span(
    shown: Shown, edge: Edge, address: str
) -> None:
    """gRPC makes a call of its answer, which takes no callback."""

    async def awaiting(_: str, continuation: Any, details: Any, request: Any) -> Any:
        return await (await continuation(details, request))

    interceptors = [*edge.client_interceptors(on_behalf="self"), around_aio(awaiting)[0]]
    async with grpc.aio.insecure_channel(address, interceptors=interceptors) as channel:
        assert await say_aio(calls(channel), "UnaryUnary") == "abc"
    (span,) = await shown.named(path("UnaryUnary"))
    assert ours(span) == ALLOWED


async def test_where_instrumentation_is_suppressed_nothing_is_made(
    shown: Shown, edge: Edge, address: str
) -> None:
    """As OpenTelemetry says it is for everyone."""
    with suppress_instrumentation():
        assert await say_aio(calls(edge.channel(address)), "UnaryUnary") == "abc"
    assert await shown.spans(0) == []


async def test_an_edge_without_telemetry_has_no_layer_more(address: str) -> None:
    """What is off costs nothing."""
    async with connect(profile(address), rules=RULES) as edge:
        assert len(edge.client_interceptors()) == 4
    with connect_sync(profile(address), rules=RULES) as edge_sync:
        assert len(edge_sync.client_interceptors()) == 1


class Failing:
    """Hears of a call, and fails at whatever it hears."""

    def current(self) -> Any:
        """Fails, as all of it does."""
        raise ValueError("the tracer fell over")

    carried = sent = ended = lambda self, *_: self.current()


class Broken(Telemetry):
    """An observer that fails."""

    def calling(self, method: str, resource: str, application: str) -> Any:
        """As in `Telemetry`, but for what comes of it."""
        return Failing()


@pytest.mark.parametrize("name", METHODS)
async def test_an_observer_that_fails_changes_no_call(
    shown: Shown, address: str, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """It only watches."""
    broken = Broken("shop", tracer_provider=shown.tracers, meter_provider=shown.meters)

    def talk() -> None:
        with connect_sync(profile(address), rules=RULES, telemetry=broken) as edge:
            assert say_sync(calls(edge.channel(address, on_behalf="self")), name) == "abc"

    await asyncio.to_thread(talk)
    async with connect(profile(address), rules=RULES, telemetry=broken) as edge:
        assert await say_aio(calls(edge.channel(address, on_behalf="self")), name) == "abc"
    assert "the observer failed" in caplog.text
