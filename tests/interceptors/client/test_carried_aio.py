"""What goes on from an inbound call to the calls that its handler makes on grpc.aio channels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from opentelemetry import baggage as otel_baggage
from opentelemetry import context as otel_context
from opentelemetry.instrumentation.grpc import aio_client_interceptors
from opentelemetry.sdk.trace import TracerProvider

from caracal_grpc.core.limits import MAX_METADATA_BYTES
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.context.current import carried_metadata, enter, leave
from caracal_grpc.interceptors.context.inbound import Inbound
from caracal_grpc.interceptors.status import from_rpc_error
from caracal_grpc.interceptors.testing import guarded_server
from tests.interceptors.calling import Dial
from tests.interceptors.calling import say_aio as say
from tests.interceptors.support import EXPIRED, METHODS, Echo
from tests.support.echo import Journal, echo_rules, handlers_of
from tests.support.echo_client import EchoClient, bearing
from tests.support.keys import Mint

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE = (
    ("x-request-id", "from-the-caller-1"),
    ("traceparent", PARENT),
    ("tracestate", "congo=t61"),
    ("baggage", "tenant=acme"),
)
WATCHED = {name for name, _ in TRACE}


def sent(echo: Echo, call: int = -1) -> list[tuple[str, Any]]:
    """What a call to the echo service carried of a trace, a request id and claims."""
    metadata = echo.calls[call]
    return sorted((k, v) for k, v in metadata if k in WATCHED or "caracal" in k)


@asynccontextmanager
async def handling(work: Callable[[], Awaitable[object]]) -> AsyncIterator[Callable[..., Any]]:
    """A guarded server whose handler does `work`; how to call it with metadata."""

    async def handler(request: StringValue, _: Any) -> StringValue:
        await work()
        return request

    mint = Mint()
    handlers = handlers_of({"Unary": handler}, Journal())
    async with guarded_server(
        lambda server: server.add_generic_rpc_handlers((handlers,)),
        rules=echo_rules(),
        authority=mint.authority,
    ) as server:
        client = EchoClient(server.channel())

        async def call(metadata: tuple[tuple[str, str], ...]) -> None:
            await client.call("Unary", (*bearing(mint.token()), *metadata))

        yield call


@pytest.mark.parametrize("name", [*METHODS, "Public", "Undeclared"])
@pytest.mark.parametrize("mode", ["exchange", "forward", "self"])
async def test_a_handlers_calls_carry_its_trace_on(
    dial: Dial, echo: Echo, name: str, mode: str
) -> None:
    """In every cardinality, on whosever behalf, and with methods that take no mandate."""
    stubs = dial(on_behalf=mode)
    async with handling(lambda: say(stubs, name)) as call:
        await call(TRACE)
    assert sent(echo) == sorted(TRACE)


async def test_a_task_that_a_handler_started_carries_it_on(dial: Dial, echo: Echo) -> None:
    """Its context is a copy of the handler's."""
    stubs = dial()

    async def work() -> None:
        await asyncio.create_task(say(stubs, "UnaryUnary"))

    async with handling(work) as call:
        await call(TRACE)
    assert sent(echo) == sorted(TRACE)


async def test_a_made_request_id_goes_on_as_well(dial: Dial, echo: Echo) -> None:
    """All calls of one handler have the same."""
    stubs = dial()

    async def work() -> None:
        await say(stubs, "UnaryUnary")
        await say(stubs, "UnaryStream")

    async with handling(work) as call:
        await call(())
    (name, first), *more = sent(echo, 0)
    assert (name, more) == ("x-request-id", [])
    assert first.startswith("req_")
    assert sent(echo, 1) == [(name, first)]


async def test_claims_and_broken_traces_go_no_further(dial: Dial, echo: Echo) -> None:
    """What is well-formed and no claim does."""
    stubs = dial()
    async with handling(lambda: say(stubs, "UnaryUnary")) as call:
        await call(
            (
                ("x-request-id", "r"),
                ("traceparent", PARENT.upper()),
                ("tracestate", "congo=t61"),
                ("baggage", "caracal.session=ses_root,tenant=acme"),
                ("x-caracal-subject", "admin"),
            )
        )
    assert sent(echo) == [("baggage", "tenant=acme"), ("x-request-id", "r")]


