"""Several processes over one PostgreSQL hold, prune and erase in one zone at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection

from caracal_grpc.core.retention import Pruned
from caracal_grpc.ledger.retention.erasure import erase_rows
from caracal_grpc.ledger.retention.holds import put_hold
from caracal_grpc.ledger.retention.pruning import prune_tile
from caracal_grpc.ledger.sql import SqlLedger
from tests.ledger.aged import ALICE, age, at, hold, indexes
from tests.ledger.support import open_ledger
from tests.support.postgres import PostgresProcess

LATER = at(100_000)
Pair = tuple[SqlLedger, SqlLedger]


@pytest.fixture
async def pair(postgres: PostgresProcess, database: str) -> AsyncIterator[Pair]:
    """Two, over 800 entries that all name Alice."""
    one, other = [await open_ledger(postgres.url(database)) for _ in range(2)]
    await age(one, 800, subject=ALICE)
    yield one, other
    await asyncio.gather(one.close(), other.close())


@contextmanager
def under_way(ledger: SqlLedger, work: Callable[..., Any], *args: Any) -> Iterator[Connection]:
    """What a ledger has done and not committed yet."""
    with ledger._database.writer.begin() as connection:
        work(connection, "shop", *args)
        yield connection


@pytest.mark.parametrize(
    ("work", "args"), [(prune_tile, (0, 256, LATER)), (erase_rows, ([1, 2, 3],))]
)
async def test_a_hold_is_acknowledged_when_nothing_goes_any_more(
    pair: Pair, work: Callable[..., Any], args: tuple[Any, ...]
) -> None:
    """It waits for what was begun before it, by whoever it was."""
    one, other = pair
    with under_way(one, work, *args):
        holding = asyncio.create_task(other.add_hold("shop", hold()))
        await asyncio.sleep(0.1)
        assert not holding.done()
    await holding
    assert (await one.prune("shop", LATER)).pruned == 0
    assert (await one.erase("shop", ALICE)).erased == 0


async def test_what_is_being_put_on_hold_is_not_pruned(pair: Pair) -> None:
    """Also when it was none while it was looked for."""
    one, other = pair
    with under_way(one, put_hold, hold()):
        pruning = asyncio.create_task(other.prune("shop", LATER))
        await asyncio.sleep(0.1)
    assert await pruning == Pruned(0, 512)
    assert len(await indexes(one)) == 800


async def test_what_is_being_put_on_hold_is_not_erased(pair: Pair) -> None:
    """Also when it was none while it was looked for."""
    one, other = pair
    with under_way(one, put_hold, hold()):
        erasing = asyncio.create_task(other.erase("shop", ALICE))
        await asyncio.sleep(0.1)
    erased = await erasing
    assert (erased.erased, erased.held) == (0, 800)


async def test_what_another_prunes_is_not_counted_twice(pair: Pair) -> None:
    """Each says what it took itself."""
    one, other = pair
    with under_way(one, prune_tile, 0, 256, LATER):
        pruning = asyncio.create_task(other.prune("shop", LATER))
        await asyncio.sleep(0.1)
    assert await pruning == Pruned(256, 0)
