"""Each way of tampering with a ledger or its export is reported, naming the place."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.checks.finding import MAX_FINDINGS
from caracal_grpc.ledger.checks.verify import verify_file
from caracal_grpc.ledger.notes.note import (
    TreeHead,
    VerifierKey,
    sign_head,
    signature_line,
    verifier_key,
)
from caracal_grpc.ledger.tree import leaf_hash, root_of
from tests.ledger.support import (
    Key,
    entry,
    export_lines,
    fill,
    kinds,
    open_ledger,
    signer_for,
    verify,
)

KEY = verifier_key(signer_for("shop"))
OTHER = Key(signer_for("shop").name, bytes(31) + b"\x01")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """An export of 200 entries, of which some carry a kept checkpoint."""
    ledger = await open_ledger(tmp_path_factory.mktemp("verify") / "ledger.db")
    for size in (60, 10, 60, 60, 10):
        await asyncio.gather(*(ledger.append(entry()) for _ in range(size)))
    exported = await export_lines(ledger)
    await ledger.close()
    return exported


def found(lines: list[str], **options: Any) -> list[tuple[int | None, str]]:
    """What a verification finds."""
    return kinds(verify_file(lines, verify=verify, **options).findings)


def edited(line: str, *, rehash: bool = False, **changes: Any) -> str:
    """A line whose event was edited, and its leaf hash with it when asked for."""
    value = json.loads(line)
    event = json.dumps({**json.loads(value["event"]), **changes}, separators=(",", ":"))
    value["event"] = event
    if rehash:
        value["leaf"] = leaf_hash(event.encode()).hex()
    return json.dumps(value)


def relined(line: str, **changes: Any) -> str:
    """A line with other members."""
    return json.dumps({**json.loads(line), **changes})


def test_an_untouched_export_verifies(lines: list[str], tmp_path: Path) -> None:
    """Nothing is found, over lines and over a file, and the root is the signed one."""
    file = tmp_path / "export.jsonl"
    file.write_text("".join(lines))
    for source in (lines, file, str(file)):
        report = verify_file(source, verifier_key=KEY, verify=verify)
        assert (report.ok, report.entries, report.size, report.pinned) == (True, 200, 200, True)
    leaves = [bytes.fromhex(json.loads(line)["leaf"]) for line in lines[1:]]
    assert report.root == root_of(leaves)
    assert not verify_file(lines, verify=verify).pinned


def test_a_changed_entry_is_named(lines: list[str]) -> None:
    """The hash beside it has the signed root: exactly this entry was changed."""
    lines = lines.copy()
    lines[1 + 42] = edited(lines[1 + 42], decision="deny")
    report = verify_file(lines, verify=verify)
    assert kinds(report.findings) == [(42, "changed")]
    assert "aud_" in report.findings[0].text


def test_changes_in_several_places_are_each_named(lines: list[str]) -> None:
    """A changed event and, elsewhere, a changed hash are told apart."""
    lines = lines.copy()
    lines[1 + 3] = edited(lines[1 + 3], decision="deny")
    lines[1 + 150] = relined(lines[1 + 150], leaf="00" * 32)
    assert found(lines) == [(3, "changed"), (150, "leaf")]


def test_an_entry_changed_with_its_hash_is_bounded(lines: list[str]) -> None:
    """The kept checkpoints around it tell between which entries the change is."""
    lines = lines.copy()
    lines[1 + 100] = edited(lines[1 + 100], rehash=True, decision="deny")
    kept = [i for i, line in enumerate(lines[1:]) if "checkpoint" in json.loads(line)]
    before, after = max(i for i in kept if i < 100), min(i for i in kept if i >= 100)
    (finding,) = verify_file(lines, verify=verify).findings
    assert (finding.index, finding.kind) == (before + 1, "root")
    assert f"{before + 1} to {after}" in finding.text


def test_an_entry_changed_with_its_hash_and_no_kept_checkpoints(lines: list[str]) -> None:
    """Whoever strips the kept checkpoints as well leaves the whole under suspicion."""
    lines = [lines[0], *(relined(line, checkpoint="") for line in lines[1:])]
    lines[1 + 100] = edited(lines[1 + 100], rehash=True, decision="deny")
    (finding,) = verify_file(lines, verify=verify).findings
    assert (finding.index, finding.kind) == (0, "root")
    assert "0 to 199" in finding.text


@pytest.mark.parametrize("count", [1, 5])
def test_removed_entries_are_named(lines: list[str], count: int) -> None:
    """The gap is named, and that the root cannot be compared over it."""
    report = verify_file(lines[: 1 + 70] + lines[1 + 70 + count :], verify=verify)
    assert (70, "removed") in kinds(report.findings)
    assert {finding.kind for finding in report.findings} == {"removed", "root"}


def test_removed_and_renumbered_entries_are_named(lines: list[str]) -> None:
    """The index inside the event is hashed, so renumbering the lines hides nothing."""
    rest = [relined(line, index=70 + i) for i, line in enumerate(lines[1 + 71 :])]
    report = verify_file(lines[: 1 + 70] + rest, verify=verify)
    assert set(kinds(report.findings)[:2]) == {(70, "moved"), (70, "removed")}


def test_swapped_lines_are_named(lines: list[str]) -> None:
    """The one that comes too late is named; nothing is missing."""
    lines = lines.copy()
    lines[11], lines[12] = lines[12], lines[11]
    assert [each for each in found(lines) if each[1] != "root"] == [(10, "order")]


def test_swapped_and_renumbered_entries_are_named(lines: list[str]) -> None:
    """Both places are named by what stands in them."""
    lines = lines.copy()
    lines[11], lines[12] = relined(lines[12], index=10), relined(lines[11], index=11)
    assert [each for each in found(lines) if each[1] != "root"] == [(10, "moved"), (11, "moved")]


def test_swapped_events_are_named(lines: list[str]) -> None:
    """Events exchanged below their hashes are two changed entries."""
    lines = lines.copy()
    first, second = (json.loads(lines[i])["event"] for i in (11, 12))
    lines[11], lines[12] = relined(lines[11], event=second), relined(lines[12], event=first)
    assert found(lines) == [(10, "changed"), (11, "changed")]


def test_a_duplicated_entry_is_named(lines: list[str]) -> None:
    """Wherever the copy stands, and also under another number."""
    again = [*lines[:31], lines[21], *lines[31:]]
    assert (20, "duplicated") in found(again)
    renumbered = [*lines, relined(lines[21], index=200)]
    assert {(20, "duplicated"), (200, "moved")} <= set(found(renumbered))


@pytest.mark.parametrize("kept", [0, 1, 199])
def test_a_cut_tail_is_named(lines: list[str], kept: int) -> None:
    """The checkpoint covers more than the file holds."""
    findings = found(lines[: 1 + kept])
    assert (kept, "tail") in findings
    assert {kind for _, kind in findings} == {"tail", "root"}


def test_a_tail_cut_to_an_older_checkpoint_shows_against_a_newer_one(lines: list[str]) -> None:
    """In itself such a file is whole; held against a checkpoint kept elsewhere it is not."""
    cut = next(i for i, line in enumerate(lines[1:], 1) if "checkpoint" in json.loads(line))
    older = json.loads(lines[cut])["checkpoint"]
    newest = json.loads(lines[0])["checkpoint"]
    short = [relined(lines[0], checkpoint=older, end=cut), *lines[1 : cut + 1]]
    assert found(short) == []
    assert (cut, "tail") in found(short, checkpoint=newest)
    assert found(lines, checkpoint=older) == []


def test_a_rewritten_ledger_shows_against_a_kept_checkpoint(lines: list[str]) -> None:
    """Even the holder of the key cannot rewrite what an older checkpoint covers: it is a fork."""
    older = next(json.loads(line)["checkpoint"] for line in lines[1:] if "checkpoint" in line)
    lines = [lines[0], *(relined(line, checkpoint="") for line in lines[1:])]
    lines[1 + 5] = edited(lines[1 + 5], rehash=True, decision="deny")
    leaves = [bytes.fromhex(json.loads(line)["leaf"]) for line in lines[1:]]
    lines[0] = relined(lines[0], checkpoint=sign_head(signer_for("shop"), 200, root_of(leaves)))
    assert found(lines, verifier_key=KEY) == []
    assert found(lines, checkpoint=older) == [(0, "fork")]


def test_entries_after_the_checkpoint_are_reported_as_uncovered(lines: list[str]) -> None:
    """What no signature covers is said to be so."""
    index = next(i for i, line in enumerate(lines[1:]) if "checkpoint" in json.loads(line))
    older = json.loads(lines[1 + index])["checkpoint"]
    assert found([relined(lines[0], checkpoint=older), *lines[1:]]) == [(index + 1, "beyond")]


def test_a_checkpoint_with_a_bad_signature_is_reported(lines: list[str]) -> None:
    """Its claims are not used for anything."""
    note = json.loads(lines[0])["checkpoint"].replace("\n200\n", "\n201\n")
    assert found([relined(lines[0], checkpoint=note), *lines[1:]]) == [(None, "signature")]


def test_a_checkpoint_of_another_key_is_reported(lines: list[str]) -> None:
    """A file that was signed anew names its own key, which is not the expected one."""
    leaves = [bytes.fromhex(json.loads(line)["leaf"]) for line in lines[1:]]
    header = relined(
        lines[0],
        checkpoint=sign_head(OTHER, 200, root_of(leaves)),
        verifier_key=verifier_key(OTHER),
    )
    forged = [header, *(relined(line, checkpoint="") for line in lines[1:])]
    assert found(forged) == []
    assert found(forged, verifier_key=KEY) == [(None, "key"), (None, "key")]


def test_an_export_under_the_name_of_another_zone_is_reported(lines: list[str]) -> None:
    """The zone in each event, and the origin of the checkpoint, must be the header's."""
    assert found([relined(lines[0], zone="bank"), *lines[1:3]])[0] == (0, "foreign")
    assert found([relined(lines[0], origin="x"), *lines[1:]])[0] == (None, "foreign")


