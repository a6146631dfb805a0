"""The index of open streams: who dies of what, and what it costs to know."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field, replace

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.guard.aio.timer import AioTimer
from caracal_grpc.interceptors.guard.streams import StreamIndex, Watch
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.testing import CannedFeed
from tests.support.clock import FakeClock
from tests.support.keys import ZONE, Mint, chain, view_of

MINT = Mint()
NOW = 1_790_000_000


@dataclass(eq=False)
class Open:
    """A stream that records why it was cut."""

    mandate: Mandate
    errors: list[CaracalError] = field(default_factory=list)

    def cut(self, error: CaracalError) -> None:
        """Records."""
        self.errors.append(error)


@dataclass
class Table:
    """An index and the deadlines that it asked to be woken at."""

    deadlines: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.index = StreamIndex(self.deadlines.append)

    def open(self, **changes: object) -> Open:
        """One more stream."""
        stream = Open(MINT.mandate(**changes))
        self.index.add(stream)
        return stream

    def kill(self, *anchors: str, vanished: bool = False) -> None:
        """Kills `anchors`."""
        view = view_of(MINT)
        if not vanished:
            view.revoke(*anchors)
        self.index.kill(frozenset(anchors), view)


def test_every_anchor_kills_the_stream_once() -> None:
    """Its jti, key, subject, application, sessions, and everything of its chain."""
    table = Table()
    for anchor in MINT.mandate(**chain(3)).anchors:
        stream = table.open(**chain(3))
        alias = replace(stream.mandate)
        object.__setattr__(alias, "anchors", (*alias.anchors, anchor))
        stream.mandate = alias
        table.index.add(stream)
        table.kill(anchor, "ses_other")
        assert [error.reason for error in stream.errors] == [Reason.MANDATE_REVOKED]
        assert stream.errors[0].metadata == {"anchor": anchor}
        table.index.remove(stream)


def test_many_deaths_at_once_cut_each_stream_once() -> None:
    """More anchors than streams, and several of one stream."""
    table = Table()
    stream, other = table.open(), table.open()
    table.kill(*stream.mandate.anchors[2:], *(f"ses_{index}" for index in range(1000)))
    assert (len(stream.errors), len(other.errors)) == (1, 1 if _shared(stream, other) else 0)


def test_death_in_another_zone_cuts_nothing() -> None:
    """A zone that calls a foreign mandate dead says nothing about it."""
    table = Table()
    stream = table.open(zone="other")
    table.kill(stream.mandate.jti)
    assert stream.errors == []


def _shared(one: Open, other: Open) -> bool:
    return not set(one.mandate.anchors[2:]).isdisjoint(other.mandate.anchors)


def test_a_key_that_vanished_is_told_apart_from_one_that_was_revoked() -> None:
    """The one is unknown, the other killed what it signed."""
    table = Table()
    stream = table.open()
    table.kill(MINT.key.kid, vanished=True)
    table.kill(MINT.key.kid, vanished=False)
    assert [error.reason for error in stream.errors] == [
        Reason.KEY_UNKNOWN,
        Reason.MANDATE_REVOKED,
    ]


def test_a_floor_cuts_what_was_issued_before_it() -> None:
    """And nothing else: neither what is as old as it, nor what another zone's floor is above."""
    table, view = Table(), view_of(MINT)
    older, as_old = table.open(issued_at=NOW - 1), table.open(issued_at=NOW)
    other = table.open(issued_at=NOW - 1, zone="other")
    view.subscribe(lambda died: table.index.kill(died, view))
    view.revoke_issued_before(NOW - 0.5)
    assert [error.reason for error in older.errors] == [Reason.MANDATE_REVOKED]
    assert older.errors[0].metadata == {"anchor": ZONE}
    assert as_old.errors + other.errors == []


def test_nothing_remains_of_a_stream_that_ended() -> None:
    """Neither by anchor nor by expiry, however many there were."""
    table = Table()
    streams = [table.open(**chain(2)) for _ in range(200)]
    for stream in streams:
        table.index.remove(stream)
        table.index.remove(stream)
    assert len(table.index) == 0
    assert (table.index._by_anchor, table.index._by_expiry) == ({}, {})


def test_one_timer_serves_all_expiries() -> None:
    """It is asked for again only when a stream expires sooner than all before it."""
    table = Table()
    late, soon, between = (
        table.open(issued_at=NOW, expires_at=NOW + life) for life in (300, 100, 200)
    )
    assert table.deadlines == [NOW + 305, NOW + 105]
    assert table.index.expire(NOW + 104.9) == NOW + 105
    assert soon.errors == []
    assert table.index.expire(NOW + 105) == NOW + 205
    assert [error.reason for error in soon.errors] == [Reason.MANDATE_EXPIRED]
    assert table.index.expire(math.inf) is None
    assert (len(between.errors), len(late.errors)) == (1, 1)


@dataclass
class Lookout:
    """A watch over one stream of 300 s, on a clock and a view that a test holds."""

    clock: FakeClock = field(default_factory=FakeClock)
    view: CannedFeed = field(default_factory=CannedFeed)
    table: Table = field(default_factory=Table)

    def __post_init__(self) -> None:
        self.stream = self.table.open(issued_at=NOW, expires_at=NOW + 300)
        verifier = Verifier(self.view, clock=self.clock, max_staleness=10)
        self.watch = Watch(self.table.index, verifier, self.clock)

    def reasons(self) -> list[Reason]:
        """Why the stream was cut, after one more look."""
        self.watch.look()
        return [error.reason for error in self.stream.errors]


@pytest.mark.parametrize(("age", "pause"), [(0.0, 10.0), (9.5, 0.5), (11.0, 1.0), (math.nan, 1.0)])
def test_the_watch_looks_again_when_the_view_would_have_gone_stale(
    age: float, pause: float
) -> None:
    """Not before; and each second while it is."""
    lookout = Lookout()
    lookout.view.go_stale(age)
    assert lookout.watch.pause(NOW + 305) == pause


def test_the_watch_looks_again_when_the_next_stream_expires() -> None:
    """When that comes first, and at once when it is over."""
    lookout = Lookout()
    assert lookout.watch.pause(NOW + 3) == 3
    assert lookout.watch.pause(NOW - 3) == 0


@pytest.mark.parametrize("age", [10.001, math.inf, math.nan])
def test_a_stale_view_cuts_what_is_open(age: float) -> None:
    """Just past the bound, never heard of, or of a broken clock."""
    lookout = Lookout()
    lookout.view.go_stale(age)
    assert lookout.reasons() == [Reason.AUTHORITY_STALE]


def test_a_heartbeat_in_time_cuts_nothing() -> None:
    """A view on its very bound is fresh, and so is one that became young again."""
    lookout = Lookout()
    for age in (0.0, 10.0, 0.5, 9.9, 0.0):
        lookout.view.go_stale(age)
        assert lookout.reasons() == []


async def test_two_deadlines_that_arrive_in_the_wrong_order_keep_the_nearer() -> None:
    """Threads that add streams at the same time may post theirs in either order."""
    clock, view = FakeClock(), CannedFeed()
    timer = AioTimer(clock)
    timer.on_loop(asyncio.get_running_loop())
    table = Table()
    timer.attach(table.index, Verifier(view, clock=clock))
    stream = table.open(issued_at=NOW - 10, expires_at=NOW - 5)
    timer.arm(clock.now())
    timer.arm(clock.now() + 300)
    async with asyncio.timeout(5):
        while not stream.errors:
            await asyncio.sleep(0)
    timer.close()
    assert [error.reason for error in stream.errors] == [Reason.MANDATE_EXPIRED]
