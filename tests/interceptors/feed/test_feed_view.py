"""The view that the feed builds, message by message, and what it refuses to believe."""

from __future__ import annotations

import math
from collections.abc import Set as AbstractSet

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Trust
from caracal_grpc.interceptors.feed.feed_view import FeedView
from caracal_grpc.v1 import revocation_service_pb2
from tests.support import feed as messages
from tests.support.clock import FakeClock
from tests.support.feed import Message, delta, key_set, snapshot
from tests.support.keys import ISSUER, ZONE, Mint


@pytest.fixture
def clock() -> FakeClock:
    """The time, in the hand of the test."""
    return FakeClock()


@pytest.fixture
def view(clock: FakeClock) -> FeedView:
    """An empty view."""
    return FeedView(zone=ZONE, issuer=ISSUER, clock=clock)


@pytest.fixture
def mint() -> Mint:
    """A key of the zone."""
    return Mint()


def heartbeat(revision: int, age: float = 0.0) -> Message:
    """A heartbeat of an authority whose clock stands still."""
    return messages.heartbeat(revision, age, at=FakeClock().wall)


def feed(view: FeedView, *messages: Message) -> None:
    """One stream from its opening."""
    view.begin()
    more(view, *messages)


def more(view: FeedView, *messages: Message) -> None:
    """The stream goes on."""
    for message in messages:
        view.apply(message)


def refusal(view: FeedView, *messages: Message) -> Reason:
    """Why the last of `messages` breaks a fresh stream."""
    feed(view, *messages[:-1])
    with pytest.raises(CaracalError) as caught:
        view.apply(messages[-1])
    return caught.value.reason


def test_an_empty_view_is_infinitely_old(view: FeedView) -> None:
    """And knows no key."""
    assert view.age() == math.inf
    assert (len(view.keys), set(view.revoked), view.trust("key_1")) == (0, set(), None)


def test_a_snapshot_and_a_heartbeat_make_a_view(
    view: FeedView, mint: Mint, clock: FakeClock
) -> None:
    """Keys, trust and deaths are there; the age counts from the heartbeat, its own age included."""
    feed(view, snapshot(7, key_set(mint), ["ses_1"]), heartbeat(7, 2.5))
    assert view.keys[mint.key.kid] == mint.public
    assert view.trust(mint.key.kid) == Trust(ZONE, ISSUER, 900, 5)
    assert view.trust("key_other") is None
    assert (set(view.revoked), view.revision) == ({"ses_1"}, 7)
    clock.advance(1.0)
    assert view.age() == pytest.approx(3.5)


def test_a_snapshot_alone_proves_nothing_about_freshness(view: FeedView, mint: Mint) -> None:
    """An authority that lost its store still has one to give."""
    feed(view, snapshot(7, key_set(mint)))
    assert view.age() == math.inf


def test_deltas_alone_do_not_make_a_view_younger(
    view: FeedView, mint: Mint, clock: FakeClock
) -> None:
    """Only the heartbeat says how old the authority's own view is."""
    feed(view, snapshot(7, key_set(mint)), heartbeat(7))
    clock.advance(5.0)
    more(view, delta(8, revoked=["ses_1"]))
    assert view.age() == pytest.approx(5.0)


def test_the_view_before_stays_in_force_until_a_snapshot_is_complete(
    view: FeedView, mint: Mint
) -> None:
    """Parts collect aside."""
    other = Mint()
    feed(view, snapshot(7, key_set(mint), ["ses_1"]), heartbeat(7))
    feed(
        view,
        snapshot(9, key_set(other), ["ses_2"], complete=False),
        snapshot(9, revoked=["ses_3"], complete=False),
    )
    assert (set(view.keys), set(view.revoked), view.revision) == ({mint.key.kid}, {"ses_1"}, 7)
    more(view, snapshot(9))
    assert set(view.keys) == {other.key.kid}
    assert (set(view.revoked), view.revision) == ({"ses_2", "ses_3"}, 9)


def test_a_delta_adds_and_releases(view: FeedView, mint: Mint) -> None:
    """And a key set in it replaces the one before."""
    other = Mint()
    feed(view, snapshot(7, key_set(mint), ["ses_1"]))
    more(view, delta(8, key_set(mint, other), ["ses_2"], ["ses_1"]))
    assert set(view.keys) == {mint.key.kid, other.key.kid}
    assert (set(view.revoked), view.revision) == ({"ses_2"}, 8)


def test_an_old_delta_releases_nothing_and_changes_no_key(view: FeedView, mint: Mint) -> None:
    """What it kills is dead all the same."""
    feed(view, snapshot(7, key_set(mint), ["ses_1"]))
    more(view, delta(7, key_set(), ["ses_2"], ["ses_1"]))
    assert set(view.keys) == {mint.key.kid}
    assert (set(view.revoked), view.revision) == ({"ses_1", "ses_2"}, 7)


def test_a_death_wins_over_a_release_in_the_same_message(view: FeedView, mint: Mint) -> None:
    """In doubt, dead."""
    feed(view, snapshot(7, key_set(mint)), delta(8, revoked=["ses_1"], released=["ses_1"]))
    assert set(view.revoked) == {"ses_1"}


def test_a_heartbeat_from_the_past_is_no_proof(
    view: FeedView, mint: Mint, clock: FakeClock
) -> None:
    """Its revision is below what was applied."""
    feed(view, snapshot(7, key_set(mint)), heartbeat(7))
    clock.advance(4.0)
    more(view, heartbeat(6))
    assert (view.age(), view.revision) == (pytest.approx(4.0), 7)


