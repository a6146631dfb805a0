"""Pages, and the tokens by which they go on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.paging import MAX_TOKEN, page_of


def pages(names: list[str], size: int) -> list[tuple[str, ...]]:
    """Every page of a list, one after the other."""
    found, token = [], ""
    while True:
        page = page_of(names, str, "all", size, token)
        found.append(page.items)
        token = page.next_token
        if not token:
            return found


@given(st.sets(st.text(min_size=1, max_size=40), max_size=30), st.integers(1, 10))
def test_pages_are_the_list(names: set[str], size: int) -> None:
    """Each of it once, in order, whatever the size; no page but the last is short."""
    found = pages(sorted(names), size)
    assert [name for page in found for name in page] == sorted(names)
    assert all(len(page) == size for page in found[:-1])


def test_page_goes_on_where_it_ended_though_others_came_and_went() -> None:
    """What is removed or made meanwhile moves nothing else."""
    first = page_of(["a", "b", "c", "d"], str, "all", 2, "")
    assert first.items == ("a", "b")
    second = page_of(["aa", "bb", "c", "e"], str, "all", 2, first.next_token)
    assert second.items == ("bb", "c")


@pytest.mark.parametrize("change", ["other question", "cut", "longer", "huge", "text"])
def test_token_of_another_list_is_refused(change: str) -> None:
    """FIELD_INVALID for one of another filter, and for any text that is none."""
    token = page_of(["a", "b"], str, "name = a", 1, "").next_token
    question = "name = b" if change == "other question" else "name = a"
    wrong = {
        "other question": token,
        "cut": token[:10],
        "longer": token + "f",
        "huge": token + "ff" * MAX_TOKEN,
        "text": "page 2",
    }[change]
    with pytest.raises(CaracalError, match="page_token"):
        page_of(["a", "b"], str, question, 1, wrong)


@given(st.text(min_size=1, max_size=60))
def test_any_token_is_a_page_or_refused(token: str) -> None:
    """Never anything else."""
    try:
        page_of(["a"], str, "all", 1, token)
    except CaracalError as error:
        assert error.violations[0].field == "page_token"
