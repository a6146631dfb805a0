"""What comes as a request where its field names the resource: other types, handlers that go on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.testing import guarded_server, guarded_server_sync
from tests.interceptors.conftest import Eventually
from tests.interceptors.guard.test_request_resource import MINE, rules
from tests.support.echo import path, text
from tests.support.echo_client import bearing, ending

Serve = Callable[[Any], Any]


@asynccontextmanager
async def serving_aio(handler: Any) -> AsyncIterator[Any]:
    """An asyncio server with one method, `Chat` or `Unary`."""
    async with guarded_server(_adding(handler), rules=rules()) as server:
        yield server


@asynccontextmanager
async def serving_sync(handler: Any) -> AsyncIterator[Any]:
    """The same on threads."""
    with guarded_server_sync(_adding(handler), rules=rules()) as server:
        yield server


def _adding(handler: Any) -> Callable[[Any], None]:
    name = "Chat" if handler.request_streaming else "Unary"
    handlers = grpc.method_handlers_generic_handler("caracal.test.Echo", {name: handler})
    return lambda server: server.add_generic_rpc_handlers((handlers,))


@asynccontextmanager
async def calling(server: Any, kind: str, name: str) -> AsyncIterator[Any]:
    """A call of the method by a holder of a mandate for the resource `MINE`."""
    mandate = server.authority.mandate(resource=MINE, scopes="echo:call")
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = getattr(channel, kind)(
            path(name),
            request_serializer=StringValue.SerializeToString,
            response_deserializer=StringValue.FromString,
        )
        options = {"metadata": bearing(mandate), "timeout": 20.0}
        yield stub(**options) if kind.startswith("stream") else stub(text("hi"), **options)


both = pytest.mark.parametrize("serve", [serving_aio, serving_sync], ids=["aio", "sync"])


@both
@pytest.mark.parametrize("reads", [None, bytes.decode, list], ids=["raw", "text", "list"])
async def test_a_request_that_is_no_protobuf_message_is_refused(serve: Serve, reads: Any) -> None:
    """Nobody knows what it is about."""
    ran: list[Any] = []
    handler = grpc.unary_unary_rpc_method_handler(lambda request, _: ran.append(request), reads)
    async with serve(handler) as server, calling(server, "unary_unary", "Unary") as call:
        assert (await ending(call)).reason is Reason.METHOD_NOT_DECLARED
    assert ran == []


@both
async def test_a_stream_of_what_is_no_protobuf_message_is_cut(serve: Serve) -> None:
    """At the first of them."""
    heard: list[Any] = []

    def chat(requests: Iterator[Any], _: Any) -> Iterator[StringValue]:
        for request in requests:
            heard.append(request)
            yield text("no")

    async with (
        serve(grpc.stream_stream_rpc_method_handler(chat)) as server,
        calling(server, "stream_stream", "Chat") as call,
    ):
        await call.write(text("hi"))
        assert (await ending(call)).reason is Reason.METHOD_NOT_DECLARED
    assert heard == []


class Stubborn:
    """Handlers that read on, whatever they are told."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.over = 0

    async def iterate(self, requests: AsyncIterator[StringValue], _: Any) -> StringValue:
        """A coroutine that takes from the iterator."""
        for _ in range(3):
            with suppress(BaseException):
                async for request in requests:
                    self.heard.append(request.value)
        self.over += 1
        return text("done")

    async def read(self, _: Any, context: Any) -> StringValue:
        """A coroutine that reads from its context."""
        for _ in range(3):
            with suppress(BaseException):
                while (request := await context.read()) is not grpc.aio.EOF:
                    self.heard.append(request.value)
        self.over += 1
        return text("done")

    def plain(self, requests: Iterator[StringValue], _: Any) -> StringValue:
        """A plain function."""
        for _ in range(3):
            with suppress(BaseException):
                for request in requests:
                    self.heard.append(request.value)
        self.over += 1
        return text("done")


@pytest.mark.parametrize(
    ("serve", "style"),
    [
        (serving_aio, "iterate"),
        (serving_aio, "read"),
        (serving_aio, "plain"),
        (serving_sync, "plain"),
    ],
)
async def test_a_handler_that_reads_on_sees_no_further_message(
    serve: Serve, style: str, eventually: Eventually
) -> None:
    """Neither the one that ended its stream, nor the good one after it; and it answers nothing."""
    handlers = Stubborn()
    handler = grpc.stream_unary_rpc_method_handler(
        getattr(handlers, style), StringValue.FromString, StringValue.SerializeToString
    )
    async with serve(handler) as server, calling(server, "stream_unary", "Chat") as call:
        for value in ("hi", "yours", "hi"):
            with suppress(grpc.aio.UsageError, grpc.aio.AioRpcError):
                await call.write(text(value))
        with suppress(grpc.aio.UsageError, grpc.aio.AioRpcError):
            await call.done_writing()
        # A write that meets the end of its call makes grpc.aio's client report INTERNAL.
        assert await call.code() is not grpc.StatusCode.OK
        await eventually(lambda: handlers.over == 1)
        assert [each.error.reason for each in server.refusals] == [Reason.AUDIENCE_MISMATCH]
    assert handlers.heard == ["hi"]
