"""What every engine of the ledger does: append, search, prove, survive."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from caracal_grpc.core.entry import MAX_QUESTION
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.checks.verify import verify_file
from caracal_grpc.ledger.notes.note import VerifierKey, open_checkpoint
from caracal_grpc.ledger.port import MAX_PAGE_BYTES, Filter
from caracal_grpc.ledger.sql import SqlLedger
from caracal_grpc.ledger.tree import EMPTY_ROOT, leaf_hash, root_of
from tests.ledger.support import (
    entry,
    export_lines,
    fill,
    open_ledger,
    signer_for,
    verify,
)


async def test_an_entry_comes_back_as_it_was_recorded(ledger: SqlLedger) -> None:
    """The entry, its index and the hash of its canonical bytes are kept."""
    one = entry(granted_scopes=("a", "b"), details={"n": 1, "list": ["é", "“"]})
    receipt = await ledger.append(one)
    stored = await ledger.get("shop", one.id)
    assert stored is not None
    assert (stored.entry, stored.index, stored.intact) == (one, 0, True)
    assert receipt.leaf_hash == stored.leaf == leaf_hash(stored.canonical)


async def test_it_tells_how_much_room_is_left(ledger: SqlLedger) -> None:
    """On the disk of its file, until it is closed; a server does not tell."""
    left = await ledger.free_bytes()
    assert left is None if ledger._database.writer.name == "postgresql" else left
    await ledger.close()
    with pytest.raises(CaracalError, match="closed"):
        await ledger.free_bytes()


async def test_what_was_never_recorded_is_not_found(ledger: SqlLedger) -> None:
    """Neither an unknown id nor an id of another zone is found."""
    (one,) = await fill(ledger, 1)
    assert await ledger.get("shop", entry().id) is None
    assert await ledger.get("other", one.id) is None


async def test_concurrent_appends_make_one_sequence_without_gaps(ledger: SqlLedger) -> None:
    """Every index is given once, and the checkpoint covers all entries with the right root."""
    receipts = await asyncio.gather(*(ledger.append(entry()) for _ in range(300)))
    assert sorted(each.index for each in receipts) == list(range(300))
    checkpoint = await ledger.checkpoint("shop")
    leaves = [each.leaf_hash for each in sorted(receipts, key=lambda each: each.index)]
    assert (checkpoint.size, checkpoint.root) == (300, root_of(leaves))


async def test_each_zone_has_its_own_sequence(ledger: SqlLedger) -> None:
    """Zones written in one group do not mix."""
    zones = ["shop", "bank", "shop", "bank", "shop"]
    receipts = await asyncio.gather(*(ledger.append(entry(zone)) for zone in zones))
    assert [each.index for each in receipts] == [0, 0, 1, 1, 2]
    assert (await ledger.checkpoint("bank")).size == 2


async def test_a_checkpoint_is_signed_by_the_key_of_its_zone(ledger: SqlLedger) -> None:
    """The note opens with the zone's key and says what the checkpoint says."""
    await fill(ledger, 3)
    checkpoint = await ledger.checkpoint("shop")
    signer = signer_for("shop")
    head = open_checkpoint(checkpoint.note, VerifierKey(signer.name, signer.public), verify)
    assert (head.origin, head.size, head.root) == (signer.name, 3, checkpoint.root)


async def test_a_zone_without_entries_has_a_checkpoint_over_nothing(ledger: SqlLedger) -> None:
    """Its export verifies like any other."""
    checkpoint = await ledger.checkpoint("shop")
    assert (checkpoint.size, checkpoint.root) == (0, EMPTY_ROOT)
    assert verify_file(await export_lines(ledger), verify=verify).ok


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("decision", "deny"),
        ("reason", "POLICY_DENIED"),
        ("type", "session.start"),
        ("application", "app_x"),
        ("subject", "user:x"),
        ("resource", "resource://x"),
        ("session", "ses_x"),
        ("jti", "mnd_x"),
        ("request_id", "req_x"),
    ],
)
async def test_a_search_finds_by_each_field(ledger: SqlLedger, field: str, value: str) -> None:
    """Exactly the entries that hold the value are found, in order."""
    for i in range(6):
        await ledger.append(entry(**({field: value} if i % 2 else {})))
    page = await ledger.search("shop", replace(Filter(), **{field: value}))  # type: ignore[arg-type]
    assert [each.index for each in page.entries] == [1, 3, 5]


