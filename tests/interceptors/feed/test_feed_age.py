"""How old the feed makes its view: by when heartbeats were sent, not by when they arrive."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.feed.feed_view import FeedView
from caracal_grpc.interceptors.feed.proof import AHEAD, PATIENCE
from tests.support.clock import FakeClock
from tests.support.feed import delta, heartbeat, key_set, snapshot
from tests.support.keys import ISSUER, ZONE, Mint


def _apart() -> FakeClock:
    """A clock that agrees with no other."""
    return FakeClock(wall=1_234_567_890.0)


@dataclass
class Line:
    """An edge, an authority with a clock of its own, and what is between them."""

    mint: Mint = field(default_factory=Mint)
    edge: FakeClock = field(default_factory=FakeClock)
    authority: FakeClock = field(default_factory=_apart)
    view: FeedView = field(init=False)

    def __post_init__(self) -> None:
        self.view = FeedView(zone=ZONE, issuer=ISSUER, clock=self.edge)

    def wait(self, seconds: float) -> None:
        """Time passes, for both alike."""
        self.edge.advance(seconds)
        self.authority.advance(seconds)

    def open(self, there: float = 0.0, back: float = 0.0) -> None:
        """A stream whose request and whose answers take so many seconds."""
        self.view.begin()
        self.wait(there)
        self.arrives(self.sent(), back, snapshot(7, key_set(self.mint)))

    def sent(self) -> float:
        """The stamp of a heartbeat of this moment."""
        return self.authority.wall

    def arrives(self, stamp: float, after: float, *before: object) -> None:
        """A heartbeat of `stamp` arrives `after` so many seconds."""
        self.wait(after)
        for message in before:
            self.view.apply(message)  # type: ignore[arg-type]
        self.view.apply(heartbeat(7, at=stamp))

    def refused(self, stamp: float) -> None:
        """The heartbeat breaks the stream."""
        with pytest.raises(CaracalError) as caught:
            self.view.apply(heartbeat(7, at=stamp))
        assert caught.value.reason is Reason.AUTHORITY_STALE


@pytest.fixture
def line() -> Line:
    """An edge before its first stream."""
    return Line()


def test_clocks_that_disagree_by_years_make_no_view_older(line: Line) -> None:
    """Only how time passes is compared, never what time it is."""
    line.open()
    for _ in range(3):
        line.wait(1.0)
        line.arrives(line.sent(), 0.0)
        assert line.view.age() == pytest.approx(0.0)
    assert line.view.fresh


def test_heartbeats_that_are_held_back_are_as_old_as_they_are(line: Line) -> None:
    """An on-path delay of a minute does not leave the edge ready."""
    line.open()
    stamp = line.sent()
    line.arrives(stamp, 60.0)
    assert line.view.age() == pytest.approx(60.0)
    assert not line.view.fresh


def test_a_delay_that_creeps_up_shows_as_well(line: Line) -> None:
    """However slowly it grows, it is measured from the stream's opening."""
    line.open()
    for held in range(1, 5):
        stamp = line.sent()
        line.arrives(stamp, float(held))
        assert line.view.age() == pytest.approx(held)


def test_a_stream_that_stays_late_is_given_up(line: Line) -> None:
    """Another one may prove itself; the view grows old meanwhile."""
    line.open()
    stamp = line.sent()
    line.arrives(stamp, 60.0)
    line.wait(PATIENCE + 0.5)
    line.refused(stamp + PATIENCE + 0.5)
    assert line.view.age() > 60.0


@pytest.mark.parametrize(("there", "back"), [(0.0, 60.0), (60.0, 0.0), (30.0, 30.0)])
def test_a_new_stream_that_is_held_back_gains_nothing(
    line: Line, there: float, back: float
) -> None:
    """To break the stream and delay the next one from its start is no way around."""
    line.open()
    line.wait(1.0)
    line.open(there, back)
    assert line.view.age() == pytest.approx(60.0)


def test_a_first_stream_that_is_held_back_is_not_fresh(line: Line) -> None:
    """The first heartbeat was sent after the stream was asked for, and that is all it proves."""
    line.open(0.0, 60.0)
    assert line.view.age() == pytest.approx(60.0)


def test_what_queued_while_the_process_was_stopped_is_old(line: Line) -> None:
    """The edge gets younger heartbeat by heartbeat, and is fresh with the last one."""
    line.open()
    queued = [line.sent() + second for second in range(1, 61)]
    line.wait(60.0)
    ages = []
    for stamp in queued:
        line.arrives(stamp, 0.0)
        ages.append(line.view.age())
    assert ages[0] == pytest.approx(59.0)
    assert ages == sorted(ages, reverse=True)
    assert line.view.fresh


def test_a_clock_that_is_set_back_makes_the_view_old_until_the_next_stream(line: Line) -> None:
    """It cannot be told from a delay, so it fails closed; then the stream is opened again."""
    line.open()
    line.authority.wall -= 60.0
    line.wait(1.0)
    line.arrives(line.sent(), 0.0)
    assert not line.view.fresh
    line.wait(PATIENCE + 0.5)
    line.refused(line.sent())
    line.open()
    assert line.view.fresh


def test_a_clock_that_is_set_forwards_breaks_the_stream_at_once(line: Line) -> None:
    """Otherwise a delay could hide behind it."""
    line.open()
    line.authority.wall += 60.0
    line.wait(1.0)
    line.refused(line.sent())
    assert line.view.age() == pytest.approx(1.0)
    line.open()
    assert line.view.fresh


def test_a_clock_that_gains_a_little_is_let_be(line: Line) -> None:
    """NTP slews; nothing is proved for the future by it."""
    line.open()
    line.authority.wall += AHEAD / 2
    line.wait(1.0)
    line.arrives(line.sent(), 0.0)
    assert line.view.age() == pytest.approx(0.0)


def test_a_heartbeat_ahead_of_the_snapshot_says_when_but_proves_no_view(line: Line) -> None:
    """So that a snapshot may take long without making each later heartbeat look late."""
    line.view.begin()
    line.arrives(line.sent(), 0.0)
    assert line.view.age() == math.inf
    line.wait(8.0)
    line.arrives(line.sent(), 0.0, snapshot(7, key_set(line.mint)))
    assert line.view.age() == pytest.approx(0.0)


def test_a_heartbeat_that_says_not_when_is_refused(line: Line) -> None:
    """The contract has the time in each."""
    line.open()
    with pytest.raises(CaracalError):
        line.view.apply(heartbeat(7))
    line.view.apply(delta(8, revoked=["ses_1"]))
    assert "ses_1" in line.view.revoked
