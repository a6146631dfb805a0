"""A guarded server of the testing kit with one handler, a client, and the evidence.

When it is over nothing of it may be left: no thread, no task, no open stream.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.testing import (
    CannedFeed,
    GuardedServer,
    SyncGuardedServer,
    ThrowawayAuthority,
    bearing,
    guarded_server,
    guarded_server_sync,
    refusal_of,
)
from tests.conformance.acts import UNREAD
from tests.conformance.journal import Journal
from tests.conformance.styles import BARE, GUARDED, Handler

RESOURCE, SCOPE = "resource://cells", "cells:call"
ASKED: dict[str, Any] = {"resource": RESOURCE, "scopes": [SCOPE]}
GOOD: dict[str, Any] = {"resource": RESOURCE, "scopes": SCOPE, "subject": "user-1"}
BOUND = 20.0
"""Seconds in which whatever is waited for has to come."""
LOOKS = 0.05
"""Seconds of staleness that the guard bears, and so between two looks after open streams."""
_OTHERS = ("asyncio_", "Thread-")
"""Threads of the event loop's own executor, and of gRPC's."""

Metadata = Sequence[tuple[str, str | bytes]]


async def eventually(holds: Callable[[], object]) -> None:
    """Returns when something holds; fails when it does not for a long time."""
    async with asyncio.timeout(BOUND):
        while not holds():
            await asyncio.sleep(0.002)


@dataclass
class Stage:
    """A running server with one handler, and who calls it."""

    handler: Handler
    journal: Journal
    server: GuardedServer | SyncGuardedServer
    channel: grpc.aio.Channel
    mandate: Mandate
    """What good calls are made under."""
    calls: list[Any] = field(default_factory=list)

    @property
    def authority(self) -> ThrowawayAuthority:
        """Signs mandates."""
        return self.server.authority

    @property
    def feed(self) -> CannedFeed:
        """What the guard knows."""
        return self.server.feed

    @property
    def reasons(self) -> list[str]:
        """Why the guard refused or cut, each time that it did."""
        return [refusal.error.reason.value for refusal in self.server.refusals]

    @property
    def bearer(self) -> Metadata:
        """What good calls carry."""
        return bearing(self.authority.sign(self.mandate))

    def knock(self, metadata: Metadata, request: str = "hi") -> Any:
        """A call with one request, whatever the cardinality: on the wire they are the same.

        The request leaves with the call. On a stream it would be written afterwards; and a write
        that meets a call which is over makes grpc.aio's client report INTERNAL for its status.
        """
        stub = self.channel.unary_stream(GUARDED, StringValue.SerializeToString)
        return self._kept(stub(StringValue(value=request), metadata=metadata, timeout=BOUND))

    def begin(self, word: str, *, path: str = GUARDED, timeout: float = BOUND) -> Any:
        """A good call in its own cardinality; a stream of requests is left to be written."""
        stub = getattr(self.channel, self.handler.cardinality)(
            path, StringValue.SerializeToString, StringValue.FromString
        )
        options: dict[str, Any] = {"timeout": timeout}
        if path == GUARDED:
            options["metadata"] = self.bearer
        return self._kept(
            stub(**options) if self.handler.takes else stub(StringValue(value=word), **options)
        )

    async def open(self, *words: str, timeout: float = BOUND) -> Any:
        """A good call whose handler has seen the first word, and has answered it if it can."""
        call = self.begin(words[0], timeout=timeout)
        for word in words if self.handler.takes else ():
            await call.write(StringValue(value=word))
        if self.handler.gives and words[0] not in UNREAD:
            await call.read()
            await self._round_trip()
        await eventually(lambda: self.journal.seen)
        return call

    async def answers(self, *words: str, path: str = GUARDED) -> list[str]:
        """All answers of a good call that is complete; one request if it takes only one."""
        call = self.begin(words[0], path=path)
        if self.handler.takes:
            for word in words:
                await call.write(StringValue(value=word))
            await call.done_writing()
        if self.handler.gives:
            return [answer.value async for answer in call]
        return [(await call).value]

    async def settled(self) -> None:
        """Returns when the handler has ended and the guard has let go of its call."""
        await eventually(lambda: self.journal.ended == self.journal.ran)
        await eventually(lambda: self.server.guard.open_streams == 0)

    async def _round_trip(self) -> None:
        """Returns when the server knows, too, that what the client has read is sent.

        Before that, gRPC's asyncio server fails when a handler in a thread aborts its call.
        """
        with pytest.raises(grpc.aio.AioRpcError):
            await self.channel.unary_unary("/nowhere")(b"", timeout=BOUND)

    async def reported(self, reason: Reason) -> None:
        """Fails unless the guard tells of one refusal or cut, for that reason."""
        await eventually(lambda: self.reasons)
        assert self.reasons == [reason.value]

    def _kept(self, call: Any) -> Any:
        self.calls.append(call)
        return call


async def refusal(call: Any) -> CaracalError:
    """The refusal that a call ends with, read to its end; fails without one."""
    code, details = await ended(call)
    trailing = await call.trailing_metadata()
    return refusal_of(grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details))


async def ended(call: Any) -> tuple[grpc.StatusCode, str]:
    """The code and text that a call ends with, once all that comes before is read."""
    try:
        while hasattr(call, "read") and await call.read() is not grpc.aio.EOF:
            pass
    except (grpc.aio.AioRpcError, asyncio.CancelledError):
        if not call.done():
            raise
    return await call.code(), await call.details()


@asynccontextmanager
async def staged(
    handler: Handler, *, rules: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[Stage]:
    """A server with `handler`, whose guarded method asks for a scope and for what `rules` say.

    With empty `rules` the method declares none.
    """
    threads, tasks = set(threading.enumerate()), asyncio.all_tasks()
    journal = Journal()
    try:
        async with _serving(handler, journal, _rules(rules), **options) as server:
            mandate = server.authority.grant(**GOOD)
            async with grpc.aio.insecure_channel(server.address) as channel:
                stage = Stage(handler, journal, server, channel, mandate)
                try:
                    yield stage
                finally:
                    journal.open_gate()
                    await _hung_up(stage.calls)
    finally:
        journal.open_gate()
    assert server.guard.open_streams == 0
    await eventually(lambda: _started_since(threads) == [])
    await eventually(lambda: asyncio.all_tasks() <= tasks)


def _rules(asked: dict[str, Any] | None) -> Rules:
    opened = {BARE: {"public": True, "public_reason": "for the test"}}
    guarded = {} if asked == {} else {GUARDED: ASKED | (asked or {})}
    return Rules.from_mapping(opened | guarded)


@asynccontextmanager
async def _serving(
    handler: Handler, journal: Journal, rules: Rules, **options: Any
) -> AsyncIterator[GuardedServer | SyncGuardedServer]:
    services = handler.services(journal)
    options = {"rules": rules, "max_staleness": LOOKS, "threads": 4} | options

    def add(server: Any) -> None:
        server.add_generic_rpc_handlers(services)

    if handler.style.aio:
        async with guarded_server(add, **options) as server:
            yield server
        return
    serving = guarded_server_sync(add, **options)
    sync_server = serving.__enter__()
    try:
        yield sync_server
    finally:
        # Not on the loop, on which the client of a handler may still be.
        await asyncio.to_thread(serving.__exit__, None, None, None)


async def _hung_up(calls: list[Any]) -> None:
    """Leaves no call open on a channel that is to be closed."""
    for call in calls:
        call.cancel()
    await asyncio.gather(*(call.code() for call in calls))


def _started_since(before: set[threading.Thread]) -> list[str]:
    """The names of threads that were started and have not ended."""
    new = set(threading.enumerate()) - before
    return sorted(thread.name for thread in new if not thread.name.startswith(_OTHERS))
