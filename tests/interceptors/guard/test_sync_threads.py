"""The threads behind a sync server: what frees the server's, what ends the handler's, how many."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.guard.sync import desk as guard_desk
from caracal_grpc.interceptors.guard.sync import guard as guard_sync
from caracal_grpc.interceptors.guard.sync.relay import Relay
from tests.interceptors.conftest import Eventually
from tests.support.echo import BIG, SyncEcho, text
from tests.support.echo_client import bearing, ending
from tests.support.echo_server import Setup, Stage, sync_stage

End = Callable[[Stage, Mandate, Any], object]

ENDS: dict[str, End] = {
    "hangs up": lambda _, __, call: call.cancel(),
    "is cut": lambda stage, mandate, _: stage.view.revoke(mandate.session),
}


class Freed(threading.Event):
    """What idle handlers wait for; counts those that do."""

    waiting = 0

    def wait(self, timeout: float | None = None) -> bool:
        """Counts, and waits."""
        self.waiting += 1
        return super().wait(timeout)


def handlers() -> int:
    """How many threads of streaming handlers live."""
    return sum(thread.name == "caracal-guard-stream" for thread in threading.enumerate())


@asynccontextmanager
async def staged(**options: Any) -> AsyncIterator[tuple[Stage, Freed]]:
    """A server of one thread, and what its idle handlers wait for."""
    async with sync_stage(Setup(threads=1, options=options)) as stage:
        stage.journal.freed = freed = Freed()
        yield stage, freed


def _pondering(echo: SyncEcho, requests: Iterator[StringValue], _: Any) -> StringValue:
    """Waits as the others do, with one answer to give."""
    echo.journal.note("Collect")
    echo.journal.freed.wait()
    return next(requests)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("method", ["Collect", "Expand", "Chat"])
async def test_handlers_that_block_keep_a_bounded_number_of_threads(
    end: str, method: str, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call that ends frees the server's one thread; its handler blocks on and counts.

    At the bound a stream is refused before its handler starts, a unary call is not, and there is
    room again as soon as handlers end.
    """
    monkeypatch.setattr(SyncEcho, "collect", _pondering)
    async with staged(max_handlers=3) as (stage, freed):
        for count in range(1, 4):
            mandate = stage.mint.mandate()
            call = await stage.client.open(method, bearing(stage.mint.token(mandate)), "idle")
            await eventually(lambda count=count: freed.waiting == count)
            ENDS[end](stage, mandate, call)
            await eventually(lambda: stage.guard.open_streams == 0)
        metadata = bearing(stage.mint.token())
        for refused in ("Collect", "Expand", "Chat"):
            error = await stage.client.refusal(refused, metadata)
            assert error.reason is Reason.LIMIT_EXCEEDED
            assert (error.metadata, error.retry_after) == ({"limit": "3"}, 1.0)
        assert stage.refusals[-1][1].reason is Reason.LIMIT_EXCEEDED
        assert (handlers(), stage.guard.open_streams) == (3, 0)
        assert stage.journal.ran == [method] * 3
        await stage.client.call("Unary", metadata)
        freed.set()
        await eventually(lambda: handlers() == 0)
        await stage.client.call(method, metadata)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("method", ["Collect", "Chat"])
async def test_a_handler_that_waits_for_a_request_ends_with_its_call(
    end: str, method: str, eventually: Eventually
) -> None:
    """The iterator of requests raises, and so never looks like an upload that is complete."""
    async with staged() as (stage, _):
        mandate = stage.mint.mandate()
        call = await stage.client.open(method, bearing(stage.mint.token(mandate)), "one")
        await eventually(lambda: stage.journal.ran == [method])
        ENDS[end](stage, mandate, call)
        await eventually(lambda: stage.journal.ended == [method])
        await eventually(lambda: (handlers(), stage.guard.open_streams) == (0, 0))
        reasons = [refusal[1].reason for refusal in stage.refusals]
        assert reasons == ([Reason.MANDATE_REVOKED] if end == "is cut" else [])


def _watching(echo: SyncEcho, _: Any, context: Any) -> Iterator[StringValue]:
    """A handler that waits for what never comes, and asks now and then who still listens."""
    echo.journal.note("Expand")
    yield text("begun")
    while context.is_active():
        threading.Event().wait(0.005)
    echo.journal.ended.append("Expand")


