"""Methods that take a mandate once: consumed, judged again, and only then the handler runs."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.guard.consumer import CONSUME_TIMEOUT
from caracal_grpc.interceptors.guard.gate import Admission
from caracal_grpc.interceptors.rules.rules import Rules
from tests.interceptors.support import eventually
from tests.support.echo import AIO_METHODS, ARITIES, STREAMS, SYNC_METHODS, path
from tests.support.echo_client import Metadata, bearing, ending
from tests.support.echo_server import Setup, Stage, aio_stage, sync_stage
from tests.support.keys import RESOURCE, SCOPES, Mint

STAGES = {"aio": aio_stage, "sync": sync_stage}
EVERY = [*(("aio", name) for name in AIO_METHODS), *(("sync", name) for name in SYNC_METHODS)]
EVERY_STREAM = [each for each in EVERY if each[1] in STREAMS]
EVERYWHERE = pytest.mark.parametrize(("kind", "method"), EVERY)
ON_STREAMS = pytest.mark.parametrize(("kind", "method"), EVERY_STREAM)
SECRET = "the cause of the trouble"


@dataclass
class Slow:
    """A consumer that consumes when the test lets it."""

    patience: list[float] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    may_answer: threading.Event = field(default_factory=threading.Event)
    left: bool = False

    async def aio(self, admission: Admission, timeout: float) -> None:
        """For asyncio servers."""
        assert admission.mandate is not None
        self.patience.append(timeout)
        self.asked.set()
        try:
            while not self.may_answer.is_set():
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            self.left = True
            raise

    def sync(self, admission: Admission, timeout: float) -> None:
        """For sync servers."""
        assert admission.mandate is not None
        self.patience.append(timeout)
        self.asked.set()
        assert self.may_answer.wait(10)


def once(**options: Any) -> Setup:
    """The echo service, whose every method takes a mandate once."""
    rules = [Rule(path(name), RESOURCE, SCOPES, single_use=True) for name in ARITIES]
    return Setup(rules=Rules(rules), options=options)


def consumed(stage: Stage) -> frozenset[str]:
    """What was used of the mandates that the stage's authority signed."""
    return stage.mint.authority.consumption.consumed


async def status(stage: Stage, method: str, metadata: Metadata) -> str:
    """How one call with one request ends, of any arity: on the wire they are the same."""
    call = stage.client.channel.unary_stream(path(method))(b"", metadata=metadata, timeout=20)
    with suppress(grpc.aio.AioRpcError):
        while await call.read() is not grpc.aio.EOF:
            pass
    code: grpc.StatusCode = await call.code()
    return code.name


@EVERYWHERE
async def test_a_mandate_is_good_for_one_call(kind: str, method: str) -> None:
    """The handler runs under it once; who comes with it again is refused, and told why."""
    async with STAGES[kind](once()) as stage:
        mandate = stage.mint.mandate()
        metadata = bearing(stage.mint.token(mandate))
        answers = await stage.client.call(method, metadata)
        assert answers[0].startswith(f"hi|{mandate.jti}")
        error = await stage.client.refusal(method, metadata)
        assert error.reason is Reason.MANDATE_REPLAYED
        assert stage.journal.ran == [method]
        assert consumed(stage) == {mandate.jti}
        (refusal,) = stage.refusals
        assert (refusal.error.reason, refusal.mandate) == (Reason.MANDATE_REPLAYED, mandate)


@EVERYWHERE
async def test_what_dies_while_it_is_consumed_runs_nothing(kind: str, method: str) -> None:
    """The revocation came in between: the authority let it in, the guard does not."""
    slow = Slow()
    async with STAGES[kind](once(consumer=getattr(slow, kind))) as stage:
        mandate = stage.mint.mandate()
        call = stage.client.start(method, bearing(stage.mint.token(mandate)))
        await eventually(slow.asked.is_set)
        stage.view.revoke(mandate.session)
        slow.may_answer.set()
        assert (await ending(call)).reason is Reason.MANDATE_REVOKED
        assert (stage.journal.ran, len(stage.refusals)) == ([], 1)


@EVERYWHERE
async def test_no_authority_is_no_call(kind: str, method: str) -> None:
    """AUTHORITY_STALE, nothing runs, and the mandate is good once the authority is back."""
    async with STAGES[kind](once()) as stage:
        metadata = bearing(stage.mint.token())
        stage.mint.authority.consumption.go_away()
        error = await stage.client.refusal(method, metadata)
        assert (error.reason, error.retry_after) == (Reason.AUTHORITY_STALE, 1.0)
        assert stage.journal.ran == []
        stage.mint.authority.consumption.come_back()
        await stage.client.call(method, metadata)
        assert stage.journal.ran == [method]


@EVERYWHERE
async def test_a_guard_without_a_consumer_refuses(kind: str, method: str) -> None:
    """It says what to do about it."""
    async with STAGES[kind](once(consumer=None)) as stage:
        error = await stage.client.refusal(method, bearing(stage.mint.token()))
        assert error.reason is Reason.AUTHORITY_STALE
        assert "edge.guard()" in error.message
        assert stage.journal.ran == []


@EVERYWHERE
async def test_a_refused_call_consumes_nothing(kind: str, method: str) -> None:
    """A mandate that does not permit the method is left as it is, and one that is no mandate."""
    async with STAGES[kind](once()) as stage:
        other = stage.mint.token(scopes=frozenset({"other:scope"}))
        error = await stage.client.refusal(method, bearing(other))
        assert error.reason is Reason.SCOPE_INSUFFICIENT
        assert (await stage.client.refusal(method)).reason is Reason.MANDATE_MISSING
        assert (consumed(stage), stage.journal.ran) == (frozenset(), [])


