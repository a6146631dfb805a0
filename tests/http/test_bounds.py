"""What strangers may cost: every wait ends, every size has a limit, nothing is read in two ways."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from caracal_grpc.core.reason import Reason
from caracal_grpc.http.boundary import Boundary
from caracal_grpc.http.server import HttpServer
from tests.http.desk import Desk, open_desk
from tests.http.raw import SHORT, Connection, connect, serving, statuses
from tests.support.raw_http import exchange
from tests.support.refusals import refused

HEAD = b"GET /healthz HTTP/1.1\r\nHost: a.example\r\n"
GET = HEAD + b"\r\n"
POST = (
    b"POST /zones/shop/token HTTP/1.1\r\nHost: a.example\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n"
)


@pytest.fixture
async def hasty(desk: Desk) -> AsyncIterator[Desk]:
    """The port of the same authority, with less patience."""
    async with open_desk(desk.rig, SHORT) as hasty:
        yield hasty


@pytest.fixture
async def line(hasty: Desk) -> AsyncIterator[Connection]:
    """A connection to it."""
    async with connect(hasty.port.address) as line:
        yield line


async def test_silence_ends_the_connection(line: Connection) -> None:
    """Nothing was asked, and nothing is answered."""
    assert await line.rest() == b""


async def test_half_a_head_ends_the_connection(line: Connection) -> None:
    """Slow-loris: however it begins."""
    await line.say(HEAD)
    assert await line.rest() == b""


async def test_dripping_head_ends_the_connection(line: Connection) -> None:
    """Something comes all the time, and never the end of it."""
    assert await line.drip(HEAD + b"X-Slow: " + b"x" * 10_000) == b""


async def test_idle_connection_is_ended(line: Connection) -> None:
    """After an answer it waits for the next request no longer than for the first."""
    await line.say(GET)
    assert statuses(await line.rest()) == [200]


async def test_dripping_between_requests_ends_it_as_well(desk: Desk) -> None:
    """The second head has no more time than the first, however long a request may take."""
    bounds = replace(SHORT, request_seconds=600)
    async with open_desk(desk.rig, bounds) as hasty, connect(hasty.port.address) as line:
        await line.say(GET)
        assert statuses(await line.drip(HEAD + b"X-Slow: " + b"x" * 10_000)) == [200]


@pytest.mark.parametrize("length", [b"Content-Length: 5000", b"Transfer-Encoding: chunked"])
async def test_dripping_body_is_told_and_ended(line: Connection, length: bytes) -> None:
    """408, and the connection with it."""
    await line.say(POST + length + b"\r\n\r\n")
    assert statuses(await line.drip(b"1\r\na\r\n" * 2_000)) == [408]


async def test_body_that_never_comes(line: Connection) -> None:
    """The same."""
    await line.say(POST + b"Content-Length: 5\r\n\r\n")
    assert statuses(await line.rest()) == [408]


async def test_body_that_was_announced_too_long(line: Connection) -> None:
    """413 before any of it has come."""
    await line.say(POST + b"Content-Length: 65537\r\n\r\n")
    assert statuses(await line.rest()) == [413]


async def test_body_that_grows_too_long(line: Connection) -> None:
    """413 when it is over, whatever it did not announce."""
    await line.say(POST + b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"2000\r\n" + b"a" * 0x2000 + b"\r\n"
    await line.say(chunk * 9)
    assert statuses(await line.rest()) == [413]


@pytest.mark.parametrize(
    "fields",
    [b"X-Long: " + b"x" * 20_000, b"\r\n".join(b"X-%d: x" % n for n in range(70))],
    ids=["long", "many"],
)
async def test_head_that_is_too_large(line: Connection, fields: bytes) -> None:
    """431 when it comes at once."""
    await line.say(HEAD + fields + b"\r\nConnection: close\r\n\r\n")
    assert statuses(await line.rest()) == [431]


async def test_head_that_grows_too_large(hasty: Desk) -> None:
    """Ended before it is held in full."""
    async with connect(hasty.port.address) as line:
        await line.say(HEAD)
        for _ in range(40):
            await line.say(b"X-Long: " + b"x" * 1_000 + b"\r\n")
            await asyncio.sleep(0.002)
        assert statuses(await line.rest()) in ([400], [])


TWO_WAYS = {
    "both lengths": b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6",
    "two hosts": b"Content-Length: 0\r\nHost: b.example",
    "two encodings": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "an unknown encoding": b"Transfer-Encoding: gzip, chunked",
    "two credentials": b"Content-Length: 0\r\nAuthorization: Basic eA==\r\nAuthorization: x",
    "a folded field": b"X-Folded: a\r\n b\r\nContent-Length: 5, 6",
    "space before the colon": b"Content-Length : 5",
}


@pytest.mark.parametrize("case", TWO_WAYS)
async def test_what_is_read_in_two_ways_is_refused(line: Connection, case: str) -> None:
    """Once, and the connection ends: what follows is nobody's request."""
    await line.say(POST + TWO_WAYS[case] + b"\r\n\r\n0\r\n\r\n" + GET)
    (status,) = statuses(await line.rest())
    assert status in {400, 501}


