"""What goes on from an inbound call to the calls that its handler makes on sync channels."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from opentelemetry.instrumentation.grpc import client_interceptor, grpcext
from opentelemetry.sdk.trace import TracerProvider

from caracal_grpc.core.limits import MAX_METADATA_BYTES
from caracal_grpc.interceptors.client.sync.interceptors import client_interceptors
from caracal_grpc.interceptors.client.sync.tokens import SyncTokens
from caracal_grpc.interceptors.testing import guarded_server_sync
from tests.interceptors.calling import Dial
from tests.interceptors.calling import say_sync as say
from tests.interceptors.client.test_carried_aio import OTHER, TRACE, sent
from tests.interceptors.support import METHODS, RULES, Echo, calls
from tests.support.echo import Journal, echo_rules, handlers_of, path, text
from tests.support.keys import Mint


@contextmanager
def handling(work: Callable[[], object]) -> Iterator[Callable[..., Any]]:
    """A guarded sync server whose handler does `work`; how to call it with metadata."""

    def handler(request: StringValue, _: Any) -> StringValue:
        work()
        return request

    mint = Mint()
    handlers = handlers_of({"Unary": handler}, Journal())
    with guarded_server_sync(
        lambda server: server.add_generic_rpc_handlers((handlers,)),
        rules=echo_rules(),
        authority=mint.authority,
    ) as server:
        channel = server.channel(mint.token())
        unary: Any = channel.unary_unary(
            path("Unary"), StringValue.SerializeToString, StringValue.FromString
        )
        yield lambda metadata: unary(text("hi"), metadata=metadata, timeout=20)


@pytest.mark.parametrize("name", [*METHODS, "Public", "Undeclared"])
@pytest.mark.parametrize("mode", ["exchange", "forward", "self"])
def test_a_handlers_calls_carry_its_trace_on(
    sync_dial: Dial, echo: Echo, name: str, mode: str
) -> None:
    """In every cardinality, on whosever behalf, and with methods that take no mandate."""
    stubs = sync_dial(on_behalf=mode)
    with handling(lambda: say(stubs, name)) as call:
        call(TRACE)
    assert sent(echo) == sorted(TRACE)


def test_a_thread_that_was_given_the_context_carries_it_on(sync_dial: Dial, echo: Echo) -> None:
    """One that was not carries nothing."""
    stubs = sync_dial()

    def work() -> None:
        run = contextvars.copy_context().run
        for target, args in ((run, (say, stubs, "UnaryUnary")), (say, (stubs, "UnaryUnary"))):
            thread = threading.Thread(target=target, args=args)
            thread.start()
            thread.join()

    with handling(work) as call:
        call(TRACE)
    assert [sent(echo, 0), sent(echo, 1)] == [sorted(TRACE), []]


def test_what_the_handler_sets_itself_is_left_alone(sync_dial: Dial, echo: Echo) -> None:
    """Also when it hands its metadata over as an iterator."""
    stubs = sync_dial()
    own = (("traceparent", OTHER), ("x-request-id", "mine"))
    with handling(lambda: say(stubs, "UnaryUnary", metadata=iter(own))) as call:
        call(TRACE)
    assert sent(echo) == sorted((*own, ("baggage", "tenant=acme")))


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_propagator_beside_ours_has_the_word(
    sync_tokens: SyncTokens, sync_address: str, echo: Echo, place: str
) -> None:
    """OpenTelemetry's own trace goes out, once, whichever of us comes first."""
    provider = TracerProvider()
    other = client_interceptor(provider)
    ours = client_interceptors(sync_tokens, RULES, on_behalf="either")
    channel: Any = grpc.insecure_channel(sync_address)
    if place == "before":
        stubs = calls(grpcext.intercept_channel(grpc.intercept_channel(channel, *ours), other))
    else:
        stubs = calls(grpc.intercept_channel(grpcext.intercept_channel(channel, other), *ours))
    ids: list[int] = []

    def work() -> None:
        with provider.get_tracer("test").start_as_current_span("work") as span:
            ids.append(span.get_span_context().trace_id)
            say(stubs, "UnaryUnary")

    with channel, handling(work) as call:
        call(TRACE)
    carried = dict(sent(echo))
    assert len(carried) == len(sent(echo))
    assert carried["traceparent"].split("-")[1] == f"{ids[0]:032x}"
    assert carried["x-request-id"] == "from-the-caller-1"


def test_claims_and_what_has_no_room_go_no_further(sync_dial: Dial, echo: Echo) -> None:
    """The call itself is made."""
    stubs = sync_dial()
    bulky = "caracal.session=ses_root,a=" + "x" * (MAX_METADATA_BYTES - 500)
    with handling(lambda: say(stubs, "UnaryUnary")) as call:
        call((*TRACE[:3], ("baggage", bulky), ("caracal-subject", "admin")))
    assert sent(echo) == sorted(TRACE[:3])


def test_outside_a_handler_nothing_is_added(sync_dial: Dial, echo: Echo) -> None:
    """Not even a request id."""
    say(sync_dial(), "UnaryUnary")
    assert sent(echo) == []
