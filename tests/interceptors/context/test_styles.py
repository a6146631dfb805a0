"""What a handler sees of its call: in every style, and in all that a handler starts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from opentelemetry import baggage as otel_baggage
from opentelemetry.instrumentation.grpc import aio_server_interceptor, server_interceptor
from opentelemetry.sdk.trace import TracerProvider

from caracal_grpc.interceptors.context.inbound import IDENTITY_METADATA
from tests.interceptors.context import report
from tests.interceptors.context.conftest import STYLES, reports
from tests.support.echo import AIO_METHODS
from tests.support.echo_server import aio_stage, sync_stage

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = (
    ("traceparent", PARENT),
    ("tracestate", "rojo=00f067aa0ba902b7,congo=t61"),
    ("baggage", "tenant=acme;ttl=60,plan=free"),
    ("x-request-id", "from-the-caller-1"),
)
FORGED = (
    *((name, "admin") for name in sorted(IDENTITY_METADATA)),
    ("caracal-subject", "admin"),
    ("x-caracal-identity", "admin"),
    ("x-caracal-identity-bin", b"admin"),
    ("x_caracal_scopes", "all"),
    ("caracal.session", "ses_root"),
)


@pytest.mark.parametrize(("stack", "name"), STYLES)
async def test_every_style_sees_its_mandate_request_id_and_trace(stack: str, name: str) -> None:
    """At once, after an await or a message, in tasks, and in threads given the context."""
    async with reports(stack) as server:
        jti, answers = await server.under_mandate(name, TRACE)
    expected = {"jti": jti, "request_id": "from-the-caller-1", "carried": dict(TRACE)}
    assert answers
    for answer in answers:
        assert answer["sights"]
        assert all(sight == expected for sight in answer["sights"])
        assert answer["visible"] == dict(TRACE)


@pytest.mark.parametrize(("stack", "name"), STYLES)
async def test_no_style_sees_claims_of_identity(stack: str, name: str) -> None:
    """Neither in its metadata nor in what it carries on; what is no claim stays."""
    claims = (
        *FORGED,
        ("baggage", "caracal.session=ses_root,tenant=acme,CARACAL%2Ehop=0;p=1"),
        ("x-tenant", "acme"),
    )
    async with reports(stack) as server:
        jti, answers = await server.under_mandate(name, claims)
    assert answers
    for answer in answers:
        assert answer["visible"] == {"x-tenant": "acme", "baggage": "tenant=acme"}
        for sight in answer["sights"]:
            assert sight["jti"] == jti
            assert sight["carried"] == {
                "x-request-id": sight["request_id"],
                "baggage": "tenant=acme",
            }


@pytest.mark.parametrize(("stack", "name"), STYLES)
async def test_a_public_method_of_every_style_sees_all_but_a_mandate(stack: str, name: str) -> None:
    """Not even a good one that was sent along; and no claims either."""
    async with reports(stack, public=True) as server:
        _, answers = await server.under_mandate(name, (*TRACE, *FORGED))
    expected = {"jti": None, "request_id": "from-the-caller-1", "carried": dict(TRACE)}
    assert answers
    for answer in answers:
        assert answer["sights"]
        assert all(sight == expected for sight in answer["sights"])
        assert answer["visible"] == dict(TRACE)


@pytest.mark.parametrize(("stack", "name"), STYLES)
async def test_a_call_without_a_request_id_gets_one(stack: str, name: str) -> None:
    """One for the whole call, whoever asks and however often; another for the next."""
    async with reports(stack) as server:
        calls = [(await server.under_mandate(name))[1] for _ in range(2)]
    ids = [{sight["request_id"] for answer in call for sight in answer["sights"]} for call in calls]
    assert [len(found) for found in ids] == [1, 1]
    assert ids[0] != ids[1]
    assert all(found.pop().startswith("req_") for found in ids)


@pytest.mark.parametrize("stack", ["aio", "sync"])
async def test_calls_at_the_same_time_see_each_its_own(stack: str) -> None:
    """Under one event loop, and under many threads."""
    names = AIO_METHODS if stack == "aio" else ("Unary", "Collect", "Expand", "Chat")

    async def call(number: int) -> None:
        metadata = (("x-request-id", f"r{number}"), ("baggage", f"n={number}"))
        jti, answers = await server.under_mandate(names[number % len(names)], metadata)
        sights = [sight for answer in answers for sight in answer["sights"]]
        assert {sight["jti"] for sight in sights} == {jti}
        assert {sight["request_id"] for sight in sights} == {f"r{number}"}
        assert {sight["carried"]["baggage"] for sight in sights} == {f"n={number}"}

    async with reports(stack) as server:
        await asyncio.gather(*map(call, range(36)))


@pytest.mark.parametrize("stack", ["aio", "sync"])
async def test_a_thread_without_the_context_sees_nothing(
    stack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it see another call's."""
    monkeypatch.setattr(report, "_plain_sights", lambda: [report.seen_in_bare_thread()])
    async with reports(stack) as server:
        name = "PlainUnary" if stack == "aio" else "Unary"
        _, answers = await server.under_mandate(name, TRACE)
    assert answers[0]["sights"] == [report.NOTHING]


def test_there_is_nothing_outside_a_handler() -> None:
    """Neither a request id nor a trace."""
    assert report.seen() == report.NOTHING


@pytest.mark.parametrize("stack", ["aio", "sync"])
async def test_a_health_check_is_handed_through(stack: str) -> None:
    """It asks nobody who calls, and costs nothing more."""
    handler = grpc.unary_unary_rpc_method_handler(lambda request, _: request)
    details = _Details("/grpc.health.v1.Health/Check", FORGED)
    async with (aio_stage if stack == "aio" else sync_stage)() as stage:
        if stack == "aio":
            guarded = await stage.guard.intercept_service(_later(handler), details)
        else:
            guarded = stage.guard.intercept_service(lambda _: handler, details)
    assert guarded is handler


@dataclass
class _Details:
    method: str
    invocation_metadata: Any


def _later(handler: Any) -> Callable[[Any], Awaitable[Any]]:
    async def continuation(_: Any) -> Any:
        return handler

    return continuation


OTEL_STYLES = [
    *(("aio", name) for name in ("Unary", "Collect", "Expand", "Chat")),
    *(("sync", name) for name in ("Unary", "Collect", "Expand", "Chat")),
]


@pytest.mark.parametrize(("stack", "name"), OTEL_STYLES)
async def test_opentelemetry_outside_the_guard_brings_no_claims_in(
    stack: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it read of the same baggage before the guard is gone where the handler looks."""

    def seen() -> dict[str, Any]:
        return {"baggage": dict(otel_baggage.get_all())}

    monkeypatch.setattr(report, "seen", seen)
    make = aio_server_interceptor if stack == "aio" else server_interceptor
    async with reports(stack, interceptors=(make(TracerProvider()),)) as server:
        claims = (("baggage", "caracal.session=ses_root,tenant=acme,CARACAL%2Ehop=0"),)
        _, answers = await server.under_mandate(name, claims)
    assert answers
    for answer in answers:
        assert answer["sights"]
        assert all(sight == {"baggage": {"tenant": "acme"}} for sight in answer["sights"])
