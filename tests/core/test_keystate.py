"""The life of keys, computed from their times alone."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from caracal_grpc.core.keystate import (
    KeyState,
    KeyTimes,
    next_change,
    require_rotatable,
    retire_times,
    signer,
    states,
    verifying,
)
from caracal_grpc.core.limits import LEEWAY, MAX_LIVE_KEYS, MAX_SESSION_TTL
from caracal_grpc.core.reason import Reason
from tests.support.refusals import refused

AFTERLIFE = MAX_SESSION_TTL + 2 * LEEWAY
TIMES = st.integers(0, 20_000).map(float)


@st.composite
def keys(draw: st.DrawFn) -> list[KeyTimes]:
    """Any keys of a zone, in any order, some of them revoked."""
    times = draw(st.lists(st.tuples(TIMES, st.booleans()), min_size=1, max_size=6))
    return [KeyTimes(f"key_{index}", at, at, revoked) for index, (at, revoked) in enumerate(times)]


ROTATED = [KeyTimes("old", 0, 0), KeyTimes("new", 85, 100)]


def test_key_goes_through_its_states() -> None:
    """Pending until its time, active until its successor's, retiring while anything may live."""
    moments = {
        99.9: (KeyState.ACTIVE, KeyState.PENDING),
        100.0: (KeyState.RETIRING, KeyState.ACTIVE),
        100.0 + AFTERLIFE - 0.1: (KeyState.RETIRING, KeyState.ACTIVE),
        100.0 + AFTERLIFE: (KeyState.RETIRED, KeyState.ACTIVE),
    }
    for now, (old, new) in moments.items():
        assert states(ROTATED, now) == {"old": old, "new": new}, now


@given(keys(), TIMES)
def test_at_most_one_key_signs(known: list[KeyTimes], now: float) -> None:
    """And it verifies, and is not revoked."""
    active = [kid for kid, state in states(known, now).items() if state is KeyState.ACTIVE]
    assert len(active) <= 1
    assert signer(known, now) == (active[0] if active else None)
    assert set(active) <= verifying(known, now)
    assert not {key.kid for key in known if key.revoked} & verifying(known, now)


@given(keys(), TIMES)
def test_what_was_signed_verifies_while_it_lives(known: list[KeyTimes], now: float) -> None:
    """A mandate of the longest life is never cut short by a rotation, with leeway on both sides."""
    kid = signer(known, now)
    assume(kid is not None)
    assert kid in verifying(known, now + MAX_SESSION_TTL + LEEWAY)


@given(keys(), TIMES, TIMES)
def test_state_never_goes_back(known: list[KeyTimes], first: float, second: float) -> None:
    """Time moves keys one way only."""
    order = list(KeyState)
    early, late = (states(known, now) for now in sorted((first, second)))
    assert all(order.index(early[kid]) <= order.index(late[kid]) for kid in early)


@given(keys(), TIMES)
def test_verifying_keys_change_when_it_is_said(known: list[KeyTimes], now: float) -> None:
    """Up to `next_change` the set stays as it is."""
    change = next_change(known, now)
    until = now + 10 * AFTERLIFE if change is None else change - 0.001
    assert verifying(known, until) == verifying(known, now)


def test_rotation_waits_for_a_pending_key() -> None:
    """KEY_STATE_CONFLICT with the key and the wait."""
    with refused(Reason.KEY_STATE_CONFLICT) as seen:
        require_rotatable(ROTATED, 90)
    assert seen.metadata == {"key": "new"}
    assert seen.error is not None
    assert seen.error.retry_after == 10
    require_rotatable(ROTATED, 100)


def test_rotation_stops_at_as_many_keys_as_edges_hold() -> None:
    """KEY_STATE_CONFLICT until the oldest has retired."""
    many = [KeyTimes(f"key_{n:02}", n, n) for n in range(MAX_LIVE_KEYS)]
    with refused(Reason.KEY_STATE_CONFLICT) as seen:
        require_rotatable(many, 100)
    assert seen.error is not None
    assert seen.error.retry_after == 1 + AFTERLIFE - 100
    require_rotatable(many, 1 + AFTERLIFE)


def test_revoked_key_is_out_of_the_line() -> None:
    """Its predecessor goes on until the next one that is not revoked."""
    line = [KeyTimes("a", 0, 0), KeyTimes("b", 1, 10, revoked=True), KeyTimes("c", 2, 20)]
    assert retire_times(line) == {"a": 20, "c": None}
    assert states(line, 15)["b"] is KeyState.RETIRED
    assert signer(line, 15) == "a"


def test_zone_without_keys_signs_nothing() -> None:
    """`None`."""
    assert signer([], 0) is None
    assert next_change([], 0) is None
