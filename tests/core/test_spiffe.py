"""SPIFFE ids by their standard, and patterns that stand for some of one trust domain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core import spiffe
from caracal_grpc.core.limits import MAX_PATTERN_SEGMENTS, MAX_SPIFFE_ID
from caracal_grpc.core.reason import Reason
from tests.support.refusals import refused

WEB = "spiffe://shop.example/ns/shop/sa/web"


@pytest.mark.parametrize(
    "value",
    [
        WEB,
        "spiffe://a/b",
        "spiffe://10.0.0.1/b",
        "spiffe://under_score.example-1/A-z_0.9/...",
        f"spiffe://{'a' * 255}/b",
        "spiffe://a/" + "b" * (MAX_SPIFFE_ID - len("spiffe://a/")),
    ],
)
def test_id_of_a_workload(value: str) -> None:
    """Any characters that the standard has, up to its lengths."""
    assert spiffe.is_spiffe_id(value)
    assert spiffe.require_pattern("id", value) == value
    assert spiffe.matches(value, value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "spiffe://",
        "spiffe:///b",
        "spiffe://a",
        "spiffe://a/",
        "spiffe://a/b/",
        "spiffe://a//b",
        "spiffe://a/./b",
        "spiffe://a/../b",
        "spiffe://a/b/..",
        "spiffe://a/b/.",
        "spiffe://a/%62",
        "spiffe://a/b?c=d",
        "spiffe://a/b#c",
        "spiffe://a/b\n",
        "spiffe://a/b c",
        "spiffe://a/bé",
        "spiffe://A/b",
        "SPIFFE://a/b",
        "https://a/b",
        "spiffe://a:443/b",
        "spiffe://me@a/b",
        f"spiffe://{'a' * 256}/b",
        "spiffe://a/" + "b" * (MAX_SPIFFE_ID - len("spiffe://a/") + 1),
    ],
)
def test_what_is_no_id_is_shown_by_nobody(value: str) -> None:
    """Neither by itself, nor where a pattern would take it as text."""
    assert not spiffe.is_spiffe_id(value)
    assert spiffe.trust_domain_of(value) is None
    assert not spiffe.matches(value, value)
    assert not spiffe.matches("spiffe://a/*/b", value)
    with refused(Reason.FIELD_INVALID) as seen:
        spiffe.require_pattern("id", value)
    assert seen.fields == ["id"]


def test_trust_domain_is_told_from_its_workloads() -> None:
    """It is an id without a path, and nobody is it."""
    assert spiffe.is_trust_domain("spiffe://shop.example")
    assert spiffe.trust_domain_of(WEB) == "spiffe://shop.example"
    for odd in (WEB, "spiffe://shop.example/", "spiffe://", "spiffe://Shop", "shop.example"):
        assert not spiffe.is_trust_domain(odd)
    assert not spiffe.is_trust_domain(f"spiffe://{'a' * 256}")


@pytest.mark.parametrize(
    ("pattern", "holds", "holds_not"),
    [
        (
            "spiffe://a/ns/*/sa/web",
            ["spiffe://a/ns/shop/sa/web", "spiffe://a/ns/.../sa/web"],
            [
                "spiffe://a/ns/sa/web",
                "spiffe://a/ns/x/y/sa/web",
                "spiffe://a/ns/x/sa/web2",
                "spiffe://a/ns/x/sa/Web",
                "spiffe://a/ns/x/sa",
                "spiffe://a/ns/x/sa/web/more",
                "spiffe://b/ns/x/sa/web",
                "spiffe://a/ns/*/sa/web",
            ],
        ),
        ("spiffe://a/b/*", ["spiffe://a/b/c"], ["spiffe://a/b", "spiffe://a/b/c/d"]),
        ("spiffe://a/*/*/c", ["spiffe://a/x/y/c"], ["spiffe://a/x/c", "spiffe://a/x/y/z"]),
    ],
)
def test_pattern_holds_of_whole_segments(
    pattern: str, holds: list[str], holds_not: list[str]
) -> None:
    """One `*`, one segment, whatever is in it; all else is as it is written."""
    assert spiffe.require_pattern("id", pattern) == pattern
    assert all(spiffe.matches(pattern, each) for each in holds)
    assert not any(spiffe.matches(pattern, each) for each in holds_not)


@pytest.mark.parametrize(
    "pattern",
    [
        "spiffe://*/ns/web",
        "spiffe://*.example/ns/web",
        "spiffe://a/*",
        "spiffe://a/*/*",
        "spiffe://a/ns/w*",
        "spiffe://a/ns/*b/c",
        "spiffe://a/ns/**",
        "spiffe://a/ns/**/c",
        "spiffe://a/ns/*/",
        "*",
        "spiffe://a/b/*" + "/c" * (MAX_PATTERN_SEGMENTS - 1),
    ],
)
def test_pattern_that_says_too_much_is_refused(pattern: str) -> None:
    """Of any trust domain, of all its workloads, of a part of a segment, or of many segments."""
    with refused(Reason.FIELD_INVALID):
        spiffe.require_pattern("id", pattern)


SEGMENTS = st.lists(st.sampled_from(["a", "b", spiffe.ANY]), min_size=1, max_size=4)


def under(segments: list[str]) -> str:
    """The id or pattern with these segments."""
    return "/".join(["spiffe://t", *segments])


@given(SEGMENTS, SEGMENTS)
def test_patterns_overlap_when_an_id_is_of_both(one: list[str], other: list[str]) -> None:
    """Whoever is first; an id is a pattern of itself."""
    first, second = under(one), under(other)
    pairs = list(zip(one, other, strict=False))
    both = [here if there == spiffe.ANY else there for here, there in pairs]
    witness = under(["a" if each == spiffe.ANY else each for each in both])
    known = len(one) == len(other)
    expected = known and spiffe.matches(first, witness) and spiffe.matches(second, witness)
    assert spiffe.overlap(first, second) == spiffe.overlap(second, first) == expected
