"""What an edge shows of its own calls: one span each, its exchange and its service within."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from caracal_grpc.interceptors import Edge, connect_sync
from tests.interceptors.calling import say_aio, say_sync
from tests.interceptors.support import (
    DENIED,
    EXPIRED,
    METHODS,
    RESOURCE,
    RULES,
    SECRET,
    Echo,
    FakeAuthority,
    calls,
    profile,
)
from tests.interceptors.telemetry.spans import ALLOWED, MADE, guarded, inside, path, traceparent
from tests.support.clock import FakeClock
from tests.support.otel import Shown, ours

EXCHANGE = "/caracal.v1.TokenService/Exchange"
ONE_REQUEST = ("UnaryUnary", "UnaryStream")
"""A write that meets a refused call is INTERNAL to the asyncio client of gRPC, whatever it was."""


@pytest.mark.parametrize("name", METHODS)
async def test_the_exchange_and_the_service_are_within_the_call(
    shown: Shown, edge: Edge, echo: Echo, name: str
) -> None:
    """In every cardinality, by one `traceparent`; the second call needs no exchange."""
    async with guarded(edge, echo.handlers()) as target:
        stubs = calls(edge.channel(target, on_behalf="self"))
        for _ in range(2):
            assert await say_aio(stubs, name) == "abc"
    spans = await shown.named(path(name), 4)
    made = [span for span in spans if span.kind is SpanKind.CLIENT]
    served = [span for span in spans if span.kind is SpanKind.SERVER]
    assert [ours(span) for span in made] == [ALLOWED, ALLOWED]
    assert [inside(*pair) for pair in zip(served, made, strict=True)] == [True, True]
    exchanges = await shown.named(EXCHANGE, 2)
    assert [inside(each, made[0]) for each in exchanges] == [False, True]
    assert ours(exchanges[1])["resource"] == RESOURCE
    sent = [[value for key, value in call if key == "traceparent"] for call in echo.calls]
    assert sent == [[traceparent(span)] for span in made]


@pytest.mark.parametrize("name", METHODS)
async def test_the_same_on_threads(
    shown: Shown, address: str, echo: Echo, clock: FakeClock, name: str
) -> None:
    """From `connect_sync`; the call keeps what a call can do."""
    how: dict[str, Any] = {"rules": RULES, "clock": clock, "telemetry": shown.telemetry("shop")}

    def talk() -> None:
        with connect_sync(profile(address), **how) as edge:
            stubs = calls(edge.channel(address, on_behalf="self"))
            for _ in range(2):
                assert say_sync(stubs, name) == "abc"

    await asyncio.to_thread(talk)
    made = await shown.named(path(name), 2)
    assert [ours(span) for span in made] == [ALLOWED, ALLOWED]
    (exchange,) = await shown.named(EXCHANGE)
    assert inside(exchange, made[0])
    sent = [[value for key, value in call if key == "traceparent"] for call in echo.calls]
    assert sent == [[traceparent(span)] for span in made]
    assert SECRET not in shown.everything()


@pytest.mark.parametrize("name", ONE_REQUEST)
async def test_a_call_refused_by_the_service_says_why(
    shown: Shown, edge: Edge, address: str, echo: Echo, name: str
) -> None:
    """With the status of the call."""
    echo.refusals.append(DENIED)
    stubs = calls(edge.channel(address, on_behalf="self"))
    with pytest.raises(grpc.aio.AioRpcError):
        await say_aio(stubs, name)
    assert_refused(*await shown.named(path(name)))


@pytest.mark.parametrize("name", METHODS)
async def test_a_call_refused_by_the_service_says_why_on_threads(
    shown: Shown, address: str, clock: FakeClock, echo: Echo, name: str
) -> None:
    """The same."""
    echo.refusals.append(DENIED)
    how: dict[str, Any] = {"rules": RULES, "clock": clock, "telemetry": shown.telemetry("shop")}

    def talk() -> None:
        with connect_sync(profile(address), **how) as edge:
            stubs = calls(edge.channel(address, on_behalf="self"))
            with pytest.raises(grpc.RpcError):
                say_sync(stubs, name)

    await asyncio.to_thread(talk)
    assert_refused(*await shown.named(path(name)))


def assert_refused(span: ReadableSpan) -> None:
    """It says who was refused what, and why."""
    denied = grpc.StatusCode.PERMISSION_DENIED.value[0]
    assert ours(span) == MADE | {"decision": "refused", "reason": "POLICY_DENIED"}
    assert (span.attributes or {})["rpc.grpc.status_code"] == denied
    assert span.status.status_code is StatusCode.ERROR


@pytest.mark.parametrize("name", METHODS)
async def test_a_call_that_is_never_made_says_why(
    shown: Shown, edge: Edge, address: str, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """The exchange was denied; so says its own span, and that of the call around it."""
    authority.refusals.append(DENIED)
    stubs = calls(edge.channel(address, on_behalf="self"))
    with pytest.raises(grpc.aio.AioRpcError):
        await say_aio(stubs, name)
    (span,) = await shown.named(path(name))
    (exchange,) = await shown.named(EXCHANGE)
    refused = {"decision": "refused", "reason": "POLICY_DENIED"}
    assert refused.items() <= ours(span).items()
    assert refused.items() <= ours(exchange).items()
    assert inside(exchange, span)
    assert echo.calls == []


@pytest.mark.parametrize("name", METHODS)
async def test_a_call_without_a_caller_says_so_on_threads(
    shown: Shown, address: str, echo: Echo, name: str
) -> None:
    """It is refused in this process, before anything is asked of anyone."""

    def talk() -> None:
        with connect_sync(profile(address), rules=RULES, telemetry=shown.telemetry()) as edge:
            stubs = calls(edge.channel(address, on_behalf="exchange"))
            with pytest.raises(grpc.RpcError):
                say_sync(stubs, name)

    await asyncio.to_thread(talk)
    (span,) = await shown.named(path(name))
    assert (ours(span)["decision"], ours(span)["reason"]) == ("refused", "MANDATE_MISSING")
    assert echo.calls == []


@pytest.mark.parametrize("name", ONE_REQUEST)
async def test_a_call_that_is_made_again_is_two(
    shown: Shown, edge: Edge, address: str, echo: Echo, name: str
) -> None:
    """Each with its own outcome, and its own span on the wire."""
    echo.refusals.append(EXPIRED)
    assert await say_aio(calls(edge.channel(address, on_behalf="self")), name) == "abc"
    first, second = await shown.named(path(name), 2)
    assert (ours(first)["decision"], ours(first)["reason"]) == ("refused", "MANDATE_EXPIRED")
    assert ours(second)["decision"] == "allowed"
    sent = [[value for key, value in call if key == "traceparent"] for call in echo.calls]
    assert sent == [[traceparent(first)], [traceparent(second)]]


@pytest.mark.parametrize("name", ["UnaryStream", "StreamStream"])
async def test_a_stream_that_is_hung_up_ends_its_span(
    shown: Shown, edge: Edge, address: str, name: str
) -> None:
    """Whether or not anybody ever read of it."""
    stub = calls(edge.channel(address, on_behalf="self"))[name]
    call = stub(StringValue(value="abc")) if name == "UnaryStream" else stub()
    await call.wait_for_connection()
    call.cancel()
    (span,) = await shown.named(path(name))
    assert (span.attributes or {})["rpc.grpc.status_code"] == grpc.StatusCode.CANCELLED.value[0]
    assert "decision" not in ours(span)


async def test_a_stream_may_be_written_by_hand(shown: Shown, edge: Edge, address: str) -> None:
    """The call is handed out while it runs."""
    call = calls(edge.channel(address, on_behalf="self"))["StreamUnary"]()
    for letter in "abc":
        await call.write(StringValue(value=letter))
    await call.done_writing()
    assert (await call).value == "abc"
    (span,) = await shown.named(path("StreamUnary"))
    assert ours(span) == ALLOWED
