"""Filters of lists: what they say, what they fit, and where they are wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.filters import (
    MAX_COMPARISONS,
    MAX_FILTER,
    Comparison,
    Filter,
    Type,
    parse_filter,
)
from caracal_grpc.core.reason import Reason

FIELDS: dict[str, Type] = {"name": "text", "labels": "texts", "disabled": "flag"}
PAY = {"name": "payments", "labels": ("batch", "night:2"), "disabled": False}


def fits(text: str, thing: dict[str, Any]) -> bool:
    """Whether a filter fits a thing."""
    return parse_filter("filter", text, FIELDS).fits(thing.__getitem__)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "name=payments",
        'name = "payments"',
        'name = "pay*"',
        "name = *",
        "name != pay",
        "labels:batch",
        "labels:night:2",
        "labels : night*",
        "labels:*",
        "disabled = false",
        "disabled != true",
        'name = "p*"\n AND labels:batch AND disabled=false',
    ],
)
def test_filters_that_fit(text: str) -> None:
    """With and without quotes, with any space."""
    assert fits(text, PAY)


@pytest.mark.parametrize(
    "text",
    [
        "name = pay",
        r'name = "payments\*"',
        "name != pay*",
        "labels:night",
        "disabled = true",
        "name = payments AND disabled = true",
    ],
)
def test_filters_that_do_not_fit(text: str) -> None:
    """A star with a backslash is a star; every comparison must hold."""
    assert not fits(text, PAY)


def test_nothing_is_in_an_empty_list() -> None:
    """`labels:*` asks whether there is any."""
    assert not fits("labels:*", {**PAY, "labels": ()})


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("name", 5),
        ("name =", 7),
        ("name = a name = b", 10),
        ("name = a OR name = b", 10),
        ("age = 1", 1),
        ("name : a", 6),
        ("labels = a", 8),
        ("disabled = maybe", 12),
        ('disabled = "true"', 12),
        ('name = "open', 8),
        ("name = é", 8),
        ("(name = a)", 1),
        ("NOT name = a", 1),
        ("name = a AND", 13),
    ],
)
def test_what_is_wrong_is_said_with_its_column(text: str, column: int) -> None:
    """FIELD_INVALID for the field that the filter came in."""
    with pytest.raises(CaracalError) as refusal:
        parse_filter("filter", text, FIELDS)
    assert refusal.value.reason is Reason.FIELD_INVALID
    violation = refusal.value.violations[0]
    assert violation.field == "filter"
    assert violation.description.startswith(f"column {column}: ")


def test_filters_are_bounded() -> None:
    """In their length, and in how much they compare."""
    long = f'name = "{"x" * MAX_FILTER}"'
    many = " AND ".join(["name = a"] * (MAX_COMPARISONS + 1))
    for text in (long, many):
        with pytest.raises(CaracalError, match="at most"):
            parse_filter("filter", text, FIELDS)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Never anything else."""
    try:
        assert isinstance(parse_filter("filter", text, FIELDS), Filter)
    except CaracalError as error:
        assert error.reason is Reason.FIELD_INVALID


@given(st.text(max_size=40))
def test_any_text_can_be_asked_for_in_quotes(text: str) -> None:
    """With backslashes before what would end it, or stand for more."""
    quoted = "".join(f"\\{each}" if each in '"\\*' else each for each in text)
    found = parse_filter("filter", f'name = "{quoted}"', FIELDS)
    assert found.comparisons == (Comparison("name", "=", text),)
