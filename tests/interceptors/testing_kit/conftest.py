"""Guarded echo servers of both stacks, straight from the kit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.interceptors.testing import (
    GuardedServer,
    SyncGuardedServer,
    guarded_server,
    guarded_server_sync,
)
from tests.support.echo import ARITIES, Journal, echo_rules, path, sync_handlers, text
from tests.support.echo_aio import aio_handlers
from tests.support.keys import RESOURCE, SCOPES

GOOD: dict[str, Any] = {"resource": RESOURCE, "scopes": SCOPES}
"""The claims that every guarded method of the echo service is content with."""


def added(handlers: grpc.GenericRpcHandler) -> Callable[[Any], None]:
    """Adds `handlers` to a server of either stack."""
    return lambda server: server.add_generic_rpc_handlers((handlers,))


@pytest.fixture
async def aio() -> AsyncIterator[GuardedServer]:
    """An asyncio server."""
    journal = Journal()
    async with guarded_server(added(aio_handlers(journal)), rules=echo_rules()) as server:
        yield server


@contextmanager
def serving_sync(**options: Any) -> Iterator[SyncGuardedServer]:
    """A synchronous server; no handler of it waits when it is over."""
    journal = Journal()
    add = added(sync_handlers(journal))
    with guarded_server_sync(add, rules=echo_rules(), **options) as server:
        try:
            yield server
        finally:
            journal.freed.set()


@pytest.fixture
def sync() -> Iterator[SyncGuardedServer]:
    """A synchronous server."""
    with serving_sync() as server:
        yield server


def sync_begin(channel: grpc.Channel, name: str, value: str = "hi") -> Any:
    """What a call with one request answers on a synchronous channel: a message, or an iterator."""
    takes_stream, gives_stream = ARITIES.get(name, (False, False))
    begin = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }[takes_stream, gives_stream]
    stub = begin(
        path(name),
        request_serializer=StringValue.SerializeToString,
        response_deserializer=StringValue.FromString,
    )
    request = text(value)
    return stub(iter([request]) if takes_stream else request, timeout=20)


def sync_call(channel: grpc.Channel, name: str) -> list[str]:
    """All answers of one call with one request on a synchronous channel."""
    answer = sync_begin(channel, name)
    return [answer.value] if isinstance(answer, StringValue) else [each.value for each in answer]
