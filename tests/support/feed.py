"""Messages of the feed, and an authority that says on it whatever a test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from caracal_grpc.v1 import key_pb2, revocation_service_pb2, revocation_service_pb2_grpc
from tests.support.keys import ISSUER, ZONE, Mint

Message = revocation_service_pb2.RevocationServiceWatchResponse


def key_set(*mints: Mint, zone: str = ZONE, issuer: str = ISSUER) -> key_pb2.KeySet:
    """The keys of a zone as they travel."""
    keys = [key_pb2.JsonWebKey(**mint.public.jwk) for mint in mints]
    return key_pb2.KeySet(zone=zone, issuer=issuer, keys=keys, max_ttl_seconds=900, max_hops=5)


def snapshot(
    revision: int,
    keys: key_pb2.KeySet | None = None,
    revoked: Iterable[str] = (),
    *,
    complete: bool = True,
) -> Message:
    """A part of a snapshot, by default the only one."""
    part = revocation_service_pb2.FeedSnapshot(key_set=keys, revoked=revoked, complete=complete)
    return Message(revision=revision, snapshot=part)


def delta(
    revision: int,
    keys: key_pb2.KeySet | None = None,
    revoked: Iterable[str] = (),
    released: Iterable[str] = (),
) -> Message:
    """A change."""
    change = revocation_service_pb2.FeedDelta(key_set=keys, revoked=revoked, released=released)
    return Message(revision=revision, delta=change)


def heartbeat(
    revision: int,
    age: float = 0.0,
    *,
    at: float | None = None,
    stream: str = "",
    acknowledge: bool = False,
) -> Message:
    """A sign of life of an authority whose own view is `age` seconds old.

    `at` is the time of its clock; without one `FeedAuthority` puts in its own as it sends.
    """
    beat = revocation_service_pb2.FeedHeartbeat(feed_id=stream, acknowledge=acknowledge)
    beat.age.FromMilliseconds(round(age * 1000))
    if at is not None:
        beat.server_time.FromMilliseconds(round(at * 1000))
    return Message(revision=revision, heartbeat=beat)


@dataclass
class FeedAuthority(revocation_service_pb2_grpc.RevocationServiceServicer):
    """Answers each watch with the greeting, then with what `say` adds; `hush` ends all streams.

    `words` has the stream and the revision of each acknowledgement.
    """

    greeting: list[Message] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    zones: list[str] = field(default_factory=list)
    refuse: grpc.StatusCode | None = None
    silent: bool = False
    words: list[tuple[str, int]] = field(default_factory=list)
    deaf: grpc.StatusCode | None = None
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    _streams: list[asyncio.Queue[Message | None]] = field(default_factory=list)

    def say(self, *messages: Message) -> None:
        """Sends on every open stream."""
        for stream in self._streams:
            for message in messages:
                stream.put_nowait(message)

    def hush(self) -> None:
        """Ends every open stream."""
        for stream in self._streams:
            stream.put_nowait(None)

    @property
    def watchers(self) -> int:
        """How many streams are open."""
        return len(self._streams)

    async def Acknowledge(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Notes the word of an edge, and answers once it listens."""
        self.words.append((request.feed_id, request.revision))
        self.tokens.extend(
            value for key, value in context.invocation_metadata() if key == "authorization"
        )
        await self.listening.wait()
        if self.deaf is not None:
            await context.abort(self.deaf, "not now")
        return revocation_service_pb2.RevocationServiceAcknowledgeResponse()

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Message]:  # noqa: N802
        """The feed."""
        self.tokens.extend(
            value for key, value in context.invocation_metadata() if key == "authorization"
        )
        self.zones.append(request.zone)
        if self.refuse is not None:
            await context.abort(self.refuse, "not now")
        stream: asyncio.Queue[Message | None] = asyncio.Queue()
        self._streams.append(stream)
        try:
            for message in () if self.silent else self.greeting:
                yield _stamped(message)
            while (message := await stream.get()) is not None:
                yield _stamped(message)
        finally:
            self._streams.remove(stream)


def _stamped(message: Message) -> Message:
    if not message.HasField("heartbeat") or message.heartbeat.HasField("server_time"):
        return message
    stamped = Message.FromString(message.SerializeToString())
    stamped.heartbeat.server_time.GetCurrentTime()
    return stamped


@dataclass
class FeedServer:
    """The authority on a port that it keeps over restarts."""

    authority: FeedAuthority = field(default_factory=FeedAuthority)
    port: int = 0
    _server: Any = None

    async def start(self) -> None:
        """Listens, on the port of before if there was one."""
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        revocation_service_pb2_grpc.add_RevocationServiceServicer_to_server(
            self.authority, self._server
        )
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        await self._server.start()

    async def kill(self) -> None:
        """Breaks every connection."""
        await self._server.stop(None)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"


@asynccontextmanager
async def feed_server(*greeting: Message) -> AsyncIterator[FeedServer]:
    """A running authority that greets with `greeting`."""
    server = FeedServer(FeedAuthority(list(greeting)))
    await server.start()
    try:
        yield server
    finally:
        await server.kill()
