"""What a page of a search costs, in steps of SQLite's machine: not more when more was found before,
nor when there is more in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, insert

from caracal_grpc.ledger.entries import walk
from caracal_grpc.ledger.entries.page_token import parse_page_token
from caracal_grpc.ledger.entries.query import find_page
from caracal_grpc.ledger.entries.walk import walks
from caracal_grpc.ledger.port import Filter
from caracal_grpc.ledger.schema import ENTRIES, METADATA, SEARCHED, TREES

SHORT, LONG = 5_000, 20_000
SIZE = 100
STEP = 10
"""Instructions between two counts."""


@pytest.fixture(autouse=True)
def _short_span(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what is absent nowhere is looked for in several pages."""
    monkeypatch.setattr(walk, "SPAN", 4 * SIZE)


LATE = Filter(since=1_000 + 300, until=10**12)
QUESTIONS = {
    "everything": Filter(),
    "everything-newest": Filter(newest_first=True),
    "since": LATE,
    "until-newest": Filter(until=10**12, newest_first=True),
    "by-application": Filter(application="app_0"),
    "two-fields": Filter(application="app_0", decision="allow"),
    "since-of-application": Filter(application="app_0", since=1_300),
    "order-by-time": Filter(order_by="time"),
    "order-by-time-since": Filter(order_by="time", since=1_300, newest_first=True),
    "order-by-application": Filter(order_by="application"),
    "order-by-application-desc": Filter(order_by="application", newest_first=True),
    "order-by-reason": Filter(order_by="reason"),
    "order-by-reason-desc": Filter(order_by="reason", newest_first=True),
}


def row(index: int) -> dict[str, Any]:
    """Every field is spread evenly; half of the entries have no reason."""
    row: dict[str, Any] = dict.fromkeys([*SEARCHED, "personal", "checkpoint"])
    return row | {
        "zone": "shop",
        "idx": index,
        "id": f"aud_{index}",
        "leaf": bytes(32),
        "event": b"{}",
        "time_ms": 1_000 + (index ^ 1),
        "type": "exchange",
        "decision": "allow",
        "application": f"app_{index % 2}",
        "reason": f"R{index % 8}" if index % 4 > 1 else None,
    }


@contextmanager
def _entries(count: int) -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    tree = {"zone": "shop", "size": count, "frontier": b"", "checkpoint": ""}
    with engine.begin() as connection:
        connection.execute(insert(TREES), tree)
        connection.execute(insert(ENTRIES), [row(index) for index in range(count)])
        yield connection
    engine.dispose()


def _steps(connection: Connection, query: Filter) -> list[int]:
    """What each page costs."""
    driver: Any = connection.connection.dbapi_connection
    costs, token, steps = [], "", 0

    def count() -> int:
        nonlocal steps
        steps += STEP
        return 0

    driver.set_progress_handler(count, STEP)
    while True:
        steps = 0
        token = find_page(connection, "shop", query, SIZE, token).next_page_token
        costs.append(steps)
        if not token:
            driver.set_progress_handler(None, 0)
            return costs


@pytest.mark.parametrize("name", QUESTIONS)
def test_no_page_costs_more_than_another(name: str) -> None:
    """The last one as little as the second; the first may look up where to begin."""
    with _entries(SHORT) as short, _entries(LONG) as long:
        few, many = _steps(short, QUESTIONS[name]), _steps(long, QUESTIONS[name])

    assert len(many) > 2 * len(few) > 20
    usual = sorted(few[1:])[len(few) // 2]
    assert max(many[1:]) <= 2 * usual


@pytest.mark.parametrize("name", QUESTIONS)
def test_no_page_is_sorted_or_scanned(name: str) -> None:
    """Its plan searches one index, whose order is that of the page."""
    query = QUESTIONS[name]
    with _entries(SHORT) as connection:
        token = find_page(connection, "shop", query, SIZE, "").next_page_token
        place = parse_page_token("shop", query, token)
        plans = [
            str(line)
            for way in walks(connection, "shop", query, place)
            for line in _plan(connection, way.query)
        ]

    assert plans
    assert all("SEARCH entries USING" in line for line in plans), plans


def test_rare_value_leads_the_way() -> None:
    """Of several fields the index of that is read which few entries have, in any order."""
    with _entries(LONG) as connection:
        connection.execute(
            ENTRIES.update().where(ENTRIES.c.idx.in_([5, 19_000])).values(resource="resource://x")
        )
        for order in ("index", "time", "reason"):
            query = Filter(application="app_1", resource="resource://x", order_by=order)
            costs = _steps(connection, query)
            assert len(costs) == 1
        rare = _steps(connection, Filter(resource="resource://x"))

    assert costs[0] < rare[0] + 40_000, "what it costs to see that the other is not rare"


def test_search_of_a_time_looks_it_up_once() -> None:
    """The bounds in time are in the token as bounds of the index."""
    with _entries(LONG) as connection:
        query = Filter(since=1_000 + 15_000, until=1_000 + 18_000)
        token = find_page(connection, "shop", query, SIZE, "").next_page_token
        place = parse_page_token("shop", query, token)

    assert (place.start, place.end) == (15_000, 18_000)


def _plan(connection: Connection, query: Any) -> list[Any]:
    compiled = query.limit(SIZE).compile(connection, compile_kwargs={"render_postcompile": True})
    values = tuple(compiled.params[name] for name in compiled.positiontup)
    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values)
    return [row[-1] for row in rows]