@pytest.mark.parametrize("zone", ["bank", "shop"])
def test_a_ledger_of_another_name_under_our_key_is_reported(lines: list[str], zone: str) -> None:
    """The key is of one log, whatever a file says that it is of."""
    leaves = [bytes.fromhex(json.loads(line)["leaf"]) for line in lines[1:]]
    signer = signer_for("shop")
    bank = TreeHead(signer_for("bank").name, 200, root_of(leaves))
    signed = signature_line(VerifierKey.parse(KEY), signer.sign(bank.text().encode()))
    origin, note = signer_for(zone).name, f"{bank.text()}\n{signed}"
    header = relined(lines[0], origin=origin, checkpoint=note)
    told = found([header, *(relined(line, checkpoint="") for line in lines[1:])])
    assert (None, "foreign") in told


def test_a_kept_checkpoint_in_another_place_is_reported(lines: list[str]) -> None:
    """A genuine checkpoint of another size proves nothing here."""
    lines = lines.copy()
    note = next(json.loads(line)["checkpoint"] for line in lines[1:] if "checkpoint" in line)
    lines[1 + 5] = relined(lines[1 + 5], checkpoint=note)
    lines[1 + 6] = relined(lines[1 + 6], checkpoint="x")
    assert found(lines) == [(5, "moved"), (6, "signature")]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"index":-1,"leaf":"","event":""}',
        '{"index":true,"leaf":"","event":""}',
        '{"index":30,"leaf":"xy","event":""}',
        '{"index":30,"leaf":"00","event":"{}"}',
        '{"index":30,"leaf":"' + "00" * 32 + '","event":"\\ud800"}',
        '{"index":30,"leaf":"' + "00" * 32 + '","event":"{}","checkpoint":1}',
        "[" * 100_000,
        '{"index":' + "9" * 5_000 + "}",
        "x" * 300_000,
    ],
)
def test_a_line_that_cannot_be_read_is_named(lines: list[str], tmp_path: Path, line: str) -> None:
    """The number of the line is given, and no entry is called missing for it."""
    broken = [*lines[:31], line + "\n", *lines[32:]]
    file = tmp_path / "export.jsonl"
    file.write_text("".join(each if each.endswith("\n") else each + "\n" for each in broken))
    for source in (broken, file):
        report = verify_file(source, verify=verify)
        assert kinds(report.findings)[-1] == (30, "malformed")
        assert "line 32 " in report.findings[-1].text
        assert {kind for _, kind in kinds(report.findings)} == {"malformed", "root"}


