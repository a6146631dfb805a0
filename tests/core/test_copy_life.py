"""How long a copy of a key set may be kept by who hears of nothing."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from caracal_grpc.core.keystate import KeyTimes, copy_life, publication, signer, verifying
from caracal_grpc.core.limits import LEEWAY, MAX_SESSION_TTL
from caracal_grpc.core.zone import Zone

ZONE = Zone("shop", "https://a.example/zones/shop", jwks_max_age=60)
FIRST = KeyTimes("first", 0.0, 0.0)
NOW = 1_000.0


def test_it_is_what_the_zone_says() -> None:
    """While no key goes by itself."""
    assert copy_life(ZONE, [FIRST], 0.0, NOW) == 60


def test_nobody_keeps_one_where_the_zone_says_nothing() -> None:
    """Every consumer is on the feed."""
    assert copy_life(replace(ZONE, jwks_max_age=0), [FIRST], 0.0, NOW) == 0


def test_what_it_is_made_of_may_be_old() -> None:
    """It is as old as the view; one that is older than it may be is none."""
    assert copy_life(ZONE, [FIRST], 1.5, NOW) == 58
    assert copy_life(ZONE, [FIRST], 61.0, NOW) == 0


def test_it_ends_with_a_key_that_goes() -> None:
    """Whoever keeps it trusts no key for longer than it verifies."""
    second = KeyTimes("second", 900.0, 1_000.0)
    gone = second.activates_at + MAX_SESSION_TTL + 2 * LEEWAY
    assert copy_life(ZONE, [FIRST, second], 0.0, gone - 10.5) == 10
    assert copy_life(ZONE, [FIRST, second], 0.0, gone + 1) == 60


@settings(deadline=None)
@given(
    st.integers(0, 3_600),
    st.integers(1, 60),
    st.floats(0, 10_000),
    st.floats(0, 10_000),
    st.floats(0, 1),
)
def test_no_copy_lacks_the_key_that_signs(
    max_age: int, publish: int, rotated: float, made: float, within: float
) -> None:
    """Made at any moment around a rotation, and used at any moment while it is good."""
    zone = replace(ZONE, jwks_max_age=max_age, key_publish=publish)
    both = [FIRST, KeyTimes("second", rotated, rotated + publication(zone, rotated))]
    known = both if made >= rotated else [FIRST]
    copy = verifying(known, made)
    used = made + within * copy_life(zone, known, 0.0, made)
    assert signer(both, used) in copy
