"""The floor of a zone as a view learns it: at once, and never back with a replica that lags."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from caracal_grpc.core.limits import REVOCATION_TTL
from caracal_grpc.interceptors.feed.feed_view import FeedView
from caracal_grpc.v1 import key_pb2
from tests.support.clock import FakeClock
from tests.support.feed import Message, delta, heartbeat, key_set, snapshot
from tests.support.keys import ISSUER, ZONE, Mint


class Story:
    """An edge that knows a floor of 100 at revision 20."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.view = FeedView(zone=ZONE, issuer=ISSUER, clock=self.clock)
        self.mint = Mint()
        self.heard: list[set[str]] = []
        self.view.subscribe(lambda dead: self.heard.append(set(dead)))
        self.stream(snapshot(20, self.keys(100)), heartbeat(20))

    def keys(self, floor: int) -> key_pb2.KeySet:
        """The key set with a floor."""
        keys = key_set(self.mint)
        keys.issued_before = floor
        return keys

    def stream(self, *told: Message) -> None:
        """The next one, a second later."""
        self.clock.advance(1.0)
        self.view.begin()
        self.more([heartbeat(0), *told])

    def more(self, told: Iterable[Message]) -> None:
        """It goes on, with heartbeats of now."""
        for message in told:
            if message.HasField("heartbeat"):
                message.heartbeat.server_time.FromMilliseconds(round(self.clock.wall * 1000))
            self.view.apply(message)

    @property
    def floor(self) -> int:
        """What the verdict is given by."""
        trust = self.view.trust(self.mint.key.kid)
        assert trust is not None
        return trust.issued_before


@pytest.fixture
def story() -> Story:
    """Each test its own."""
    return Story()


def test_a_floor_is_news_of_the_zone(story: Story) -> None:
    """In the first snapshot, in a change, and once only; equal keys stay the very same."""
    keys = story.view.keys
    assert (story.floor, story.heard) == (100, [{ZONE}])
    story.more([delta(21, story.keys(200)), delta(22, story.keys(200)), delta(23, revoked=["x"])])
    assert (story.floor, story.heard) == (200, [{ZONE}, {ZONE}, {"x"}])
    assert story.view.keys is keys


def test_a_replica_that_lags_takes_no_floor_back(story: Story) -> None:
    """Neither with its snapshot nor with a change, until it has caught up."""
    story.stream(snapshot(15, story.keys(0)), heartbeat(15, age=3.0))
    story.more([delta(16, story.keys(50))])
    assert (story.floor, story.heard) == (100, [{ZONE}])
    story.more([delta(21, story.keys(100)), heartbeat(21)])
    assert (story.floor, story.heard) == (100, [{ZONE}])
    assert story.view.fresh


def test_a_floor_that_a_replica_that_lags_tells_holds_at_once(story: Story) -> None:
    """It does not lag in everything."""
    story.stream(snapshot(15, story.keys(0)), heartbeat(15, age=3.0))
    story.more([delta(16, story.keys(150))])
    assert (story.floor, story.heard) == (150, [{ZONE}, {ZONE}])
    assert not story.view.complete


def test_a_floor_that_the_authority_forgot_is_forgotten(story: Story) -> None:
    """By then all that it killed has expired; that is no news."""
    story.more([delta(21, story.keys(0))])
    assert (story.floor, story.heard) == (0, [{ZONE}])


def test_a_store_that_was_restored_takes_no_floor_back(story: Story) -> None:
    """It holds over changes and streams, as long as anything that it killed may live."""
    story.stream(snapshot(15, story.keys(0)), heartbeat(15, age=0.5))
    assert (story.view.revision, story.floor) == (15, 100)
    story.more([delta(16, story.keys(0))])
    story.stream(snapshot(17, story.keys(0)), heartbeat(17))
    assert story.floor == 100
    story.more([delta(18, story.keys(120)), delta(19, story.keys(0))])
    assert story.floor == 100
    story.clock.advance(REVOCATION_TTL)
    story.stream(snapshot(20, story.keys(0)), heartbeat(20), delta(21, story.keys(0)))
    assert (story.floor, story.heard) == (0, [{ZONE}, {ZONE}])
