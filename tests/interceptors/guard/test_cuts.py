"""Open streams end when their mandate dies: idle, busy, blocked, stubborn, and at expiry."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.reason import Reason
from tests.interceptors.conftest import Eventually
from tests.support.echo import STREAMS, SYNC_METHODS, text
from tests.support.echo_client import bearing, ending
from tests.support.echo_server import Stage

RESPONDING = tuple(name for name in STREAMS if not name.endswith("Collect"))
AWAITED = tuple(name for name in RESPONDING if not name.startswith("Plain"))


@pytest.mark.parametrize("method", STREAMS)
async def test_revoking_cuts_an_idle_stream_on_an_aio_server(
    aio: Stage, method: str, eventually: Eventually
) -> None:
    """The stream ends at once although its handler waits for ever, and leaves nothing behind."""
    mandate = aio.mint.mandate()
    call = await aio.client.open(method, bearing(aio.mint.token(mandate)), "idle")
    await eventually(lambda: aio.journal.ran == [method])
    aio.view.revoke(mandate.session)
    error = await ending(call)
    assert error.reason is Reason.MANDATE_REVOKED
    assert error.metadata == {"anchor": mandate.session}
    aio.journal.freed.set()
    await eventually(lambda: aio.journal.ended == [method])
    await eventually(lambda: aio.guard.open_streams == 0)
    assert [refusal[1].reason for refusal in aio.refusals] == [Reason.MANDATE_REVOKED]


@pytest.mark.parametrize("method", SYNC_METHODS[1:])
async def test_revoking_cuts_an_idle_stream_on_a_sync_server(
    sync: Stage, method: str, eventually: Eventually
) -> None:
    """The stream ends at once although its handler blocks its thread."""
    mandate = sync.mint.mandate()
    call = await sync.client.open(method, bearing(sync.mint.token(mandate)), "idle")
    await eventually(lambda: sync.journal.ran == [method])
    sync.view.revoke(mandate.application)
    error = await ending(call)
    assert error.reason is Reason.MANDATE_REVOKED
    assert error.metadata == {"anchor": mandate.application}
    sync.journal.freed.set()
    await eventually(lambda: sync.journal.ended == [method])
    assert sync.guard.open_streams == 0


@pytest.mark.parametrize("method", RESPONDING)
async def test_revoking_cuts_a_busy_stream_on_an_aio_server(
    aio: Stage, method: str, eventually: Eventually
) -> None:
    """A handler that never stops sending is stopped."""
    mandate = aio.mint.mandate()
    call = await aio.client.open(method, bearing(aio.mint.token(mandate)), "busy")
    aio.view.revoke(mandate.subject)
    assert (await ending(call)).reason is Reason.MANDATE_REVOKED
    await eventually(lambda: aio.journal.ended == [method])
    await eventually(lambda: aio.guard.open_streams == 0)


@pytest.mark.parametrize("method", SYNC_METHODS[2:])
async def test_revoking_cuts_a_busy_stream_on_a_sync_server(
    sync: Stage, method: str, eventually: Eventually
) -> None:
    """A handler that never stops sending is stopped."""
    mandate = sync.mint.mandate()
    call = await sync.client.open(method, bearing(sync.mint.token(mandate)), "busy")
    sync.view.revoke(mandate.jti)
    assert (await ending(call)).reason is Reason.MANDATE_REVOKED
    await eventually(lambda: sync.journal.ended == [method])


@pytest.mark.parametrize("method", RESPONDING)
async def test_revoking_cuts_a_stream_that_is_blocked_on_its_client(
    aio: Stage, method: str, eventually: Eventually
) -> None:
    """A client that does not read gets what was on its way and then the status, nothing more."""
    mandate = aio.mint.mandate()
    call = await aio.client.open(method, bearing(aio.mint.token(mandate)), "flood")
    await asyncio.sleep(0.3)
    aio.view.revoke(mandate.session)
    await asyncio.sleep(0.1)
    assert (await ending(call)).reason is Reason.MANDATE_REVOKED
    await eventually(lambda: aio.journal.ended == [method])
    await eventually(lambda: aio.guard.open_streams == 0)


@pytest.mark.parametrize("method", AWAITED)
async def test_a_handler_that_swallows_its_cancellation_sends_nothing_more(
    aio: Stage, method: str
) -> None:
    """Its next message is refused instead of sent."""
    mandate = aio.mint.mandate()
    call = await aio.client.open(method, bearing(aio.mint.token(mandate)), "stubborn")
    aio.view.revoke(mandate.session)
    assert (await ending(call)).reason is Reason.MANDATE_REVOKED


async def test_streams_are_cut_when_their_mandate_expires(
    aio: Stage, eventually: Eventually
) -> None:
    """At `exp` and the leeway, with no traffic to notice it, in every style."""
    metadata = bearing(aio.mint.token(**aio.mint.expiring(0.7)))
    calls = [await aio.client.open(method, metadata, "idle") for method in STREAMS]
    await eventually(lambda: sorted(aio.journal.ran) == sorted(STREAMS))
    endings = await asyncio.gather(*map(ending, calls))
    assert {error.reason for error in endings} == {Reason.MANDATE_EXPIRED}


async def test_sync_streams_are_cut_when_their_mandate_expires(
    sync: Stage, eventually: Eventually
) -> None:
    """At `exp` and the leeway, with no traffic to notice it."""
    metadata = bearing(sync.mint.token(**sync.mint.expiring(0.7)))
    calls = [await sync.client.open(method, metadata, "idle") for method in SYNC_METHODS[1:]]
    await eventually(lambda: len(sync.journal.ran) == len(calls))
    endings = await asyncio.gather(*map(ending, calls))
    assert {error.reason for error in endings} == {Reason.MANDATE_EXPIRED}


async def test_a_death_cuts_only_the_streams_that_it_concerns(aio: Stage) -> None:
    """The stream of another session goes on."""
    dead, alive = aio.mint.mandate(), aio.mint.mandate()
    first = await aio.client.open("Chat", bearing(aio.mint.token(dead)), "one")
    second = await aio.client.open("Chat", bearing(aio.mint.token(alive)), "one")
    aio.view.revoke(dead.session)
    assert (await ending(first)).reason is Reason.MANDATE_REVOKED
    assert (await _answer(second, "two")).value.startswith("two|")
    await second.done_writing()
    assert await second.code() is grpc.StatusCode.OK


async def _answer(call: Any, value: str) -> StringValue:
    await call.write(text(value))
    answer: StringValue = await call.read()
    return answer


async def test_a_key_that_vanishes_cuts_the_streams_that_it_signed(aio: Stage) -> None:
    """The reason says that the key is gone."""
    call = await aio.client.open("Expand", bearing(aio.mint.token()), "idle")
    aio.view.forget_key(aio.mint.key.kid)
    assert (await ending(call)).reason is Reason.KEY_UNKNOWN


@pytest.mark.parametrize("method", RESPONDING)
async def test_a_client_that_never_reads_again_keeps_no_handler(
    aio: Stage, method: str, eventually: Eventually
) -> None:
    """The handler ends without it and is told of once; the status waits for the client."""
    mandate = aio.mint.mandate()
    call = await aio.client.open(method, bearing(aio.mint.token(mandate)), "flood")
    await asyncio.sleep(0.3)
    aio.view.revoke(mandate.session)
    await eventually(lambda: aio.journal.ended == [method])
    await eventually(lambda: aio.guard.open_streams == 0)
    assert [refusal[1].reason for refusal in aio.refusals] == [Reason.MANDATE_REVOKED]
    assert (await ending(call)).reason is Reason.MANDATE_REVOKED


@pytest.mark.parametrize("method", AWAITED)
async def test_a_client_that_hangs_up_after_the_cut_is_no_trouble(
    aio: Stage, method: str, eventually: Eventually
) -> None:
    """It never takes its status; nothing remains of it, and the server goes on."""
    mandate = aio.mint.mandate()
    call = await aio.client.open(method, bearing(aio.mint.token(mandate)), "flood")
    await asyncio.sleep(0.3)
    aio.view.revoke(mandate.session)
    await eventually(lambda: aio.guard.open_streams == 0)
    call.cancel()
    assert await aio.client.call("Open") == ["hi"]
    assert [refusal[1].reason for refusal in aio.refusals] == [Reason.MANDATE_REVOKED]


@pytest.mark.parametrize("method", AWAITED)
async def test_a_cut_in_the_first_message_still_has_a_status(
    aio: Stage, method: str, eventually: Eventually
) -> None:
    """It carries the headers, and the status comes behind it."""
    mandate, loop = aio.mint.mandate(), asyncio.get_running_loop()
    aio.journal.on_send = lambda: loop.call_soon(aio.view.revoke, mandate.session)
    call = aio.client.start(method, bearing(aio.mint.token(mandate)), "idle")
    if method.startswith("Chat"):
        await call.write(text("idle"))
    assert (await ending(call)).reason is Reason.MANDATE_REVOKED
    await eventually(lambda: aio.journal.ended == [method])


@pytest.mark.parametrize("method", AWAITED[:-1])
async def test_a_handler_that_swallows_one_cancellation_gets_another(
    aio: Stage, method: str, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    """However idle it is, and the log says so once; a task group cancels its own only once."""
    mandate = aio.mint.mandate()
    call = await aio.client.open(method, bearing(aio.mint.token(mandate)), "numb")
    await eventually(lambda: aio.journal.waiting == 1)
    aio.view.revoke(mandate.session)
    assert (await ending(call)).reason is Reason.MANDATE_REVOKED
    await eventually(lambda: aio.guard.open_streams == 0)
    assert len(_warned(caplog)) == 1


@pytest.mark.parametrize("method", AWAITED)
async def test_a_handler_that_never_ends_does_not_keep_its_call_open(
    aio: Stage, method: str, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    """The client has its status while the handler still runs; when that ends, all is quiet."""
    mandate = aio.mint.mandate()
    call = await aio.client.open(method, bearing(aio.mint.token(mandate)), "deaf")
    await eventually(lambda: aio.journal.waiting == 1)
    aio.view.revoke(mandate.session)
    assert (await ending(call)).reason is Reason.MANDATE_REVOKED
    assert aio.guard.open_streams == 0
    aio.journal.freed.set()
    await eventually(lambda: aio.journal.ended == [method])
    assert len(_warned(caplog)) == 1


def _warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("method", AWAITED)
async def test_a_client_that_hangs_up_ends_the_handler_as_before(
    aio: Stage, method: str, eventually: Eventually
) -> None:
    """Its cancellation reaches the handler, and is no refusal."""
    call = await aio.client.open(method, bearing(aio.mint.token()), "idle")
    call.cancel()
    await eventually(lambda: aio.journal.ended == [method])
    await eventually(lambda: aio.guard.open_streams == 0)
    assert aio.refusals == []


async def test_a_death_told_by_another_thread_cuts_as_well(aio: Stage) -> None:
    """A view may be fed by a thread, while its streams live on an event loop."""
    mandate = aio.mint.mandate()
    call = await aio.client.open("Expand", bearing(aio.mint.token(mandate)), "idle")
    await asyncio.to_thread(aio.view.revoke, mandate.session)
    assert (await ending(call)).reason is Reason.MANDATE_REVOKED
