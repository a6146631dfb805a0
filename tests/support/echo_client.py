"""Calls the echo service in every cardinality, on an asyncio channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors.testing import bearing, refusal_of
from tests.support.echo import ARITIES, path, text

__all__ = ["EchoClient", "Metadata", "bearing", "ending"]

Metadata = Sequence[tuple[str, str | bytes]]


class EchoClient:
    """One channel to the echo service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel

    def start(self, name: str, metadata: Metadata = (), value: str = "hi") -> Any:
        """The call, begun; a stream of requests is left to the caller to write and end."""
        takes_stream, gives_stream = ARITIES.get(name, (False, False))
        kind = f"{_KIND[takes_stream]}_{_KIND[gives_stream]}"
        stub = getattr(self.channel, kind)(
            path(name),
            request_serializer=StringValue.SerializeToString,
            response_deserializer=StringValue.FromString,
        )
        options = {"metadata": tuple(metadata), "timeout": 20.0}
        return stub(**options) if takes_stream else stub(text(value), **options)

    async def call(self, name: str, metadata: Metadata = (), value: str = "hi") -> list[str]:
        """All answers of one call with one request."""
        takes_stream, gives_stream = ARITIES.get(name, (False, False))
        call = self.start(name, metadata, value)
        if takes_stream:
            await call.write(text(value))
            await call.done_writing()
        if gives_stream:
            return [answer.value async for answer in call]
        return [(await call).value]

    async def open(self, name: str, metadata: Metadata, value: str) -> Any:
        """A stream that is under way: its handler runs and, when it answers, has answered once."""
        takes_stream, gives_stream = ARITIES[name]
        call = self.start(name, metadata, value)
        if takes_stream:
            await call.write(text(value))
        if gives_stream:
            await call.read()
        return call

    async def refusal(self, name: str, metadata: Metadata = (), value: str = "hi") -> CaracalError:
        """The refusal of one call; fails when the call is answered.

        It writes no request on a stream: a write that meets a call which is over already makes
        grpc.aio's client report INTERNAL instead of the status that the server sent.
        """
        call = self.start(name, metadata, value)
        return await ending(call)


async def ending(call: Any) -> CaracalError:
    """The refusal that an open call ends with; reads what comes before it."""
    try:
        if hasattr(call, "read"):
            while await call.read() is not grpc.aio.EOF:
                pass
    except grpc.aio.AioRpcError as exc:
        return refusal_of(exc)
    code, details = await call.code(), await call.details()
    trailing = await call.trailing_metadata()
    initial = await call.initial_metadata()
    return refusal_of(grpc.aio.AioRpcError(code, initial, trailing, details))


_KIND = {True: "stream", False: "unary"}
