"""Erasing a person: nothing of them is left, and everything is proven as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from caracal_grpc.core.entry import Entry
from caracal_grpc.core.retention import Erased
from caracal_grpc.ledger.checks.verify import verify_file
from caracal_grpc.ledger.commit import Job
from caracal_grpc.ledger.entries.canonical import canonical
from caracal_grpc.ledger.entries.leaf import Draft
from caracal_grpc.ledger.entries.stored import Stored
from caracal_grpc.ledger.port import Filter
from caracal_grpc.ledger.sql import SqlLedger
from tests.ledger.aged import AGENT, ALICE, BOB, age, at, exported, hold, indexes
from tests.ledger.support import entry, open_ledger, signer_for, verify
from tests.support.postgres import PostgresProcess

ALICES: list[dict[str, Any]] = [
    {"subject": ALICE, "peer": "10.0.0.7", "question": '{"name":"Alice Liddell"}'},
    {"subject": ALICE, "details": {"why": "as Alice Liddell asked", "count": 7}},
    {"type": "revocation", "decision": "done", "subject": AGENT, "details": {"anchor": ALICE}},
    {"type": "session.start", "decision": "done", "details": {"for": ALICE, "kind": "task"}},
    {"type": "revocation", "subject": BOB, "details": {"filter": f"subject={ALICE}", "count": 1}},
    {"subject": BOB, "question": f'{{"approved_by":"{ALICE}"}}'},
]
"""Entries that name her, each in another place."""


async def told_of(ledger: SqlLedger) -> list[Entry]:
    """One entry of each kind that names her, between those of others."""
    recorded = []
    for fields in ALICES:
        recorded += await age(ledger, 1, **fields)
        await age(ledger, 2, subject=BOB)
    return recorded


async def every(ledger: SqlLedger) -> list[Stored]:
    """All entries that are there."""
    return [each async for each in ledger.export("shop")]


async def test_nothing_that_is_kept_names_them(ledger: SqlLedger) -> None:
    """Wherever they were named; what was decided stays, and so does all of the others."""
    recorded = await told_of(ledger)
    assert await ledger.erase("shop", ALICE) == Erased(len(ALICES), 0, 0)
    kept = await every(ledger)
    assert not [each.index for each in kept if ALICE.encode() in each.canonical + each.personal]
    assert [each.index for each in kept if each.erased] == list(range(0, 18, 3))
    assert all(each.intact for each in kept)
    first = kept[0].entry
    assert first is not None
    assert (first.id, first.subject, first.peer, first.question) == (recorded[0].id, "", "", "")
    assert (first.type, first.decision) == ("exchange", "allow")
    second, session = kept[3].entry, kept[9].entry
    assert second is not None
    assert session is not None
    assert dict(second.details) == {"count": 7}
    assert dict(session.details) == {"kind": "task"}


async def test_no_search_finds_them(ledger: SqlLedger) -> None:
    """Neither as a subject nor as what was revoked; who acted as an application is still found."""
    await told_of(ledger)
    await ledger.erase("shop", ALICE)
    assert await indexes(ledger, query=Filter(subject=ALICE)) == []
    assert await indexes(ledger, query=Filter(about=ALICE)) == []
    assert await indexes(ledger, query=Filter(subject=AGENT)) == [6]
    others = [i for i in range(18) if i % 3]
    assert await indexes(ledger, query=Filter(subject=BOB)) == others


async def test_the_ledger_still_proves_itself(ledger: SqlLedger) -> None:
    """To whoever has the file alone, also when some of it was pruned; nothing is signed anew."""
    await told_of(ledger)
    await age(ledger, 600)
    before = await ledger.checkpoint("shop")
    await ledger.prune("shop", at(4))
    await ledger.erase("shop", ALICE)
    assert await ledger.checkpoint("shop") == before
    report = verify_file(await exported(ledger), verify=verify)
    assert report.ok, report.findings
    assert (report.entries, report.pruned, report.withheld) == (618, 4, len(ALICES) - 2)


async def test_the_ledger_goes_on(ledger: SqlLedger, location: str) -> None:
    """Also after a restart."""
    await told_of(ledger)
    await ledger.erase("shop", ALICE)
    await ledger.append(entry())
    await ledger.close()
    again = await open_ledger(location)
    await again.append(entry())
    assert verify_file(await exported(again), verify=verify).ok
    await again.close()


async def test_what_is_counted_is_what_is_erased(ledger: SqlLedger) -> None:
    """A dry run changes nothing; again there is nothing to erase."""
    await told_of(ledger)
    counted = await ledger.erase("shop", ALICE, dry_run=True)
    assert len(await indexes(ledger, query=Filter(subject=ALICE))) == 2
    assert await ledger.erase("shop", ALICE) == counted
    assert await ledger.erase("shop", ALICE) == Erased(0, 0, 0)


async def test_others_of_that_name_are_others(ledger: SqlLedger) -> None:
    """In another zone, and whose id only differs at its end."""
    await age(ledger, 1, "mall", subject=ALICE)
    await age(ledger, 1, subject=BOB)
    assert await ledger.erase("shop", ALICE) == Erased(0, 0, 0)
    assert await indexes(ledger, "mall", Filter(subject=ALICE)) == [0]


async def test_what_is_on_hold_is_not_erased(ledger: SqlLedger) -> None:
    """As long as it is; the same may be asked again then."""
    await told_of(ledger)
    await ledger.add_hold("shop", hold(1, subject=ALICE, until=at(7)))
    assert await ledger.erase("shop", ALICE, dry_run=True) == Erased(3, 3, 0)
    assert await ledger.erase("shop", ALICE) == Erased(3, 3, 0)
    assert await indexes(ledger, query=Filter(subject=ALICE)) == [0, 3]
    await ledger.remove_hold("shop", "hld_1")
    assert await ledger.erase("shop", ALICE) == Erased(3, 0, 0)


async def test_a_hold_on_somebody_else_holds_what_names_both(ledger: SqlLedger) -> None:
    """It is evidence of the other."""
    await told_of(ledger)
    await ledger.add_hold("shop", hold(1, subject=BOB))
    assert await ledger.erase("shop", ALICE) == Erased(4, 2, 0)


async def test_what_an_earlier_release_hashed_cannot_be_erased(ledger: SqlLedger) -> None:
    """It is counted; pruning takes it away."""
    old = entry(subject=ALICE, peer="10.0.0.7")
    await append_version_1(ledger, old)
    await age(ledger, 1, subject=ALICE)
    assert await ledger.erase("shop", ALICE) == Erased(1, 0, 1)
    kept = await ledger.get("shop", old.id)
    assert kept is not None
    assert (kept.entry, kept.intact, kept.erased) == (old, True, False)


async def append_version_1(ledger: SqlLedger, old: Entry) -> None:
    """Records an entry as an earlier release would have."""
    event = canonical({**old.to_event(), "index": 0})
    head, found, tail = event.partition(b'"index":0')
    assert found
    job = Job(Draft(old, head + b'"index":', tail), signer_for("shop"))
    await ledger._writer.submit([job])


async def test_many_entries_are_erased(ledger: SqlLedger) -> None:
    """More than one transaction takes."""
    await age(ledger, 600, subject=ALICE)
    assert await ledger.erase("shop", ALICE) == Erased(600, 0, 0)
    assert await indexes(ledger, query=Filter(subject=ALICE)) == []


async def test_no_byte_of_a_file_tells_of_them(tmp_path: Path) -> None:
    """Neither the file nor its log, in pages of tables, of indexes, or that are free."""
    file = tmp_path / "ledger.db"
    ledger = await open_ledger(file)
    await told_of(ledger)
    await age(ledger, 300, subject=ALICE, question='{"name":"Alice Liddell"}' + " " * 9_000)
    secrets = (ALICE.encode(), b"Alice Liddell")
    assert all(secret in bytes_of(file) for secret in secrets)
    await ledger.erase("shop", ALICE)
    kept = bytes_of(file)
    assert not [secret for secret in secrets if secret in kept]
    assert BOB.encode() in kept
    await ledger.close()


async def test_no_byte_of_a_file_tells_of_what_was_pruned(tmp_path: Path) -> None:
    """Once its log was emptied, too."""
    file = tmp_path / "ledger.db"
    ledger = await open_ledger(file)
    await age(ledger, 256, subject=ALICE)
    await age(ledger, 300, subject=BOB)
    await ledger.prune("shop", at(300))
    await ledger.close()
    assert ALICE.encode() not in bytes_of(file)


def bytes_of(file: Path) -> bytes:
    """Those of the file and of its log."""
    log = file.with_name(file.name + "-wal")
    return file.read_bytes() + (log.read_bytes() if log.exists() else b"")


async def test_a_server_clears_away_what_was_erased(
    postgres: PostgresProcess, database: str
) -> None:
    """Rows as they were are vacuumed at once, so that their room is used anew."""
    ledger = await open_ledger(postgres.url(database))
    await told_of(ledger)
    assert (await ledger.erase("shop", ALICE, dry_run=True)).erased == len(ALICES)
    assert not _vacuumed(postgres, database)
    await ledger.erase("shop", ALICE)
    assert _vacuumed(postgres, database)
    await ledger.close()


def _vacuumed(postgres: PostgresProcess, database: str) -> bool:
    """Whether the entries have been vacuumed by anybody."""
    count = "SELECT sum(vacuum_count) FROM pg_stat_user_tables WHERE relname LIKE 'entries%'"
    with postgres.connect(database) as connection:
        (found,) = connection.execute(count).fetchone() or (None,)
    return bool(found)
