"""Searches on every engine: any order, pages that stay true, and questions that are refused."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.ledger.entries import walk
from caracal_grpc.ledger.entries.page_token import Place, page_token
from caracal_grpc.ledger.entries.walk import ORDERS
from caracal_grpc.ledger.port import Filter
from caracal_grpc.ledger.sql import SqlLedger
from tests.ledger.support import entry, fill

TEXTS = ("", "Z", "a", "", "é", "z", "a", "\U0001f600", "\uffff")
"""In the order of their bytes after the empty ones: Z, a, z, é, U+FFFF, U+1F600."""

TIMES = (5, 3, 9, 1, 7, 3, 8, 2, 6)


async def various(ledger: SqlLedger) -> list[dict[str, Any]]:
    """Entries that differ in every field, told by the names of the orders."""
    facts: list[dict[str, Any]] = []
    for text, other, time in zip(TEXTS, reversed(TEXTS), TIMES, strict=True):
        fields: dict[str, Any] = {
            "application": text,
            "subject": other,
            "resource": text,
            "time_ms": time,
        }
        kind = "exchange" if time % 2 else "revocation"
        await ledger.append(entry(type=kind, **fields))
        facts.append({**fields, "time": time, "index": len(facts), "type": kind})
    return facts


async def found(ledger: SqlLedger, query: Filter, size: int = 2) -> list[int]:
    """The indexes of all pages."""
    indexes, token = [], ""
    while True:
        page = await ledger.search("shop", query, page_size=size, page_token=token)
        indexes += [each.index for each in page.entries]
        token = page.next_page_token
        if not token:
            return indexes


def in_order(facts: list[dict[str, Any]], by: str, *, backward: bool = False) -> list[int]:
    """The indexes as they have to come."""

    def place(fact: dict[str, Any]) -> tuple[Any, int]:
        value = fact[by]
        return (value.encode() if isinstance(value, str) else value), fact["index"]

    return [each["index"] for each in sorted(facts, key=place, reverse=backward)]


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("order_by", ["index", "time", "type", "application", "subject"])
@pytest.mark.parametrize("few", [0, 2_000])
async def test_any_order_gives_every_entry_once(
    ledger: SqlLedger,
    order_by: str,
    backward: bool,
    few: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What has not got the field first, text by its bytes, equals by index; and the reverse of it,
    whether there are few to be sorted or an index is followed.
    """
    monkeypatch.setattr(walk, "FEW", few)
    facts = await various(ledger)

    query = Filter(order_by=order_by, newest_first=backward)
    assert await found(ledger, query) == in_order(facts, order_by, backward=backward)

    query = Filter(order_by=order_by, newest_first=backward, type="exchange", since=2, until=9)
    some = [each for each in facts if each["type"] == "exchange" and 2 <= each["time"] < 9]
    assert await found(ledger, query) == in_order(some, order_by, backward=backward)


