"""What an edge says when the authority asks how far it is: what is true, one at a time."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from caracal_grpc.interceptors.feed.feed_view import FeedView
from caracal_grpc.interceptors.feed.words import Word, Words
from tests.interceptors.conftest import Eventually
from tests.interceptors.feed.conftest import Follow
from tests.support.clock import FakeClock
from tests.support.feed import Message, delta, feed_server, heartbeat, key_set, snapshot
from tests.support.keys import ISSUER, ZONE, Mint

MINT = Mint()
STREAM = "fed_01h455vb4pex5vsknk084sn02q"


class Edge:
    """A view and its words, over one stream after another."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.view = FeedView(zone=ZONE, issuer=ISSUER, clock=self.clock)

    def hear(self, *messages: Message) -> list[Word | None]:
        """What it says after each message of a new stream."""
        self.view.begin()
        words = Words(self.view)
        said = []
        for message in messages:
            if message.HasField("heartbeat"):
                message.heartbeat.server_time.FromSeconds(int(self.clock.now()))
            self.view.apply(message)
            said.append(words.after(message))
        return said


def greeting() -> tuple[Message, ...]:
    """A stream that has a name, to its first heartbeat."""
    return heartbeat(0, stream=STREAM), snapshot(5, key_set(MINT)), heartbeat(5)


def question(revision: int) -> Message:
    """A heartbeat that asks."""
    return heartbeat(revision, acknowledge=True)


def test_a_question_is_answered_once_everything_before_it_is_applied() -> None:
    """With the stream, the zone and the revision of the question; nothing else is."""
    *others, answer = Edge().hear(*greeting(), delta(7, revoked=["ses_1"]), question(8))
    assert others == [None] * 4
    assert answer == Word(zone=ZONE, feed_id=STREAM, revision=8)


def test_no_word_before_the_snapshot_is_whole() -> None:
    """A part of it is not yet in force."""
    begun = heartbeat(0, stream=STREAM), snapshot(5, key_set(MINT), complete=False)
    assert Edge().hear(*begun, question(5))[-1] is None


def test_no_word_for_what_is_known_but_not_believed() -> None:
    """A replica that lags behind what another told is not in force, though all of it is here."""
    edge = Edge()
    edge.hear(heartbeat(0, stream=STREAM), snapshot(9, key_set(MINT), ["ses_9"]), heartbeat(9))
    lagging = heartbeat(0, stream=STREAM), snapshot(5, key_set(MINT)), question(5)
    assert edge.hear(*lagging) == [None] * 3
    assert edge.hear(*lagging, question(9))[-1] == Word(zone=ZONE, feed_id=STREAM, revision=9)


def test_no_word_on_a_stream_without_a_name() -> None:
    """The name of the stream before is good for nothing."""
    edge = Edge()
    edge.hear(*greeting())
    assert edge.hear(heartbeat(0), snapshot(5, key_set(MINT)), question(5))[-1] is None


async def test_the_word_is_said_with_the_mandate_of_the_stream(
    follow: Follow, eventually: Eventually
) -> None:
    """And only when somebody asks."""
    async with feed_server(*greeting()) as server, follow(server) as driver:
        authority = server.authority
        authority.listening.set()
        await driver.ready(5)
        authority.say(heartbeat(6), question(7))
        await eventually(lambda: authority.words == [(STREAM, 7)])
        assert authority.tokens == ["Bearer token-1"] * 2


async def test_one_word_at_a_time_and_of_those_that_wait_the_last(
    follow: Follow, eventually: Eventually
) -> None:
    """Whatever is asked meanwhile, and the feed reads on."""
    async with feed_server(*greeting()) as server, follow(server) as driver:
        authority = server.authority
        await driver.ready(5)
        authority.say(question(6))
        await eventually(lambda: authority.words == [(STREAM, 6)])
        authority.say(question(7), question(8), delta(9, revoked=["ses_1"]), question(9))
        await eventually(lambda: driver.view.revision == 9)
        assert authority.words == [(STREAM, 6)]
        authority.listening.set()
        await eventually(lambda: authority.words == [(STREAM, 6), (STREAM, 9)])


@pytest.mark.parametrize(
    ("code", "logged"),
    [(grpc.StatusCode.NOT_FOUND, True), (grpc.StatusCode.UNIMPLEMENTED, False)],
)
async def test_a_word_that_is_refused_breaks_nothing(
    follow: Follow,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
    code: grpc.StatusCode,
    logged: bool,
) -> None:
    """The next question is answered; an authority too old to listen is no cause for alarm."""
    async with feed_server(*greeting()) as server, follow(server) as driver:
        authority = server.authority
        authority.listening.set()
        authority.deaf = code
        await driver.ready(5)
        for revision in (6, 7):
            authority.say(question(revision))
            await eventually(lambda: (STREAM, revision) in authority.words)  # noqa: B023
        await eventually(lambda: ("was not told" in caplog.text) is logged)
        assert authority.watchers == 1
        assert "token-1" not in caplog.text


async def test_a_feed_that_is_closed_waits_for_no_answer(
    follow: Follow, eventually: Eventually
) -> None:
    """What is being said is given up with the stream."""
    async with feed_server(*greeting()) as server:
        async with follow(server) as driver, asyncio.timeout(10):
            await driver.ready(5)
            server.authority.say(question(6))
            await eventually(lambda: server.authority.words == [(STREAM, 6)])
        server.authority.listening.set()


async def test_a_new_stream_has_a_name_of_its_own(follow: Follow, eventually: Eventually) -> None:
    """What is asked on it is answered for it, though an answer for the one before is due."""
    async with feed_server(*greeting()) as server, follow(server) as driver:
        authority = server.authority
        await driver.ready(5)
        authority.say(question(6))
        await eventually(lambda: authority.words == [(STREAM, 6)])
        authority.greeting = [
            heartbeat(0, stream="fed_other"),
            snapshot(7, key_set(MINT)),
            question(7),
        ]
        authority.hush()
        await eventually(lambda: authority.words[-1] == ("fed_other", 7))
        authority.listening.set()