async def test_reading_has_no_body(line: Connection) -> None:
    """What would be a body is nobody's request either."""
    await line.say(HEAD + b"Content-Length: %d\r\n\r\n" % len(GET) + GET)
    assert statuses(await line.rest()) == [400]


async def test_unread_body_is_nobodys_request(line: Connection) -> None:
    """Where the body is refused unread, the connection ends with the answer."""
    start = b"POST /nowhere HTTP/1.1\r\nHost: a.example\r\n"
    await line.say(start + b"Content-Length: %d\r\n\r\n" % len(GET) + GET)
    assert statuses(await line.rest()) == [404]


async def test_requests_in_a_row_are_answered_in_a_row(line: Connection) -> None:
    """Pipelining: each by itself, and what comes late of the last ends it all."""
    await line.say(GET + GET.replace(b"healthz", b"nowhere") + GET + HEAD)
    assert statuses(await line.rest()) == [200, 404, 200]


async def test_what_is_no_http_is_refused(line: Connection) -> None:
    """TLS, HTTP/2 or noise on a plaintext port."""
    await line.say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x16\x03\x01")
    assert statuses(await line.rest()) == [400]


async def test_upgrade_is_not_taken(line: Connection) -> None:
    """The request is answered as it is."""
    await line.say(HEAD + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert statuses(await line.rest()) == [200]


async def test_connections_have_a_limit(desk: Desk) -> None:
    """One too many is cut; once another has ended, the next is served."""
    bounds = replace(SHORT, connections=2)
    async with open_desk(desk.rig, bounds) as few:
        address = few.port.address
        async with connect(address) as first, connect(address) as second:
            await first.say(GET[:5])
            await second.say(GET[:5])
            async with connect(address) as third:
                await third.say(GET)
                assert await third.rest() == b""
            await first.rest()
            await second.rest()
        assert (await exchange(address, "GET", "/healthz")).status == 200


async def stuck(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that never answers."""
    await asyncio.Event().wait()


async def test_what_takes_too_long_is_told() -> None:
    """503, and when to try again."""
    async with serving(stuck) as address:
        answered = await exchange(address, "GET", "/")
    assert (answered.status, answered.problem["reason"]) == (503, "STORE_UNAVAILABLE")
    assert answered.header("retry-after") == "1"


async def test_what_cannot_be_told_is_cut() -> None:
    """Whatever the application does, the connection ends, however long a head may take."""
    async with (
        serving(stuck, replace(SHORT, answer_seconds=600, head_seconds=600)) as address,
        connect(address) as line,
    ):
        await line.say(GET)
        assert await line.rest() == b""


async def test_fault_tells_nothing_of_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    """500; the cause is in the log."""

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("the cause")

    async with serving(broken) as address:
        answered = await exchange(address, "GET", "/")
    assert answered.status == 500
    assert b"cause" not in answered.body
    assert "the cause" in caplog.text


async def test_end_waits_for_what_runs_and_cuts_the_rest() -> None:
    """A request in flight is answered; one that never ends is sent elsewhere."""
    began: list[str] = []
    go = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        began.append(scope["path"])
        await (go if scope["path"] == "/ends" else asyncio.Event()).wait()
        await Response("done")(scope, receive, send)

    patient = replace(SHORT, answer_seconds=60, request_seconds=60)
    server = HttpServer(Boundary(slow, patient), "127.0.0.1:0", None, patient)
    address = await server.start()
    async with connect(address) as ends, connect(address) as never:
        await ends.say(GET.replace(b"/healthz", b"/ends"))
        await never.say(GET.replace(b"/healthz", b"/never"))
        async with asyncio.timeout(5):
            while len(began) < 2:
                await asyncio.sleep(0.005)
        stopping = asyncio.create_task(server.stop(1))
        go.set()
        assert statuses(await ends.rest()) == [200]
        assert statuses(await never.rest()) == [503]
        await stopping
    with pytest.raises(OSError, match=r"refused|failed"):
        await exchange(address, "GET", "/ends")


async def test_end_does_not_wait_for_who_takes_no_answer() -> None:
    """What is still to be said to them is left unsaid."""
    began = asyncio.Event()

    async def answers_much(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/much":
            await Response(b"x" * 8_000_000)(scope, receive, send)
        else:
            began.set()
            await asyncio.Event().wait()

    patient = replace(SHORT, head_seconds=600, answer_seconds=600, request_seconds=600)
    server = HttpServer(Boundary(answers_much, patient), "127.0.0.1:0", None, patient)
    async with connect(await server.start()) as line:
        await line.say(GET.replace(b"/healthz", b"/much") + GET)
        async with asyncio.timeout(20):
            await began.wait()
            await server.stop(0.1)


async def test_signals_of_the_process_stay_as_they_are() -> None:
    """The authority has its own, and an end by itself is not the port's to make."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    async with serving(stuck):
        assert [signal.getsignal(number) for number in numbers] == before
    assert [signal.getsignal(number) for number in numbers] == before


async def test_port_in_use_is_named() -> None:
    """By its setting."""
    async with serving(stuck) as address:
        with refused(Reason.FIELD_INVALID) as seen:
            await HttpServer(stuck, address, None).start()
    assert seen.fields == ["http_listen"]
