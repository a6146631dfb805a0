"""Every method, fed with anything: a typed refusal, never a fault of ours, never an effect."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.bucket import Bucket, Buckets
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.interceptors.status import from_rpc_error
from caracal_grpc.v1 import audit_pb2, audit_service_pb2, token_service_pb2
from tests.support.authority import Running, Starter
from tests.support.contract import METHODS
from tests.support.shop import CARACAL, ORDERS, PAYMENTS, shop

EXCHANGE = "/caracal.v1.TokenService/Exchange"
BOUNDED = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

TEXT = st.one_of(
    st.text(max_size=300),
    st.sampled_from(
        ["", "shop", "caracal", "\x00", "é" * 200, "a" * 5000, "ses_", ORDERS, CARACAL]
    ),
)


@dataclass(frozen=True)
class Answer:
    """What a call ended with: its code, its refusal if it is typed, or what it was granted."""

    code: grpc.StatusCode
    refusal: CaracalError | None = None
    payload: bytes = b""


class Fuzzed:
    """One authority for many examples, on the loop of its test."""

    def __init__(self, running: Running, loop: asyncio.AbstractEventLoop) -> None:
        self.running = running
        self.loop = loop

    def call(self, path: str, payload: bytes, metadata: Any = ()) -> Answer:
        """One call with raw bytes; of a stream its first message is the answer."""
        return asyncio.run_coroutine_threadsafe(
            self._call(path, payload, metadata), self.loop
        ).result(30)

    async def _call(self, path: str, payload: bytes, metadata: Any) -> Answer:
        channel = self.running.channel
        try:
            if not METHODS[path].server_streaming:
                answer = await channel.unary_unary(path)(payload, metadata=metadata)
                return Answer(grpc.StatusCode.OK, payload=answer)
            stream = channel.unary_stream(path)(payload, metadata=metadata)
            first = await stream.read()
            stream.cancel()
            return Answer(grpc.StatusCode.OK, payload=first)
        except grpc.aio.AioRpcError as error:
            return Answer(error.code(), from_rpc_error(error))

    def granted(self) -> set[str]:
        """Every mandate that the ledger of the shop knows of."""
        return asyncio.run_coroutine_threadsafe(self._granted(), self.loop).result(30)

    async def _granted(self) -> set[str]:
        request = audit_service_pb2.SearchRequest(
            zone="shop", decision=audit_pb2.AUDIT_DECISION_ALLOW, page_size=1000
        )
        metadata = await self.running.operator()
        page = await self.running.stubs.audit.Search(request, metadata=metadata)
        assert not page.next_page_token
        return {entry.jti for entry in page.entries}

    def revision(self) -> int:
        """How far the store has come, but for what a replica says of itself."""
        found = self.running.server._authority
        assert found is not None
        snapshot = asyncio.run_coroutine_threadsafe(found.consumption._store.list(), self.loop)
        records = snapshot.result(30).records
        own = {places.REPLICAS, places.POLICY_LOADS}
        return max(record.revision for record in records if record.key.kind not in own)


@pytest.fixture
async def fuzzed(start_authority: Starter) -> Fuzzed:
    """A served authority with the shop, to be called from another thread."""
    running = await start_authority()
    await running.apply(shop())
    found = running.server._authority
    assert found is not None
    found.clients._failures = Buckets(lambda: Bucket(SystemClock(), 1e9, 1e9, ""))
    return Fuzzed(running, asyncio.get_running_loop())


def typed(answer: Answer) -> None:
    """Granted, or refused with a reason of the table."""
    assert answer.code is grpc.StatusCode.OK or answer.refusal is not None, answer.code
    assert answer.code not in {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}


REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "zone": TEXT,
        "resource": TEXT,
        "scopes": st.lists(TEXT, max_size=70),
        "subject_token": TEXT,
        "session_id": TEXT,
        "request_id": TEXT,
        "context": st.dictionaries(TEXT, TEXT, max_size=20),
        "ttl": st.fixed_dictionaries(
            {"seconds": st.integers(-(2**63), 2**63 - 1), "nanos": st.integers(-(2**31), 2**31 - 1)}
        ),
        "client": st.fixed_dictionaries(
            {}, optional={"application_id": TEXT, "client_secret": TEXT}
        ),
    },
)


async def test_any_fields(fuzzed: Fuzzed) -> None:
    """Every field alone and together, over a good request and over none.

    What is refused has granted nothing: the ledger knows of the answered mandates and no other.
    """
    good = fuzzed.running.request("agent", ORDERS)
    answered: set[str] = set()

    @BOUNDED
    @given(fields=REQUESTS, over_good=st.booleans())
    @example(fields={}, over_good=True)
    def run(fields: dict[str, Any], over_good: bool) -> None:
        request = token_service_pb2.ExchangeRequest()
        if over_good:
            request.CopyFrom(good)
        for name in fields:
            if name != "client" or not over_good:
                request.ClearField(name)
        request.MergeFrom(token_service_pb2.ExchangeRequest(**fields))
        answer = fuzzed.call(EXCHANGE, request.SerializeToString())
        typed(answer)
        if answer.code is grpc.StatusCode.OK:
            answered.add(token_service_pb2.ExchangeResponse.FromString(answer.payload).jti)

    await asyncio.to_thread(run)
    assert answered
    assert await asyncio.to_thread(fuzzed.granted) == answered


async def test_any_bytes(fuzzed: Fuzzed) -> None:
    """What does not even parse is refused as typed as the rest."""

    @BOUNDED
    @given(payload=st.binary(max_size=400))
    def run(payload: bytes) -> None:
        answer = fuzzed.call(EXCHANGE, payload)
        assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
        assert answer.refusal is not None
        assert answer.refusal.reason is Reason.FIELD_INVALID

    await asyncio.to_thread(run)
    assert await asyncio.to_thread(fuzzed.granted) == set()


async def test_any_change_to_a_good_token(fuzzed: Fuzzed) -> None:
    """A subject token with one byte replaced, inserted or removed is refused, whichever it is."""
    issued = await fuzzed.running.exchange("agent", ORDERS, "orders:place")
    token = issued.mandate
    good = fuzzed.running.request("orders", PAYMENTS)

    @BOUNDED
    @given(
        place=st.integers(0, len(token) - 1),
        text=st.text(min_size=0, max_size=2),
        removed=st.integers(0, 2),
    )
    def run(place: int, text: str, removed: int) -> None:
        changed = token[:place] + text + token[place + removed :]
        if changed in {token, ""}:
            return
        request = token_service_pb2.ExchangeRequest()
        request.CopyFrom(good)
        request.subject_token = changed
        answer = fuzzed.call(EXCHANGE, request.SerializeToString())
        assert answer.refusal is not None
        assert answer.refusal.reason is Reason.SUBJECT_TOKEN_INVALID

    await asyncio.to_thread(run)
    assert await asyncio.to_thread(fuzzed.granted) == {issued.jti}


async def test_any_authorization(fuzzed: Fuzzed) -> None:
    """Whatever stands in `authorization`, a guarded method does not run, and nothing changes."""
    path = "/caracal.v1.KeyService/RotateKey"
    before = await asyncio.to_thread(fuzzed.revision)
    printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300)

    @BOUNDED
    @given(values=st.lists(printable, max_size=3), payload=st.binary(max_size=40))
    def run(values: list[str], payload: bytes) -> None:
        metadata = tuple(("authorization", value) for value in values)
        answer = fuzzed.call(path, payload, metadata)
        assert answer.code is grpc.StatusCode.UNAUTHENTICATED
        assert answer.refusal is not None

    await asyncio.to_thread(run)
    assert await asyncio.to_thread(fuzzed.revision) == before


async def test_any_request_to_any_method(fuzzed: Fuzzed) -> None:
    """An operator's garbage is refused as typed as a stranger's."""
    metadata = await fuzzed.running.operator()
    texts = st.sampled_from([b"", b"shop", b"x" * 300, "é\u2028".encode(), b"\x00", b"mnd_"])
    field = st.tuples(st.integers(1, 15), texts | st.integers(0, 2**64 - 1))

    @BOUNDED
    @given(path=st.sampled_from(sorted(METHODS)), fields=st.lists(field, max_size=6))
    def run(path: str, fields: list[tuple[int, Any]]) -> None:
        payload = b"".join(_encoded(number, value) for number, value in fields)
        typed(fuzzed.call(path, payload, metadata))

    await asyncio.to_thread(run)


def _encoded(number: int, value: Any) -> bytes:
    if isinstance(value, bytes):
        return _varint(number << 3 | 2) + _varint(len(value)) + value
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
