"""What PostgreSQL makes of a page of a search: it follows indexes, and sorts nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, insert, text

from caracal_grpc.ledger.entries import walk
from caracal_grpc.ledger.entries.page_token import parse_page_token
from caracal_grpc.ledger.entries.query import find_page
from caracal_grpc.ledger.entries.walk import walks
from caracal_grpc.ledger.schema import ENTRIES, TREES
from tests.ledger.support import open_ledger
from tests.ledger.test_search_cost import QUESTIONS, SIZE, row
from tests.support.postgres import PostgresProcess

COUNT = 5_000


@pytest.fixture
async def connection(postgres: PostgresProcess, database: str) -> Any:
    """To a ledger with many entries, of which the server has statistics."""
    await (await open_ledger(postgres.url(database))).close()
    engine = create_engine(postgres.url(database).replace("postgresql://", "postgresql+psycopg://"))
    tree = {"zone": "shop", "size": COUNT, "frontier": b"", "checkpoint": ""}
    with engine.begin() as opened:
        opened.execute(insert(TREES), tree)
        opened.execute(insert(ENTRIES), [row(index) for index in range(COUNT)])
        opened.execute(text("ANALYZE entries"))
        yield opened
    engine.dispose()


@pytest.mark.parametrize("name", QUESTIONS)
def test_no_page_is_sorted_or_scanned(
    name: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every part of a plan that reads entries uses an index."""
    monkeypatch.setattr(walk, "SPAN", 4 * SIZE)
    query = QUESTIONS[name]
    token = find_page(connection, "shop", query, SIZE, "").next_page_token
    place = parse_page_token("shop", query, token)
    for way in walks(connection, "shop", query, place):
        nodes = list(_nodes(_plan(connection, way.query)))
        assert any("Index" in node for node in nodes)
        assert not [node for node in nodes if "Sort" in node or node == "Seq Scan"], nodes


def _plan(connection: Connection, query: Any) -> dict[str, Any]:
    compiled = query.limit(SIZE).compile(connection, compile_kwargs={"render_postcompile": True})
    told = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled}", compiled.params)
    plan: dict[str, Any] = told.scalar_one()[0]["Plan"]
    return plan


def _nodes(plan: dict[str, Any]) -> Iterator[str]:
    yield plan["Node Type"]
    for each in plan.get("Plans", ()):
        yield from _nodes(each)
