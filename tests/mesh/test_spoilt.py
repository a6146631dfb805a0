"""Ids that are nobody's: none is missed in its time, however many there are."""

from __future__ import annotations

from caracal_grpc.mesh.spoilt import Spoilt

HOLD = 60.0


def test_each_is_found_in_its_time() -> None:
    """Also of those that come while the first are forgotten."""
    spoilt = Spoilt(HOLD)
    for second in range(200):
        spoilt.add(f"id-{second}", float(second))
        since = max(0, second - int(HOLD) + 1)
        assert all(spoilt.has(f"id-{each}", float(second)) for each in range(since, second + 1))


def test_each_is_forgotten() -> None:
    """After twice its time at most, whether or not others come."""
    spoilt = Spoilt(HOLD)
    spoilt.add("early", 1.0)
    spoilt.add("late", 50.0)
    assert spoilt.has("early", 60.0)
    assert spoilt.has("late", 109.0)
    assert not spoilt.has("early", 122.0)
    assert not spoilt.has("late", 200.0)


def test_another_is_none_of_them() -> None:
    """But by an accident that is rarer than one in ten thousand here."""
    spoilt = Spoilt(HOLD)
    for number in range(20_000):
        spoilt.add(f"theirs-{number}", 0.0)
    assert sum(spoilt.has(f"ours-{number}", 0.0) for number in range(10_000)) <= 1


def test_nobody_can_tell_which_is_taken_for_one() -> None:
    """Each process has fields of its own."""
    one, other = Spoilt(HOLD), Spoilt(HOLD)
    assert one._marks("an id") != other._marks("an id")
