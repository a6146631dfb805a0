"""A scripted authority and an echo service, both real servers on loopback."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate, to_claims
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.jws import sign
from caracal_grpc.crypto.signing_key import SigningKey
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.status import to_status
from caracal_grpc.v1 import (
    audit_service_pb2,
    audit_service_pb2_grpc,
    key_pb2,
    revocation_service_pb2,
    revocation_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
)
from tests.support.clock import FakeClock

RESOURCE = "resource://echo"
SECRET = "the secret of the application"
METHODS = ("UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream")
RULES = Rules.from_mapping(
    {f"/echo.v1.Echo/{name}": {"resource": RESOURCE, "scopes": ["echo:say"]} for name in METHODS}
    | {"/echo.v1.Echo/Public": {"public": True, "public_reason": "says nothing secret"}}
)
EXPIRED = CaracalError(Reason.MANDATE_EXPIRED, "the mandate has expired")
DENIED = CaracalError(Reason.POLICY_DENIED, "policy said no", metadata={"audit_id": "aud_1"})
DOWN = CaracalError(Reason.AUDIT_UNAVAILABLE, "the ledger does not answer")


async def _refuse(context: Any, error: CaracalError) -> None:
    status = to_status(error)
    await context.abort(status.code, status.details, status.trailing_metadata)


@dataclass
class FakeRevocations(revocation_service_pb2_grpc.RevocationServiceServicer):
    """A feed with one key and a heartbeat every fifth of a second."""

    key: SigningKey
    refusals: deque[CaracalError] = field(default_factory=deque)
    tokens: list[str] = field(default_factory=list)

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        """A whole snapshot, then time."""
        metadata = dict(context.invocation_metadata())
        self.tokens.append(metadata["authorization"].removeprefix("Bearer "))
        if self.refusals:
            await _refuse(context, self.refusals.popleft())
        keys = key_pb2.KeySet(
            zone=request.zone,
            issuer="https://caracal.example/zones/shop",
            keys=[key_pb2.JsonWebKey(**self.key.public_jwk)],
            max_ttl_seconds=900,
            max_hops=5,
        )
        message = revocation_service_pb2.RevocationServiceWatchResponse
        snapshot = revocation_service_pb2.FeedSnapshot(key_set=keys, complete=True)
        yield message(revision=1, snapshot=snapshot)
        beat = revocation_service_pb2.FeedHeartbeat()
        beat.server_time.FromSeconds(int(FakeClock().wall))
        while True:
            yield message(revision=1, heartbeat=beat)
            await asyncio.sleep(0.2)


@dataclass
class FakeRecords(audit_service_pb2_grpc.AuditServiceServicer):
    """A ledger that takes all that edges report, each id once."""

    refusals: deque[CaracalError] = field(default_factory=deque)
    requests: list[audit_service_pb2.RecordRequest] = field(default_factory=list)
    recorded: dict[str, Any] = field(default_factory=dict)
    held: asyncio.Event | None = None
    """What an answer waits for, if for anything."""

    async def Record(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Counts, refuses or keeps."""
        self.requests.append(request)
        if self.held is not None:
            await self.held.wait()
        if self.refusals:
            await _refuse(context, self.refusals.popleft())
        before = len(self.recorded)
        for decision in request.decisions:
            self.recorded.setdefault(decision.id, decision)
        return audit_service_pb2.RecordResponse(recorded=len(self.recorded) - before)