async def test_a_search_joins_its_fields(ledger: SqlLedger) -> None:
    """Every field given must hold, and times bound from inclusive to exclusive."""
    for i in range(8):
        await ledger.append(
            entry(decision="deny" if i % 2 else "allow", session=f"ses_{i // 4}", time_ms=100 + i)
        )
    query = Filter(decision="deny", session="ses_1", since=105, until=107)
    assert [each.index for each in (await ledger.search("shop", query)).entries] == [5]
    times = Filter(since=102, until=105, newest_first=True)
    assert [each.index for each in (await ledger.search("shop", times)).entries] == [4, 3, 2]
    assert (await ledger.search("shop", Filter(since=1_000))).entries == ()
    assert (await ledger.search("shop", Filter(until=100))).entries == ()


async def test_a_search_by_id_finds_one(ledger: SqlLedger) -> None:
    """The audit id is a filter too."""
    entries = await fill(ledger, 3)
    page = await ledger.search("shop", Filter(audit_id=entries[1].id))
    assert [each.entry for each in page.entries] == [entries[1]]


@pytest.mark.parametrize("newest_first", [False, True])
async def test_pages_follow_each_other_without_gap(ledger: SqlLedger, newest_first: bool) -> None:
    """Paging gives every entry once, in order, also while more are appended."""
    await fill(ledger, 7)
    query = Filter(newest_first=newest_first)
    seen: list[int] = []
    token = ""
    while True:
        page = await ledger.search("shop", query, page_size=3, page_token=token)
        seen += [each.index for each in page.entries]
        if newest_first:
            await fill(ledger, 1)
        token = page.next_page_token
        if not token:
            break
    assert seen == sorted(range(7), reverse=newest_first)


async def test_a_page_of_long_entries_is_shorter(ledger: SqlLedger) -> None:
    """No page weighs more than it may, none is empty, and an export has them all."""
    for _ in range(50):
        await ledger.append(entry(question='"' * MAX_QUESTION))
    token, seen = "", list[int]()
    while True:
        page = await ledger.search("shop", page_size=50, page_token=token)
        assert 1 <= len(page.entries) < 50
        assert sum(len(each.canonical) for each in page.entries) <= MAX_PAGE_BYTES
        seen += [each.index for each in page.entries]
        token = page.next_page_token
        if not token:
            break
    assert seen == list(range(50))
    assert [each.index async for each in ledger.export("shop")] == seen


@pytest.mark.parametrize("token", ["x", "é", "MS4=", "!!!!", "MTIz"])
async def test_a_foreign_page_token_is_refused(ledger: SqlLedger, token: str) -> None:
    """A token that was not given for this search is a bad field."""
    with pytest.raises(CaracalError) as refusal:
        await ledger.search("shop", page_token=token)
    assert refusal.value.violations[0].field == "page_token"


async def test_a_page_token_of_another_search_is_refused(ledger: SqlLedger) -> None:
    """A token belongs to its zone and filter."""
    await fill(ledger, 3)
    token = (await ledger.search("shop", page_size=1)).next_page_token
    for zone, query in (("bank", Filter()), ("shop", Filter(decision="allow"))):
        with pytest.raises(CaracalError):
            await ledger.search(zone, query, page_token=token)


@pytest.mark.parametrize("size", [0, -1, 1_001])
async def test_a_page_size_out_of_range_is_refused(ledger: SqlLedger, size: int) -> None:
    """A page has 1 to 1000 entries."""
    with pytest.raises(CaracalError) as refusal:
        await ledger.search("shop", page_size=size)
    assert refusal.value.violations[0].field == "page_size"


async def test_an_export_has_the_range_asked_for(ledger: SqlLedger) -> None:
    """From start to end, in order, over several chunks."""
    await asyncio.gather(*(ledger.append(entry()) for _ in range(1_100)))
    assert [each.index async for each in ledger.export("shop")] == list(range(1_100))
    assert [each.index async for each in ledger.export("shop", 3, 6)] == [3, 4, 5]


