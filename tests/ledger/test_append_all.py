"""Many entries at once: all in one commit, each id once."""

from __future__ import annotations

import asyncio

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.checks.verify import verify_file
from caracal_grpc.ledger.sql import SqlLedger
from tests.ledger.support import entry, export_lines, fill, open_ledger, verify

FULL = {
    "sqlite": [
        """create trigger no_third before insert on entries when new.idx = 2
           begin select raise(abort, 'full'); end"""
    ],
    "postgresql": [
        """create function full_disk() returns trigger language plpgsql as
           $$begin if new.idx = 2 then raise disk_full; end if; return new; end$$""",
        """create trigger no_third before insert on entries
           for each row execute function full_disk()""",
    ],
}
"""What makes an engine refuse the third entry."""


async def ids(ledger: SqlLedger) -> list[str]:
    """What is recorded, in order."""
    stored = [each.entry async for each in ledger.export("shop")]
    return [each.id for each in stored if each is not None]


async def test_all_are_recorded_in_order(ledger: SqlLedger) -> None:
    """More than a group holds, and more than one statement takes."""
    entries = [entry() for _ in range(500)]
    assert await ledger.append_all(entries) == 500
    assert await ids(ledger) == [each.id for each in entries]
    assert verify_file(await export_lines(ledger), verify=verify).ok


async def test_what_is_there_already_is_not_recorded_again(ledger: SqlLedger) -> None:
    """Sent again, in whole or in part, with more or twice at once: each id is there once."""
    entries = [entry() for _ in range(10)]
    assert await ledger.append_all(entries[:6]) == 6
    assert await ledger.append_all(entries) == 4
    assert await asyncio.gather(*(ledger.append_all(entries) for _ in range(3))) == [0, 0, 0]
    twice = entry()
    assert await ledger.append_all([twice, twice]) == 1
    assert await ids(ledger) == [each.id for each in (*entries, twice)]
    assert verify_file(await export_lines(ledger), verify=verify).ok


async def test_an_entry_of_another_matter_is_left_as_it_is(ledger: SqlLedger) -> None:
    """Its id is taken: whatever comes under it later changes nothing."""
    (first,) = await fill(ledger, 1, type="exchange", jti="mnd_x")
    assert await ledger.append_all([entry(id=first.id, type="edge.decision"), entry()]) == 1
    stored = await ledger.get("shop", first.id)
    assert stored is not None
    assert stored.entry == first


async def test_the_id_of_another_zone_is_free(ledger: SqlLedger) -> None:
    """Each zone has ids of its own."""
    (first,) = await fill(ledger, 1, "bank")
    assert await ledger.append_all([entry(id=first.id)]) == 1


async def test_others_of_the_group_are_answered_as_ever(ledger: SqlLedger) -> None:
    """Known ids in one submission refuse nothing in another one beside it."""
    known = await fill(ledger, 3)
    news = [entry() for _ in range(5)]
    recorded, *receipts = await asyncio.gather(
        ledger.append_all([*known, entry()]), *map(ledger.append, news)
    )
    assert recorded == 1
    assert len({each.index for each in receipts}) == 5
    assert len(await ids(ledger)) == 9
    assert verify_file(await export_lines(ledger), verify=verify).ok


async def test_one_that_is_too_large_keeps_all_out(ledger: SqlLedger) -> None:
    """Nothing of a submission is recorded when one of its entries cannot be."""
    large = entry(details={f"d{n}": ["€" * 500] * 100 for n in range(2)})
    with pytest.raises(CaracalError) as refusal:
        await ledger.append_all([entry(), large])
    assert refusal.value.reason is Reason.LIMIT_EXCEEDED
    assert await ids(ledger) == []


async def test_a_commit_that_fails_records_none(location: str) -> None:
    """The engine refuses the last of three: none of them is there, and all may be sent again."""
    ledger = await open_ledger(location)
    entries = [entry() for _ in range(3)]
    with ledger._database.writer.begin() as connection:
        for statement in FULL[connection.dialect.name]:
            connection.exec_driver_sql(statement)
    with pytest.raises(CaracalError) as refusal:
        await ledger.append_all(entries)
    assert refusal.value.reason is Reason.AUDIT_UNAVAILABLE
    assert await ids(ledger) == []
    with ledger._database.writer.begin() as connection:
        on = " on entries" if connection.dialect.name == "postgresql" else ""
        connection.exec_driver_sql(f"drop trigger no_third{on}")
    assert await ledger.append_all(entries) == 3
    await ledger.close()


async def test_a_submission_counts_by_its_entries(location: str) -> None:
    """The bound of what may wait is one of entries, however they come."""
    ledger = await open_ledger(location, capacity=8)
    tasks = [asyncio.create_task(ledger.append_all([entry() for _ in range(5)])) for _ in range(2)]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[0] == 5
    assert isinstance(results[1], CaracalError)
    assert await ledger.append_all([]) == 0
    await ledger.close()


async def test_a_caller_that_leaves_takes_nothing_back(ledger: SqlLedger) -> None:
    """Its entries are recorded all the same, all of them."""
    entries = [entry() for _ in range(20)]
    task = asyncio.create_task(ledger.append_all(entries))
    for _ in range(100):
        if not ledger._writer._jobs:
            await asyncio.sleep(0)
    task.cancel()
    await ledger.append(entry())
    assert (await ids(ledger))[:20] == [each.id for each in entries]
