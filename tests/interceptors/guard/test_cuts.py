"""Open streams end when their mandate dies, by the clock of the machine, and no others end.

What a handler is doing then, and what becomes of it, is in `tests/conformance`.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.reason import Reason
from tests.interceptors.conftest import Eventually
from tests.support.echo import STREAMS, SYNC_METHODS, text
from tests.support.echo_client import bearing, ending
from tests.support.echo_server import Stage


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
