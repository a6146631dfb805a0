"""One snapshot after another: what each adds and lets go, and what a second one costs."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from caracal_grpc.interceptors.feed.feed_view import FeedView
from tests.support.clock import FakeClock
from tests.support.feed import Message, delta, key_set, snapshot
from tests.support.keys import ISSUER, ZONE, Mint

MINT = Mint()
MANY = 20_000


@pytest.fixture
def view() -> FeedView:
    """A view that knows three deaths, the last by a delta."""
    view = FeedView(zone=ZONE, issuer=ISSUER, clock=FakeClock())
    feed(view, snapshot(3, key_set(MINT), ["ses_a", "ses_b"]), delta(4, revoked=["ses_c"]))
    return view


def feed(view: FeedView, *messages: Message) -> None:
    """One stream from its opening."""
    view.begin()
    for message in messages:
        view.apply(message)


def test_a_snapshot_lets_go_of_what_it_does_not_name(view: FeedView) -> None:
    """Whichever message brought it; and what it names for the first time is dead."""
    feed(view, snapshot(5, key_set(MINT), ["ses_b", "ses_d"]))
    assert view.revoked == {"ses_b", "ses_d"}


def test_what_a_broken_snapshot_named_counts_for_nothing(view: FeedView) -> None:
    """The next one alone says who is dead."""
    feed(view, snapshot(5, key_set(MINT), ["ses_a", "ses_d"], complete=False))
    assert view.revoked == {"ses_a", "ses_b", "ses_c"}
    feed(view, snapshot(6, key_set(MINT), ["ses_b"]))
    assert view.revoked == {"ses_b"}


def test_a_snapshot_that_begins_anew_counts_from_there(view: FeedView) -> None:
    """Its first part brings the keys once more, and makes the parts before it void."""
    begun = snapshot(5, key_set(MINT), ["ses_a"], complete=False)
    feed(view, begun, snapshot(5, key_set(MINT), ["ses_c"]))
    assert view.revoked == {"ses_c"}


def test_a_death_after_a_snapshot_outlives_only_the_next_that_names_it(view: FeedView) -> None:
    """A delta for what is dead already changes nothing of that."""
    feed(view, snapshot(5, key_set(MINT), ["ses_a"]), delta(6, revoked=["ses_a", "ses_e"]))
    feed(view, snapshot(7, key_set(MINT), ["ses_e"]))
    assert view.revoked == {"ses_e"}


def test_listeners_hear_only_what_nobody_knew(view: FeedView) -> None:
    """A snapshot that says what is known already kills nobody again."""
    heard: list[set[str]] = []
    view.subscribe(lambda died: heard.append(set(died)))
    feed(view, snapshot(5, key_set(MINT), ["ses_a", "ses_c", "ses_d"]))
    feed(view, snapshot(6, key_set(MINT), ["ses_a", "ses_c", "ses_d"]))
    assert heard == [{"ses_d"}]


def parts(revision: int) -> Iterator[Message]:
    """Many deaths, in parts that are read from their bytes as in a call."""
    for start in range(0, MANY, 1_000):
        anchors = [f"mnd_{number:026}" for number in range(start, start + 1_000)]
        keys = None if start else key_set(MINT)
        message = snapshot(revision, keys, anchors, complete=start + 1_000 == MANY)
        yield Message.FromString(message.SerializeToString())


def test_a_second_snapshot_costs_no_second_set(view: FeedView) -> None:
    """At its peak it needs less than a tenth of what the first one left."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        feed(view, *parts(5))
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        view.begin()
        for message in parts(6):
            view.apply(message)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(view.revoked) == MANY
    assert peak - held < (held - before) / 10
