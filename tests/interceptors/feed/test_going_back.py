"""A view never goes back: not with a replica that lags, and not with a store that was restored."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import pytest

from caracal_grpc.core.limits import REVOCATION_TTL
from caracal_grpc.interceptors.feed.feed_view import FeedView
from tests.support.clock import FakeClock
from tests.support.feed import Message, delta, heartbeat, key_set, snapshot
from tests.support.keys import ISSUER, ZONE, Mint


class Story:
    """An edge at revision 20, where two are dead, whose next stream is from elsewhere."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.view = FeedView(zone=ZONE, issuer=ISSUER, clock=self.clock)
        self.old, self.new = Mint(), Mint()
        self.heard: list[set[str]] = []
        self.view.subscribe(lambda dead: self.heard.append(set(dead)))
        known = key_set(self.old, self.new)
        self.stream(snapshot(20, known, ["ses_1", "ses_2"]), heartbeat(20))
        self.heard.clear()

    def stream(self, *told: Message) -> None:
        """The next one, a second later."""
        self.clock.advance(1.0)
        self.view.begin()
        self.more(heartbeat(0), *told)

    def more(self, *told: Message) -> None:
        """It goes on, with heartbeats of now."""
        for message in told:
            if message.HasField("heartbeat"):
                message.heartbeat.server_time.FromMilliseconds(round(self.clock.wall * 1000))
            self.view.apply(message)

    def lagging(self, *told: Message) -> None:
        """A replica that knows neither the second death nor the second key, as of 3 s ago."""
        self.stream(snapshot(15, key_set(self.old), ["ses_1"]), heartbeat(15, age=3.0), *told)

    @property
    def state(self) -> tuple[int, set[str], set[str]]:
        """What is in force: revision, deaths, keys."""
        return self.view.revision, set(self.view.revoked), set(self.view.keys)

    @property
    def before(self) -> tuple[int, set[str], set[str]]:
        """What was in force when the edge came."""
        return 20, {"ses_1", "ses_2"}, {self.old.key.kid, self.new.key.kid}


@pytest.fixture
def story() -> Story:
    """Each test its own."""
    return Story()


def test_a_replica_that_lags_takes_nothing_away(story: Story) -> None:
    """Neither a death nor a key; and it makes the view no younger."""
    story.lagging()
    assert story.state == story.before
    assert (story.view.complete, story.view.fresh) == (False, False)
    assert story.view.age() == pytest.approx(1.0)


def test_what_a_replica_that_lags_calls_dead_is_dead_at_once(story: Story) -> None:
    """It does not lag in everything."""
    story.lagging(delta(16, revoked=["ses_3"]))
    assert story.state == (20, {"ses_1", "ses_2", "ses_3"}, story.before[2])
    assert story.heard == [{"ses_3"}]


def test_a_replica_that_has_caught_up_by_a_change_is_believed(story: Story) -> None:
    """All of its changes count from its own snapshot on, and each death is news only once."""
    keys = key_set(story.old, story.new)
    story.lagging(
        delta(16, revoked=["ses_2"]),
        delta(17, keys, revoked=["ses_3"], released=["ses_1"]),
        delta(21, revoked=["ses_4"]),
    )
    assert story.state == (21, {"ses_2", "ses_3", "ses_4"}, story.before[2])
    assert [heard for heard in story.heard if heard != {"ses_3"}] == [{"ses_4"}]
    story.more(heartbeat(21))
    assert story.view.fresh
    assert story.view.age() == pytest.approx(0.0)


def test_a_replica_that_has_caught_up_by_a_heartbeat_is_believed(story: Story) -> None:
    """What it had not told by then is not so: others released it."""
    story.lagging(heartbeat(22))
    assert story.state == (22, {"ses_1"}, {story.old.key.kid})
    assert story.heard == [{story.new.key.kid}]
    assert story.view.fresh


def test_a_store_that_was_restored_is_told_from_a_lag(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    """Current as of a moment when more was known already, and still at less. The dead stay dead."""
    story.lagging()
    story.clock.advance(1.0)
    story.more(heartbeat(16, age=0.5))
    assert story.state == (16, {"ses_1", "ses_2"}, {story.old.key.kid})
    assert story.view.age() == pytest.approx(0.5)
    assert "from revision 20 to 16" in caplog.text


def test_what_a_restored_store_forgot_is_dead_as_long_as_it_matters(story: Story) -> None:
    """However far it gets meanwhile, and over new streams too; then it is forgotten."""
    story.lagging(heartbeat(15))
    story.stream(snapshot(99, key_set(story.old), ["ses_1"]), heartbeat(99))
    assert set(story.view.revoked) == {"ses_1", "ses_2"}
    story.clock.advance(REVOCATION_TTL)
    story.stream(snapshot(99, key_set(story.old), ["ses_1"]), heartbeat(99))
    assert set(story.view.revoked) == {"ses_1"}


def test_what_dies_anew_in_a_restored_store_is_that_stores_own(story: Story) -> None:
    """It lives and dies with what the store says of it."""
    story.lagging(heartbeat(15))
    story.more(delta(16, revoked=["ses_2"]), delta(17, released=["ses_2"]))
    assert set(story.view.revoked) == {"ses_1"}


def test_a_snapshot_over_many_known_deaths_tells_of_the_new_ones_only(story: Story) -> None:
    """And shares the anchors that were known: what is dead twice is in memory once."""
    heard: list[AbstractSet[str]] = []
    story.view.subscribe(heard.append)
    before = {id(anchor) for anchor in story.view.revoked}
    parts = [f"ses_{number}" for number in range(1, 4)]
    story.stream(snapshot(21, key_set(story.old, story.new), parts), heartbeat(21))
    assert [set(dead) for dead in heard] == [{"ses_3"}]
    assert before < {id(anchor) for anchor in story.view.revoked}