@pytest.mark.parametrize(
    "header",
    ["", "{}", "{", '{"format":"caracal-ledger","v":2}', '{"format":"caracal-ledger","v":1}'],
)
def test_a_file_without_a_header_is_malformed(lines: list[str], header: str) -> None:
    """Nothing can be said of what follows."""
    report = verify_file([header, *lines[1:]], verify=verify)
    assert kinds(report.findings) == [(None, "malformed")]
    assert "line 1 " in report.findings[0].text
    assert kinds(verify_file([], verify=verify).findings) == [(None, "malformed")]


def test_an_event_that_is_none_is_reported(lines: list[str]) -> None:
    """A line that is consistent in itself and holds something else is no entry."""
    lines = lines.copy()
    forged = leaf_hash(b"[]").hex()
    lines[1 + 8] = json.dumps({"index": 8, "leaf": forged, "event": "[]"})
    assert (8, "changed") in found(lines)


def test_findings_are_bounded(lines: list[str]) -> None:
    """A file that is wrong in every line is reported in bounded memory."""
    report = verify_file([lines[0], *(["{}\n"] * (MAX_FINDINGS + 50))], verify=verify)
    assert len(report.findings) <= MAX_FINDINGS
    assert report.omitted >= 50


def test_a_missing_file_and_a_malformed_key_are_refused(tmp_path: Path) -> None:
    """Mistakes of the caller are no findings."""
    with pytest.raises(CaracalError) as refusal:
        verify_file(tmp_path / "none", verify=verify)
    assert refusal.value.reason is Reason.OBJECT_NOT_FOUND
    with pytest.raises(CaracalError) as refusal:
        verify_file(tmp_path, verify=verify)
    assert refusal.value.reason is Reason.FIELD_INVALID
    with pytest.raises(CaracalError) as refusal:
        verify_file([], verifier_key="x", verify=verify)
    assert refusal.value.violations[0].field == "verifier_key"