def _set() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@dataclass
class FakeAuthority(token_service_pb2_grpc.TokenServiceServicer):
    """A TokenService that does what the test says, and signs real mandates."""

    life: int = 300
    now: int = 1_790_000_000
    delay: float = 0.0
    answering: threading.Event = field(default_factory=_set)
    refusals: deque[CaracalError] = field(default_factory=deque)
    requests: list[token_service_pb2.ExchangeRequest] = field(default_factory=list)
    lose_answers: int = 0
    down: CaracalError | None = None
    answer: str | None = None
    key: SigningKey = field(default_factory=lambda: SigningKey.generate("key_1"))
    issued: dict[str, str] = field(default_factory=dict)
    feed: FakeRevocations = field(init=False)
    records: FakeRecords = field(default_factory=FakeRecords)

    def __post_init__(self) -> None:
        self.feed = FakeRevocations(self.key)

    def add_to(self, server: grpc.aio.Server) -> None:
        """Serves all of it."""
        token_service_pb2_grpc.add_TokenServiceServicer_to_server(self, server)
        add_feed = revocation_service_pb2_grpc.add_RevocationServiceServicer_to_server
        add_feed(self.feed, server)
        add_records = audit_service_pb2_grpc.add_AuditServiceServicer_to_server
        add_records(self.records, server)

    async def Exchange(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name of the rpc
        """Counts, waits, refuses or answers; nothing of that while `answering` is not set."""
        self.requests.append(request)
        name = self._name(request)
        await asyncio.sleep(self.delay)
        while not self.answering.is_set():  # a test of threads may set it
            await asyncio.sleep(0.01)
        error = self.refusals.popleft() if self.refusals else self.down or self.judge(request)
        if error is not None:
            await _refuse(context, error)
        mandate = self.issued.setdefault(name, self._mandate(request))
        if self.lose_answers:
            self.lose_answers -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the connection broke")
        response = token_service_pb2.ExchangeResponse(mandate=mandate, scopes=request.scopes)
        response.expires_in.FromSeconds(self.life)
        return response

    def _mandate(self, request: Any) -> str:
        if self.answer is not None:
            return self.answer
        mandate = Mandate(
            issuer="https://caracal.example/zones/shop",
            zone=request.zone,
            use="resource",
            resource=request.resource,
            scopes=frozenset(request.scopes),
            subject=request.client.application_id,
            subject_type="application",
            application=request.client.application_id,
            session=request.session_id or "ses_standing",
            root_session=request.session_id or "ses_standing",
            jti=f"mnd_{len(self.issued)}",
            issued_at=self.now,
            expires_at=self.now + self.life,
            policy_version="v1",
            audit_id="aud_1",
            kid=self.key.kid,
        )
        return sign(self.key, to_claims(mandate))

    def judge(self, request: Any) -> CaracalError | None:
        """Why the exchange is refused; `None` to grant it."""

    def _name(self, request: Any) -> str:
        """What makes an answer the same as another: nothing, without a request id."""
        place = next(n for n, each in enumerate(self.requests) if each is request)
        return request.request_id or f"exchange {place}"

    def answered(self, request: Any) -> str:
        """The mandate that `request` was answered with."""
        return self.issued[self._name(request)]

    @property
    def count(self) -> int:
        """How many exchanges arrived."""
        return len(self.requests)


@dataclass
class Echo:
    """Says everything back, in all four cardinalities; refuses first, as often as the test says."""

    refusals: deque[CaracalError] = field(default_factory=deque)
    cut_after_first: CaracalError | None = None
    calls: list[list[tuple[str, str | bytes]]] = field(default_factory=list)
    deadlines: list[float | None] = field(default_factory=list)

    @property
    def tokens(self) -> list[str | None]:
        """The token of each call that arrived, `None` without one."""
        values = [[v for k, v in call if k == "authorization"] for call in self.calls]
        return [str(value[0]).removeprefix("Bearer ") if value else None for value in values]

    def handlers(self) -> grpc.GenericRpcHandler:
        """The handlers of `/echo.v1.Echo`."""
        kinds = {
            "UnaryUnary": (grpc.unary_unary_rpc_method_handler, self._unary_unary),
            "Public": (grpc.unary_unary_rpc_method_handler, self._unary_unary),
            "Undeclared": (grpc.unary_unary_rpc_method_handler, self._unary_unary),
            "UnaryStream": (grpc.unary_stream_rpc_method_handler, self._unary_stream),
            "StreamUnary": (grpc.stream_unary_rpc_method_handler, self._stream_unary),
            "StreamStream": (grpc.stream_stream_rpc_method_handler, self._stream_stream),
        }
        made = {
            name: make(function, StringValue.FromString, StringValue.SerializeToString)
            for name, (make, function) in kinds.items()
        }
        return grpc.method_handlers_generic_handler("echo.v1.Echo", made)

    async def _admit(self, context: Any) -> None:
        self.calls.append(list(context.invocation_metadata()))
        self.deadlines.append(context.time_remaining())
        if self.refusals:
            await _refuse(context, self.refusals.popleft())

    async def _unary_unary(self, request: StringValue, context: Any) -> StringValue:
        await self._admit(context)
        return request

    async def _unary_stream(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        await self._admit(context)
        for letter in request.value:
            yield StringValue(value=letter)
            if self.cut_after_first is not None:
                await _refuse(context, self.cut_after_first)

    async def _stream_unary(self, requests: Any, context: Any) -> StringValue:
        await self._admit(context)
        return StringValue(value="".join([request.value async for request in requests]))

    async def _stream_stream(self, requests: Any, context: Any) -> AsyncIterator[StringValue]:
        await self._admit(context)
        async for request in requests:
            yield request


def calls(channel: Any) -> dict[str, Any]:
    """The multicallables of the echo service on a channel of either kind."""
    kinds = {
        "UnaryUnary": channel.unary_unary,
        "Public": channel.unary_unary,
        "Undeclared": channel.unary_unary,
        "UnaryStream": channel.unary_stream,
        "StreamUnary": channel.stream_unary,
        "StreamStream": channel.stream_stream,
    }
    return {
        name: make(
            f"/echo.v1.Echo/{name}",
            request_serializer=StringValue.SerializeToString,
            response_deserializer=StringValue.FromString,
        )
        for name, make in kinds.items()
    }


@asynccontextmanager
async def serving(
    authority: FakeAuthority, echo: Echo, credentials: grpc.ServerCredentials | None = None
) -> AsyncIterator[str]:
    """One server with both services; its address."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    authority.add_to(server)
    server.add_generic_rpc_handlers([echo.handlers()])
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@contextmanager
def serving_in_thread(authority: FakeAuthority, echo: Echo) -> Iterator[str]:
    """The same for tests without an event loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="servers")
    thread.start()
    server = serving(authority, echo)

    def run(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(10)

    try:
        yield run(server.__aenter__())
        run(server.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def profile(address: str, **more: Any) -> Profile:
    """A profile for the authority at `address`, in plaintext unless told otherwise."""
    settings = {"plaintext": True, "application_id": "app_1"} | more
    return Profile(
        authority=address,
        zone="shop",
        issuer="https://caracal.example/zones/shop",
        client_secret=SECRET,
        **settings,
    )


async def eventually(holds: Callable[[], bool]) -> None:
    """Waits until `holds`, at most five seconds."""
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.005)