@pytest.mark.parametrize("trace", [("traceparent", OTHER), ("tracestate", "rojo=1")])
async def test_what_the_handler_sets_itself_is_left_alone(
    dial: Dial, echo: Echo, trace: tuple[str, str]
) -> None:
    """And half of our caller's trace is not put beside half of another."""
    stubs = dial()
    own = (trace, ("x-request-id", "mine"))
    async with handling(lambda: say(stubs, "UnaryUnary", metadata=own)) as call:
        await call(TRACE)
    assert sent(echo) == sorted((*own, ("baggage", "tenant=acme")))


@pytest.mark.parametrize("place", ["before", "after"])
async def test_a_propagator_beside_ours_has_the_word(dial: Dial, echo: Echo, place: str) -> None:
    """OpenTelemetry's own trace goes out, once, whichever of us comes first."""
    provider = TracerProvider()
    others = tuple(aio_client_interceptors(provider))
    stubs = dial(**{place: others})
    ids: list[int] = []

    async def work() -> None:
        with provider.get_tracer("test").start_as_current_span("work") as span:
            ids.append(span.get_span_context().trace_id)
            await say(stubs, "UnaryUnary")

    async with handling(work) as call:
        await call(TRACE)
    carried = dict(sent(echo))
    assert len(carried) == len(sent(echo))
    assert carried["traceparent"].split("-")[1] == f"{ids[0]:032x}"
    assert "tracestate" not in carried or place == "after"
    assert carried["x-request-id"] == "from-the-caller-1"


async def test_a_propagator_before_ours_spreads_no_claims(dial: Dial, echo: Echo) -> None:
    """Wherever it got them from."""
    stubs = dial(before=tuple(aio_client_interceptors(TracerProvider())))

    async def work() -> None:
        context = otel_baggage.set_baggage("caracal.session", "ses_root")
        mark = otel_context.attach(otel_baggage.set_baggage("plan", "free", context))
        try:
            await say(stubs, "UnaryUnary")
        finally:
            otel_context.detach(mark)

    async with handling(work) as call:
        await call(TRACE)
    assert dict(sent(echo))["baggage"] == "plan=free"


async def test_a_renewed_call_carries_the_same(dial: Dial, echo: Echo) -> None:
    """Both tries belong to one trace."""
    stubs = dial()
    echo.refusals.append(EXPIRED)
    async with handling(lambda: say(stubs, "UnaryUnary")) as call:
        await call(TRACE)
    assert [sent(echo, 0), sent(echo, 1)] == [sorted(TRACE)] * 2


async def test_outside_a_handler_nothing_is_added(dial: Dial, echo: Echo) -> None:
    """Not even a request id."""
    await say(dial(), "UnaryUnary")
    assert sent(echo) == []


async def test_what_a_caller_sent_makes_no_call_too_large(dial: Dial, echo: Echo) -> None:
    """As much of it goes on as there is room for: the baggage stays behind first."""
    stubs = dial()
    bulky = (*TRACE[:3], ("baggage", "a=" + "x" * (MAX_METADATA_BYTES - 500)))
    async with handling(lambda: say(stubs, "UnaryUnary")) as call:
        await call(bulky)
    assert sent(echo) == sorted(TRACE[:3])


async def test_metadata_of_the_handlers_own_is_still_refused_when_too_large(
    dial: Dial, echo: Echo
) -> None:
    """Locally, as without anything carried."""
    stubs = dial()
    mark = enter(None, "", Inbound(TRACE))
    try:
        assert carried_metadata() == TRACE
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await say(stubs, "UnaryUnary", metadata=(("x-bulk", "x" * MAX_METADATA_BYTES),))
    finally:
        leave(mark)
    refusal = from_rpc_error(caught.value)
    assert refusal is not None
    assert refusal.reason is Reason.METADATA_TOO_LARGE
    assert echo.calls == []