async def test_an_id_is_recorded_once(ledger: SqlLedger) -> None:
    """The second entry of an id is refused alone: its group is recorded without it."""
    first, second, third = entry(), entry(), entry()
    await ledger.append(first)
    group = [second, first, third, third]
    results = await asyncio.gather(*map(ledger.append, group), return_exceptions=True)
    refused = [each for each in results if isinstance(each, CaracalError)]
    assert [each.reason for each in refused] == [Reason.OBJECT_EXISTS] * 2
    assert verify_file(await export_lines(ledger), verify=verify).entries == 3
    assert (await ledger.append(entry())).index == 3


async def test_a_cancelled_append_takes_nothing_from_others(ledger: SqlLedger) -> None:
    """Cancelling a caller in the middle of a group leaves a whole sequence."""
    tasks = [asyncio.create_task(ledger.append(entry())) for _ in range(200)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    kept = await asyncio.gather(*tasks[1::2])
    assert len({each.index for each in kept}) == 100
    await ledger.append(entry())
    assert verify_file(await export_lines(ledger), verify=verify).ok


async def test_a_full_queue_refuses_at_once(location: str) -> None:
    """Beyond its capacity the ledger refuses, and takes entries again when there is room."""
    ledger = await open_ledger(location, capacity=8)
    tasks = [asyncio.create_task(ledger.append(entry())) for _ in range(20)]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    refused = [each for each in results if isinstance(each, CaracalError)]
    assert len(refused) == 12
    assert {each.reason for each in refused} == {Reason.AUDIT_UNAVAILABLE}
    assert (await ledger.append(entry())).index == 8
    await ledger.close()


async def test_closing_records_what_was_accepted(location: str) -> None:
    """Appends that were waiting are durable; later ones and reads are refused."""
    ledger = await open_ledger(location)
    waiting = [asyncio.create_task(ledger.append(entry())) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.gather(ledger.close(), ledger.close())
    assert len(await asyncio.gather(*waiting)) == 50
    for refused in (ledger.append(entry()), ledger.search("shop"), ledger.checkpoint("shop")):
        with pytest.raises(CaracalError) as refusal:
            await refused
        assert refusal.value.reason is Reason.AUDIT_UNAVAILABLE
    reopened = await open_ledger(location)
    assert (await reopened.append(entry())).index == 50
    await reopened.close()


async def test_a_ledger_goes_on_after_reopening(location: str) -> None:
    """The tree grows over restarts as if there had been none."""
    for _ in range(3):
        ledger = await open_ledger(location)
        await fill(ledger, 5)
        await ledger.close()
    ledger = await open_ledger(location)
    report = verify_file(await export_lines(ledger), verify=verify)
    await ledger.close()
    assert (report.ok, report.entries, report.size) == (True, 15, 15)


async def test_an_unknown_zone_is_refused_by_its_signer(location: str) -> None:
    """What the signers raise reaches the caller, and nothing is recorded."""

    def no_signer(zone: str) -> None:
        raise CaracalError(Reason.OBJECT_NOT_FOUND, f"there is no zone {zone}")

    ledger = await SqlLedger.open(location, no_signer, verify)  # type: ignore[arg-type]
    with pytest.raises(CaracalError) as refusal:
        await ledger.append(entry())
    assert refusal.value.reason is Reason.OBJECT_NOT_FOUND
    await ledger.close()


@pytest.mark.parametrize(
    "place", ["postgresql://x/y", "sqlite://", "sqlite:///:memory:", "sqlite:///a?b=c", "://", ""]
)
async def test_a_location_that_is_no_file_is_refused(place: str) -> None:
    """Only a path or a sqlite URL names a ledger."""
    with pytest.raises(CaracalError) as refusal:
        await open_ledger(place)
    assert refusal.value.reason is Reason.FIELD_INVALID


async def test_a_missing_directory_is_said_so(tmp_path: Path) -> None:
    """The refusal names the file and what to look at."""
    with pytest.raises(CaracalError, match="directory") as refusal:
        await open_ledger(tmp_path / "nowhere" / "ledger.db")
    assert refusal.value.reason is Reason.AUDIT_UNAVAILABLE