@given(st.integers(0, 10**9))
def test_no_random_edit_goes_unnoticed(lines: list[str], seed: int) -> None:
    """Any edit of an event, drop, swap or copy of lines is found."""
    choice = random.Random(seed)  # noqa: S311 - a test's choice
    body = lines[1:]
    place, other = choice.sample(range(len(body)), 2)
    edits: list[Callable[[], None]] = [
        lambda: body.__setitem__(place, edited(body[place], rehash=choice.random() < 0.5, hops=7)),
        lambda: body.__delitem__(place),
        lambda: body.insert(place, body[other]),
        lambda: body.__setitem__(slice(None), _swapped(body, place, other)),
    ]
    choice.choice(edits)()
    assert not verify_file([lines[0], *body], verify=verify).ok


def _swapped(body: list[str], one: int, other: int) -> list[str]:
    swapped = body.copy()
    swapped[one], swapped[other] = body[other], body[one]
    return swapped


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "UPDATE entries SET event = replace(event, 'allow', 'deny') WHERE idx = 3",
            {(3, "changed")},
        ),
        ("UPDATE entries SET event = x'ff00' WHERE idx = 3", {(3, "changed")}),
        ("UPDATE entries SET leaf = zeroblob(32) WHERE idx = 3", {(3, "leaf")}),
        ("DELETE FROM entries WHERE idx = 3", {(3, "removed")}),
        ("DELETE FROM entries WHERE idx >= 8", {(8, "tail")}),
        (
            """UPDATE entries SET idx = -3 WHERE idx = 3;
               UPDATE entries SET idx = 3 WHERE idx = 4;
               UPDATE entries SET idx = 4 WHERE idx = -3""",
            {(3, "moved"), (4, "moved")},
        ),
    ],
)
async def test_edited_rows_show_in_an_export(
    tmp_path: Path, statement: str, expected: set[tuple[int, str]]
) -> None:
    """Rows changed, removed, swapped and cut in the database are named by the exported file."""
    file = tmp_path / "ledger.db"
    ledger = await open_ledger(file)
    await fill(ledger, 10)
    await ledger.close()
    connection = sqlite3.connect(file)
    connection.executescript(statement)
    connection.close()
    ledger = await open_ledger(file)
    report = verify_file(await export_lines(ledger), verify=verify)
    await ledger.close()
    assert {each for each in kinds(report.findings) if each[1] != "root"} == expected


async def test_edited_rows_are_told_apart_when_read(tmp_path: Path) -> None:
    """A read says which entries no longer match, and gives none where none can be read."""
    file = tmp_path / "ledger.db"
    ledger = await open_ledger(file)
    await fill(ledger, 3)
    await ledger.close()
    connection = sqlite3.connect(file)
    connection.execute("UPDATE entries SET event = replace(event, 'allow', 'deny') WHERE idx = 1")
    connection.execute("UPDATE entries SET event = 'gone' WHERE idx = 2")
    connection.commit()
    connection.close()
    ledger = await open_ledger(file)
    first, second, third = (await ledger.search("shop")).entries
    await ledger.close()
    assert [each.intact for each in (first, second, third)] == [True, False, False]
    assert second.entry is not None
    assert second.entry.decision == "deny"
    assert third.entry is None