@pytest.mark.parametrize("end", ENDS)
async def test_a_handler_that_looks_at_its_context_ends_with_its_call(
    end: str, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`is_active` is false as soon as the call is over, for whichever reason."""
    monkeypatch.setattr(SyncEcho, "expand", _watching)
    async with staged() as (stage, _):
        mandate = stage.mint.mandate()
        call = await stage.client.open("Expand", bearing(stage.mint.token(mandate)), "")
        ENDS[end](stage, mandate, call)
        await eventually(lambda: (handlers(), stage.guard.open_streams) == (0, 0))


def _flooding(echo: SyncEcho, value: str) -> Iterator[str]:
    """Counts what it gives."""
    while True:
        yield value
        echo.journal.seen.append(value := BIG)


async def _held_up(stage: Stage) -> None:
    """Waits until the handler is not asked for more: the server waits for the client."""
    given = 0
    while given != len(stage.journal.seen):
        given = len(stage.journal.seen)
        await asyncio.sleep(0.1)


async def _code(call: Any) -> grpc.StatusCode:
    """The status of a call, once all that came before it is read."""
    with suppress(grpc.aio.AioRpcError):
        while await call.read() is not grpc.aio.EOF:
            pass
    code: grpc.StatusCode = await call.code()
    return code


@pytest.mark.parametrize("method", ["Expand", "Chat"])
async def test_a_client_that_reads_no_more_cannot_hold_a_stream_that_is_cut(
    method: str, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's thread is held up in a send: the call is cancelled over its head."""
    monkeypatch.setattr(guard_sync, "_GRACE", 0.05)
    monkeypatch.setattr(SyncEcho, "_script", _flooding)
    async with staged() as (stage, _):
        mandate = stage.mint.mandate()
        call = await stage.client.open(method, bearing(stage.mint.token(mandate)), "flood")
        await _held_up(stage)
        stage.view.revoke(mandate.session)
        await eventually(lambda: stage.journal.ended == [method])
        await eventually(lambda: (handlers(), stage.guard.open_streams) == (0, 0))
        await eventually(lambda: len(stage.refusals) == 1)
        assert stage.refusals[0][1].reason is Reason.MANDATE_REVOKED
        await stage.client.call("Unary", bearing(stage.mint.token()))
        assert len(stage.refusals) == 1
        assert await _code(call) is grpc.StatusCode.CANCELLED


@pytest.mark.parametrize("method", ["Expand", "Chat"])
async def test_a_client_that_reads_on_in_time_is_told_why(
    method: str, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets what was on its way and then the status, nothing more."""
    monkeypatch.setattr(guard_sync, "_GRACE", 3600.0)
    monkeypatch.setattr(SyncEcho, "_script", _flooding)
    async with staged() as (stage, _):
        mandate = stage.mint.mandate()
        call = await stage.client.open(method, bearing(stage.mint.token(mandate)), "flood")
        await _held_up(stage)
        stage.view.revoke(mandate.session)
        await eventually(lambda: stage.journal.ended == [method])
        assert (await ending(call)).reason is Reason.MANDATE_REVOKED
        assert [refusal[1].reason for refusal in stage.refusals] == [Reason.MANDATE_REVOKED]


async def test_a_server_out_of_threads_refuses_the_stream_and_forgets_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What the operating system says goes to the log."""

    def fail(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    async with staged(max_handlers=1) as (stage, _):
        metadata = bearing(stage.mint.token())
        with monkeypatch.context() as patched:
            patched.setattr(Relay, "start", fail)
            error = await stage.client.refusal("Expand", metadata)
        assert error.reason is Reason.AUTHORITY_STALE
        assert "can't start new thread" in caplog.text
        assert (stage.journal.ran, stage.guard.open_streams) == ([], 0)
        await stage.client.call("Expand", metadata)


@pytest.mark.parametrize("method", ["Collect", "Chat"])
async def test_closing_cuts_what_is_open(method: str, eventually: Eventually) -> None:
    """For those who close before the server stopped: no handler takes the end for its client's."""
    async with staged() as (stage, _):
        call = await stage.client.open(method, bearing(stage.mint.token()), "one")
        await eventually(lambda: stage.journal.ran == [method])
        stage.guard._desk.join()
        assert (await ending(call)).reason is Reason.DRAINING
        await eventually(lambda: handlers() == 0)


async def test_closing_waits_once_for_all_handlers(
    eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many block, the waits add up to one."""
    waits: list[float] = []
    join = Relay.join

    def noted(relay: Relay, timeout: float) -> bool:
        waits.append(timeout)
        return join(relay, timeout)

    monkeypatch.setattr(guard_desk, "_JOIN", 0.1)
    monkeypatch.setattr(Relay, "join", noted)
    async with staged() as (stage, freed):
        for count in range(1, 6):
            call = await stage.client.open("Expand", bearing(stage.mint.token()), "idle")
            await eventually(lambda count=count: freed.waiting == count)
            call.cancel()
        stage.guard._desk.join()
        assert handlers() == 5
    assert len(waits) >= 5
    assert sum(waits[:5]) < 2 * 0.1
