"""The life of keys, computed from their times alone."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from caracal_grpc.core.keystate import (
    KeyState,
    KeyTimes,
    is_due,
    next_change,
    publication,
    replaced_at_once,
    require_retirable,
    require_rotatable,
    retire_times,
    signer,
    states,
    verifying,
)
from caracal_grpc.core.limits import (
    DEFAULT_KEY_PUBLISH,
    DEFAULT_MAX_STALENESS,
    LEEWAY,
    MAX_LIVE_KEYS,
    MAX_SESSION_TTL,
)
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.zone import Zone
from tests.support.refusals import refused

AFTERLIFE = MAX_SESSION_TTL + 2 * LEEWAY
TIMES = st.integers(0, 20_000).map(float)


@st.composite
def keys(draw: st.DrawFn) -> list[KeyTimes]:
    """Any keys of a zone, in any order, some of them ended at any time."""
    pairs = st.tuples(TIMES, st.none() | TIMES)
    times = draw(st.lists(pairs, min_size=1, max_size=6, unique_by=lambda pair: pair[0]))
    return [KeyTimes(f"key_{index}", at, at, ended) for index, (at, ended) in enumerate(times)]


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
    """And it verifies, and is not ended."""
    active = [kid for kid, state in states(known, now).items() if state is KeyState.ACTIVE]
    assert len(active) <= 1
    assert signer(known, now) == (active[0] if active else None)
    assert set(active) <= verifying(known, now)
    assert not {key.kid for key in known if key.ended_at is not None} & verifying(known, now)


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


def test_key_that_is_ended_before_it_signs_is_out_of_the_line() -> None:
    """Its predecessor goes on until the next one."""
    line = [KeyTimes("a", 0, 0), KeyTimes("b", 1, 10, 5), KeyTimes("c", 2, 20)]
    assert retire_times(line) == {"a": 20, "c": None}
    assert states(line, 15)["b"] is KeyState.RETIRED
    assert signer(line, 15) == "a"


def test_key_that_is_compromised_is_succeeded_at_once() -> None:
    """Also where the clock is behind; what it had taken over from does not come back to life."""
    old, bad = KeyTimes("a", 0, 0), KeyTimes("b", 0, 5_000, 9_000, compromised=True)
    new = KeyTimes("A", 9_000, replaced_at_once(bad, 9_000))
    for now in (9_000, 9_000 - 2 * LEEWAY):
        assert states([old, bad, new], now) == {
            "a": KeyState.RETIRED,
            "b": KeyState.RETIRED,
            "A": KeyState.ACTIVE,
        }
    assert retire_times([old, bad, new])["a"] == 5_000


@given(keys(), TIMES, TIMES)
def test_compromise_revives_nothing(known: list[KeyTimes], signed: float, after: float) -> None:
    """What did not verify before does not verify after, at any time; and somebody signs."""
    now = max(signed, after)
    kid = signer(known, now)
    assume(kid is not None)
    bad = next(key for key in known if key.kid == kid)
    ended = KeyTimes(bad.kid, bad.created_at, bad.activates_at, now, compromised=True)
    new = KeyTimes("new", now, replaced_at_once(bad, now))
    then = [ended if key is bad else key for key in known] + [new]
    assert verifying(then, now) == (verifying(known, now) - {bad.kid}) | {"new"}
    assert signer(then, now) == "new"


@given(keys(), TIMES, TIMES)
def test_ended_key_never_verifies_again(known: list[KeyTimes], one: float, two: float) -> None:
    """Whatever its times say."""
    ended = {key.kid for key in known if key.ended_at is not None}
    for now in (one, two, 10**9):
        assert not verifying(known, now) & ended
        assert signer(known, now) not in ended


def test_key_is_published_for_the_slowest_consumer() -> None:
    """The feed's, or that of copies of the key set, with a leeway for their clocks."""

    def zone(**settings: int) -> Zone:
        return Zone("shop", "https://a.example/zones/shop", **settings)

    assert publication(zone(), 0) == DEFAULT_KEY_PUBLISH
    assert publication(zone(key_publish=20, jwks_max_age=10), 0) == 20
    assert publication(zone(key_publish=20, jwks_max_age=300), 0) == 300 + LEEWAY
    earlier = zone(key_publish=20, jwks_max_age=10, copied_until=1_300)
    assert [publication(earlier, now) for now in (1_000, 1_250, 1_290, 2_000)] == [
        300 + LEEWAY,
        50 + LEEWAY,
        20,
        20,
    ]
    assert DEFAULT_KEY_PUBLISH >= DEFAULT_MAX_STALENESS + LEEWAY, "an edge may know it later"


def test_key_is_due_when_it_signed_for_long_enough() -> None:
    """Once: not while another is pending, however far off a clock is."""
    assert not is_due(ROTATED, 1_000, 1_099)
    assert is_due(ROTATED, 1_000, 1_100)
    later = [*ROTATED, KeyTimes("newest", 1_100, 1_115)]
    for now in (1_100, 1_114.9, 1_115, 2_114):
        assert not is_due(later, 1_000, now), now
    assert not is_due(ROTATED, 1_000, 50), "the clock is behind"
    assert not is_due([*ROTATED, KeyTimes("far", 10**9, 10**9)], 1_000, 2_000), "one was ahead"
    assert not is_due([], 1_000, 2_000)


def test_key_is_due_when_none_signs() -> None:
    """As when the one that a backup brought back was compromised since."""
    ended = KeyTimes("ended", 0, 0, ended_at=10, compromised=True)
    assert is_due([ended], 1_000, 20)
    assert not is_due([ended, KeyTimes("next", 20, 35)], 1_000, 20)


def test_only_a_key_of_which_nothing_lives_is_retired() -> None:
    """KEY_STATE_CONFLICT with how long to wait; none for the one that signs."""
    line = [KeyTimes("a", 0, 0), KeyTimes("b", 0, 100), KeyTimes("c", 0, 5_000)]
    waits: dict[tuple[str, float], float | None] = {
        ("b", 200): None,
        ("a", 200): 100 + AFTERLIFE - 200,
        ("c", 4_995): 5_000 + AFTERLIFE - 4_995,
    }
    for (kid, now), wait in waits.items():
        with refused(Reason.KEY_STATE_CONFLICT) as seen:
            require_retirable(line, kid, 0, now)
        assert seen.error is not None
        assert (seen.metadata["key"], seen.error.retry_after) == (kid, wait)
    require_retirable(line, "c", 0, 200)
    require_retirable(line, "a", 0, 100 + AFTERLIFE)
    require_retirable(line, "a", 100 + 2 * LEEWAY + 1, 200)


def test_zone_without_keys_signs_nothing() -> None:
    """`None`."""
    assert signer([], 0) is None
    assert next_change([], 0) is None