def test_a_heartbeat_within_a_snapshot_is_no_proof(view: FeedView, mint: Mint) -> None:
    """The view is not complete yet."""
    feed(view, snapshot(7, key_set(mint), complete=False), heartbeat(7))
    assert view.age() == math.inf


def test_a_negative_age_makes_no_view_younger_than_now(view: FeedView, mint: Mint) -> None:
    """A broken clock on the other side buys no time."""
    feed(view, snapshot(7, key_set(mint)), heartbeat(7, -60.0))
    assert view.age() == 0.0


def test_listeners_hear_of_new_deaths_only(view: FeedView, mint: Mint) -> None:
    """By delta, and by what a snapshot after a gap holds more than the one before."""
    heard: list[AbstractSet[str]] = []
    stop = view.subscribe(lambda dead: heard.append(set(dead)))
    feed(view, snapshot(7, key_set(mint), ["ses_1"]), delta(8, revoked=["ses_1", "ses_2"]))
    feed(view, snapshot(9, key_set(mint), ["ses_1", "ses_2", "ses_3"]))
    stop()
    more(view, delta(10, revoked=["ses_4"]))
    assert heard == [{"ses_1"}, {"ses_2"}, {"ses_3"}]


def test_listeners_hear_of_keys_that_vanish(view: FeedView, mint: Mint) -> None:
    """By delta and by snapshot."""
    first, second = Mint(), Mint()
    heard: list[AbstractSet[str]] = []
    view.subscribe(heard.append)
    feed(view, snapshot(7, key_set(first, second, mint)), delta(8, key_set(second, mint)))
    feed(view, snapshot(9, key_set(mint)))
    assert [set(dead) for dead in heard] == [{first.key.kid}, {second.key.kid}]


def test_a_listener_that_fails_does_not_keep_the_others_ignorant(
    view: FeedView, mint: Mint, caplog: pytest.LogCaptureFixture
) -> None:
    """Its failure is logged, and the message is applied."""
    heard: list[AbstractSet[str]] = []

    def fail(_: AbstractSet[str]) -> None:
        raise ValueError("fell over")

    view.subscribe(fail)
    view.subscribe(heard.append)
    feed(view, snapshot(7, key_set(mint), ["ses_1"]))
    assert heard == [{"ses_1"}]
    assert "fell over" in caplog.text


def test_an_equal_key_set_keeps_its_objects(view: FeedView, mint: Mint) -> None:
    """So that a reconnect does not make every remembered token be verified again."""
    feed(view, snapshot(7, key_set(mint)))
    before = view.keys
    feed(view, snapshot(8, key_set(mint)))
    assert view.keys is before


@pytest.mark.parametrize("zone", ["umbrella", ""])
def test_the_feed_of_another_zone_is_refused(view: FeedView, mint: Mint, zone: str) -> None:
    """Nothing of it is believed."""
    feed(view, snapshot(7, key_set(mint)))
    assert refusal(view, snapshot(8, key_set(Mint(), zone=zone))) is Reason.ZONE_MISMATCH
    assert set(view.keys) == {mint.key.kid}


def test_the_feed_of_another_issuer_is_refused(view: FeedView, mint: Mint) -> None:
    """In a snapshot, and in a delta later on."""
    evil = key_set(Mint(), issuer="https://evil.test/zones/acme")
    assert refusal(view, snapshot(7, evil)) is Reason.ISSUER_MISMATCH
    assert refusal(view, snapshot(7, key_set(mint)), delta(8, evil)) is Reason.ISSUER_MISMATCH
    assert set(view.keys) == {mint.key.kid}


BROKEN = {
    "a delta before the snapshot": (delta(1),),
    "a delta within a snapshot": (snapshot(1, key_set(), complete=False), delta(2)),
    "a snapshot without keys": (snapshot(1),),
    "a revision that goes down": (snapshot(5, key_set()), snapshot(4, key_set())),
    "an unknown event": (Message(revision=1),),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_stream_that_breaks_the_contract_is_dropped(view: FeedView, case: str) -> None:
    """The driver opens another one; the view grows old meanwhile."""
    assert refusal(view, *BROKEN[case]) is Reason.AUTHORITY_STALE


def test_a_key_that_is_none_is_refused(view: FeedView) -> None:
    """No key set is believed in part."""
    keys = key_set(Mint(), Mint())
    keys.keys[1].x = "AAAA"
    assert refusal(view, snapshot(1, keys)) is Reason.FIELD_INVALID
    assert len(view.keys) == 0


def test_a_part_that_is_left_behind_by_a_broken_stream_is_forgotten(
    view: FeedView, mint: Mint
) -> None:
    """A new stream begins from nothing."""
    feed(view, snapshot(7, key_set(mint), ["ses_1"], complete=False))
    feed(view, snapshot(8, key_set(mint), ["ses_2"]))
    assert set(view.revoked) == {"ses_2"}


def test_the_messages_are_those_of_the_contract() -> None:
    """The three events, and no fourth that a guard would have to know."""
    event = revocation_service_pb2.RevocationServiceWatchResponse.DESCRIPTOR.oneofs_by_name["event"]
    assert [field.name for field in event.fields] == ["snapshot", "delta", "heartbeat"]