@EVERYWHERE
async def test_trouble_in_the_consumer_runs_nothing(
    kind: str, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it raises is a refusal; its cause is for the log alone."""

    async def aio(_: Admission, __: float) -> None:
        raise RuntimeError(SECRET)

    def sync(_: Admission, __: float) -> None:
        raise RuntimeError(SECRET)

    async with STAGES[kind](once(consumer={"aio": aio, "sync": sync}[kind])) as stage:
        error = await stage.client.refusal(method, bearing(stage.mint.token()))
        assert error.reason is Reason.AUTHORITY_STALE
        assert SECRET not in error.message
        assert SECRET in caplog.text
        assert stage.journal.ran == []


@EVERYWHERE
async def test_of_many_calls_with_one_mandate_one_is_served(kind: str, method: str) -> None:
    """They come at the same time; the others are replays."""
    async with STAGES[kind](once()) as stage:
        metadata = bearing(stage.mint.token())
        codes = await asyncio.gather(*(status(stage, method, metadata) for _ in range(8)))
        assert sorted(codes) == ["OK", *["UNAUTHENTICATED"] * 7]
        assert stage.journal.ran == [method]


@ON_STREAMS
async def test_a_stream_that_was_let_in_is_cut_as_any(kind: str, method: str) -> None:
    """Its one use does not outlive its mandate."""
    async with STAGES[kind](once()) as stage:
        mandate = stage.mint.mandate()
        call = await stage.client.open(method, bearing(stage.mint.token(mandate)), "idle")
        await eventually(lambda: stage.guard.open_streams == 1)
        stage.view.revoke(mandate.session)
        assert (await ending(call)).reason is Reason.MANDATE_REVOKED


@pytest.mark.parametrize("kind", STAGES)
async def test_a_call_without_a_deadline_waits_for_a_while(kind: str) -> None:
    """And one with a deadline no longer than that."""
    slow = Slow()
    slow.may_answer.set()
    async with STAGES[kind](once(consumer=getattr(slow, kind))) as stage:
        unary = stage.client.channel.unary_unary(path("Unary"))
        for timeout in (None, 600.0, 3.0):
            await unary(b"", metadata=bearing(stage.mint.token()), timeout=timeout)
    assert slow.patience[:2] == [CONSUME_TIMEOUT] * 2
    assert 0 < slow.patience[2] < CONSUME_TIMEOUT


@pytest.mark.parametrize("method", ["Unary", "Expand", "PlainUnary", "PlainExpand"])
async def test_nobody_waits_for_a_consumer_beyond_the_deadline(method: str) -> None:
    """It is told to stop, and nothing runs."""
    slow = Slow()
    async with aio_stage(once(consumer=slow.aio)) as stage:
        call = stage.client.channel.unary_stream(path(method))(
            b"", metadata=bearing(stage.mint.token()), timeout=0.5
        )
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call.read()
        assert failed.value.code() in {
            grpc.StatusCode.DEADLINE_EXCEEDED,
            grpc.StatusCode.UNAVAILABLE,
        }
        await eventually(lambda: slow.left)
        assert stage.journal.ran == []


@pytest.mark.parametrize("kind", STAGES)
async def test_other_methods_ask_nobody(kind: str) -> None:
    """A mandate is good for as many calls as before."""
    slow = Slow()
    async with STAGES[kind](Setup(options={"consumer": getattr(slow, kind)})) as stage:
        metadata = bearing(stage.mint.token())
        for _ in range(3):
            await stage.client.call("Unary", metadata)
        assert (len(stage.journal.ran), slow.asked.is_set()) == (3, False)


@pytest.mark.parametrize("kind", STAGES)
async def test_servers_of_one_authority_share_what_was_used(kind: str) -> None:
    """Used at the one is used at the other, of whichever kind."""
    mint, setup = Mint(), once()
    setup.mint = mint
    async with STAGES[kind](setup) as first, aio_stage(setup) as second:
        metadata = bearing(mint.token())
        await first.client.call("Unary", metadata)
        error = await second.client.refusal("Chat", metadata)
        assert error.reason is Reason.MANDATE_REPLAYED
        assert second.journal.ran == []


@pytest.mark.parametrize(("kind", "method"), [("aio", "Unary"), ("sync", "Unary"), ("aio", "Chat")])
async def test_a_request_for_another_resource_runs_nothing(kind: str, method: str) -> None:
    """Where the resource is in the request, and a single one is refused before it costs a use."""
    resource = "resource://echoes/{value}"
    setup = once()
    setup.rules = Rules([Rule(path(name), resource, SCOPES, single_use=True) for name in ARITIES])
    async with STAGES[kind](setup) as stage:
        mandate = stage.mint.mandate(resource="resource://echoes/hi")
        metadata = bearing(stage.mint.token(mandate))
        if method == "Unary":
            error = await stage.client.refusal(method, metadata, "other")
            assert (error.reason, consumed(stage)) == (Reason.AUDIENCE_MISMATCH, frozenset())
        await stage.client.call(method, metadata, "hi")
        assert consumed(stage) == {mandate.jti}
        error = await stage.client.refusal(method, metadata, "hi")
        assert error.reason is Reason.MANDATE_REPLAYED
        assert stage.journal.ran == [method]