async def test_what_a_field_equals_is_in_the_order_of_the_index(ledger: SqlLedger) -> None:
    """Ordered by the field that is asked for, all are equal."""
    await various(ledger)
    query = Filter(application="a", order_by="application", newest_first=True)
    assert await found(ledger, query, 1) == [6, 2]


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("order_by", ["index", "time", "application"])
async def test_what_is_rare_is_looked_for_stretch_by_stretch(
    ledger: SqlLedger, order_by: str, backward: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So much is passed by in one go and no more; all goes together find everything once."""
    monkeypatch.setattr(walk, "FEW", 0)
    monkeypatch.setattr(walk, "SPAN", 2)
    facts = await various(ledger)
    wanted = [each for each in facts if each["type"] == "exchange" and each["resource"] == "a"]
    query = Filter(order_by=order_by, newest_first=backward, type="exchange", resource="a")
    token, indexes, empty = "", [], 0
    while True:
        page = await ledger.search("shop", query, page_size=9, page_token=token, briefly=True)
        indexes += [each.index for each in page.entries]
        empty += not page.entries
        token = page.next_page_token
        if not token:
            break
    assert indexes == in_order(wanted, order_by, backward=backward)
    assert empty or order_by == "index", "a page may be empty, but only for who wants it so"
    assert await found(ledger, query, 1) == indexes
    (first, *_) = (await ledger.search("shop", query, page_size=1)).entries
    assert first.index == indexes[0]


@pytest.mark.parametrize("order_by", ["index", "time", "resource"])
async def test_a_search_finds_what_was_there_when_it_began(
    ledger: SqlLedger, order_by: str
) -> None:
    """What is appended between two pages is in none of them, and disturbs none."""
    facts = await various(ledger)
    indexes, token = [], ""
    while True:
        query = Filter(order_by=order_by)
        page = await ledger.search("shop", query, page_size=2, page_token=token)
        indexes += [each.index for each in page.entries]
        await ledger.append(entry(resource="b", time_ms=4))
        token = page.next_page_token
        if not token:
            break
    assert indexes == in_order(facts, order_by)
    assert page.size == await ledger.size("shop") - 1


@pytest.mark.parametrize("order_by", ["index", "time"])
async def test_what_is_pruned_between_two_pages_disturbs_none(
    ledger: SqlLedger, order_by: str
) -> None:
    """It is missing, even if it was the last that was given; all else is there once."""
    old = [entry(time_ms=1_000 + number) for number in range(300)]
    new = [entry(time_ms=5_000 + number) for number in range(300)]
    await ledger.append_all(old)
    await ledger.append_all(new)
    query = Filter(order_by=order_by)
    first = await ledger.search("shop", query, page_size=100)
    await ledger.prune("shop", 5_000)
    left = set(await found(ledger, query, 500))
    token, indexes = first.next_page_token, []
    while token:
        page = await ledger.search("shop", query, page_size=100, page_token=token)
        indexes += [each.index for each in page.entries]
        token = page.next_page_token
    assert page.pruned > 100
    assert indexes == sorted(left - set(range(100)))


async def test_a_range_of_indexes_is_found(ledger: SqlLedger) -> None:
    """From inclusive to exclusive, beside every other filter."""
    facts = await various(ledger)
    assert await found(ledger, Filter(start=2, end=6)) == [2, 3, 4, 5]
    assert await found(ledger, Filter(start=7, newest_first=True)) == [8, 7]
    assert await found(ledger, Filter(start=50)) == []
    assert await found(ledger, Filter(start=4, end=2)) == []
    some = [each for each in facts if 2 <= each["index"] < 6]
    assert await found(ledger, Filter(start=2, end=6, order_by="time")) == in_order(some, "time")


async def test_bounds_in_time_hold_though_time_runs_back(
    ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the index begins and ends is looked up, and each time is compared even so."""
    monkeypatch.setattr(walk, "FEW", 2)
    facts = await various(ledger)
    for backward in (False, True):
        for bounds in ({"since": 6}, {"until": 4}, {"since": 3, "until": 8}, {"since": 50}):
            query = Filter(newest_first=backward, **bounds)  # type: ignore[arg-type]
            since, until = bounds.get("since", 0), bounds.get("until", 100)
            some = [each for each in facts if since <= each["time"] < until]
            assert await found(ledger, query) == in_order(some, "index", backward=backward)


async def test_entries_that_are_about_something_are_found(ledger: SqlLedger) -> None:
    """By what a change was made to."""
    await fill(ledger, 2)
    await ledger.append(entry(type="revocation", details={"anchor": "ses_x"}))
    assert await found(ledger, Filter(about="ses_x")) == [2]


async def test_size_counts_every_entry(ledger: SqlLedger) -> None:
    """Of the zone, from nothing on."""
    assert await ledger.size("shop") == 0
    await fill(ledger, 3)
    await fill(ledger, 1, "bank")
    assert await ledger.size("shop") == 3


async def refusal(ledger: SqlLedger, query: Filter, token: str = "") -> str:
    """The field that a search is refused for."""
    with pytest.raises(CaracalError) as refused:
        await ledger.search("shop", query, page_token=token)
    return refused.value.violations[0].field


async def test_an_unknown_order_is_refused(ledger: SqlLedger) -> None:
    """And so is text that not every engine can compare."""
    assert await refusal(ledger, Filter(order_by="leaf")) == "order_by"
    assert await refusal(ledger, Filter(subject="a\0b")) == "subject"
    assert set(ORDERS) > {"index", "time", "jti", "about"}


BAD = [
    [0, 9, 2],
    [0, 9, 2, None, 1],
    [0, 9, -1, None],
    [0, 9, True, None],
    [0, 9, 2**63, None],
    [0, 9, "2", None],
    [0, 9, 2, ["a"]],
    [0, 9, 2, 7],
]


@pytest.mark.parametrize("parts", BAD, ids=str)
async def test_a_token_is_read_with_care(ledger: SqlLedger, parts: list[Any]) -> None:
    """One that was made up is refused, whatever is in it."""
    await various(ledger)
    query = Filter(order_by="resource")
    token = page_token("shop", query, Place(0, 9, 2))
    page = await ledger.search("shop", query, page_size=1, page_token=token)
    assert page.entries, "as it was made it is good"
    digest = token_digest(token)
    made = urlsafe_b64encode(json.dumps([digest, *parts]).encode()).decode()
    assert await refusal(ledger, query, made) == "page_token"


async def test_a_token_is_good_for_its_order_only(ledger: SqlLedger) -> None:
    """And for its direction and its range."""
    await various(ledger)
    query = Filter(order_by="resource")
    token = (await ledger.search("shop", query, page_size=1)).next_page_token
    for other in (
        Filter(order_by="time"),
        Filter(order_by="resource", newest_first=True),
        Filter(order_by="resource", start=1),
    ):
        assert await refusal(ledger, other, token) == "page_token"
    assert await refusal(ledger, query, token * 200) == "page_token"


def token_digest(token: str) -> str:
    """What binds a token to its question."""
    digest: str = json.loads(urlsafe_b64decode(token))[0]
    return digest
