"""Exports of a part of a ledger, of a pruned one, and of an earlier release, checked offline."""

from __future__ import annotations

import json
import random
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from caracal_grpc.ledger.checks.verify import verify_file
from caracal_grpc.ledger.notes.note import sign_head, verifier_key
from caracal_grpc.ledger.tree import leaf_hash, root_of
from tests.ledger import auditor
from tests.ledger.support import entry, export_lines, kinds, open_ledger, signer_for, verify

KEY = verifier_key(signer_for("shop"))
RANGE = (40, 60)
FIRST_RELEASE = Path(__file__).parent / "stored" / "v1.ledger"
"""What `audit export` of the first release wrote."""

TOLD = {"index", "leaf", "event", "personal", "zone", "start", "end", "before", "after"}
"""What a line says that somebody relies on."""

Exports = dict[tuple[int, int], list[str]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def exports(tmp_path_factory: pytest.TempPathFactory) -> Exports:
    """Parts of a ledger of 100 entries, with a checkpoint that is kept at entry 63."""
    ledger = await open_ledger(tmp_path_factory.mktemp("ranges") / "ledger.db")
    for _ in range(100):
        await ledger.append(entry(subject="ada"))
    spans = [(0, 0), (0, 1), (0, 64), RANGE, (60, 70), (63, 64), (99, 100), (100, 0)]
    made = {span: await export_lines(ledger, "shop", *span) for span in spans}
    await ledger.close()
    return made


@pytest.fixture
def part(exports: Exports) -> list[str]:
    """The entries from 40 to 59, to be tampered with."""
    return exports[RANGE].copy()


def found(lines: list[str], **options: Any) -> list[tuple[int | None, str]]:
    """What a verification finds."""
    return kinds(verify_file(lines, verify=verify, verifier_key=KEY, **options).findings)


def relined(line: str, **changes: Any) -> str:
    """A line with other members; those that are `None` are left out."""
    merged = {**json.loads(line), **changes}
    return json.dumps({name: value for name, value in merged.items() if value is not None})


def test_any_part_verifies_by_itself(exports: Exports) -> None:
    """One entry, some, or all: to us, and to a verifier that is not ours."""
    for (start, end), lines in exports.items():
        report = verify_file(lines, verifier_key=KEY, verify=verify)
        stop = end or 100
        assert kinds(report.findings) == []
        assert (report.entries, report.start, report.size) == (stop - start, start, 100)
        assert report.root == auditor.signed_head(json.loads(lines[0])["checkpoint"], KEY)[2]
        assert auditor.audit_file(lines, KEY) == (start, stop)


def test_a_changed_entry_of_a_part_is_named(part: list[str]) -> None:
    """As in a whole export."""
    value = json.loads(part[3])
    part[3] = relined(part[3], event=value["event"].replace("allow", "deny"))
    assert found(part) == [(42, "changed")]


def test_an_entry_of_a_part_that_was_rehashed_is_bounded(part: list[str]) -> None:
    """It is one of the part, or what is said to be around it."""
    event = json.loads(part[3])["event"].replace("allow", "deny")
    part[3] = relined(part[3], event=event, leaf=leaf_hash(event.encode()).hex())
    (finding,) = verify_file(part, verifier_key=KEY, verify=verify).findings
    assert (finding.index, finding.kind) == (40, "root")
    assert "40 to 59 are not those that were signed, or hashes of what is before" in finding.text


@pytest.mark.parametrize("name", ["before", "after"])
def test_what_is_around_a_part_cannot_be_changed(part: list[str], name: str) -> None:
    """Not a bit of it, and none may be missing or come twice."""
    header = json.loads(part[0])
    hashes = header[name]
    changed = ["00" * 32, *hashes[1:]]
    assert found([relined(part[0], **{name: changed}), *part[1:]]) == [(40, "root")]
    for wrong in (hashes[1:], [*hashes, hashes[0]]):
        assert (None, "malformed") in found([relined(part[0], **{name: wrong}), *part[1:]])


def test_a_part_cannot_be_moved(part: list[str]) -> None:
    """Another start or end does not fit what is around it, even where the counts do."""
    for start, end in ((40, 61), (40, 59), (41, 60), (48, 68), (34, 54)):
        assert found([relined(part[0], start=start, end=end), *part[1:]]) != []


def test_entries_that_a_part_must_have_are_named(part: list[str]) -> None:
    """In the middle, at its begin and at its end."""
    assert (45, "removed") in found([*part[:6], *part[7:]])
    assert (40, "removed") in found([part[0], *part[2:]])
    assert (59, "tail") in found(part[:-1])


def test_entries_of_elsewhere_are_named(part: list[str], exports: Exports) -> None:
    """Before and behind the part."""
    whole = exports[0, 0]
    assert (39, "beyond") in found([part[0], whole[40], *part[1:]])
    assert found([*part, whole[61]]) == [(60, "beyond")]


def test_a_kept_checkpoint_within_a_part_is_compared(exports: Exports) -> None:
    """It bounds a change from one side."""
    lines = exports[60, 70].copy()
    assert "checkpoint" in json.loads(lines[4])
    event = json.loads(lines[6])["event"].replace("allow", "deny")
    lines[6] = relined(lines[6], event=event, leaf=leaf_hash(event.encode()).hex())
    (finding,) = verify_file(lines, verify=verify).findings
    assert (finding.index, finding.kind) == (64, "root")
    assert "64 to 69" in finding.text


def test_no_changed_character_of_a_part_tells_a_lie(part: list[str]) -> None:
    """Wherever it is: it is found, or what is still told is what was told before.

    A member that is called something else is not told any more: an event that is left out leaves
    an entry that counts as pruned, and nothing can be put in its place.
    """
    text, choice = "".join(part), random.Random(7)  # noqa: S311 - a test's choice
    before = [json.loads(line) for line in part]
    for _ in range(500):
        place = choice.randrange(len(text))
        other = choice.choice([c for c in '09afz{}":,' if c != text[place]])
        lines = (text[:place] + other + text[place + 1 :]).splitlines(keepends=True)
        if not found(lines):
            for told, was in zip(map(json.loads, lines), before, strict=True):
                assert {name: told[name] for name in TOLD & told.keys()}.items() <= was.items()


def test_a_pruned_entry_is_proven_and_counted(part: list[str]) -> None:
    """Its hash keeps its place; that its content is gone is no finding."""
    pruned = [relined(line, event=None, personal=None) for line in part[1:6]]
    report = verify_file([part[0], *pruned, *part[6:]], verifier_key=KEY, verify=verify)
    assert (report.ok, report.entries, report.pruned, report.pruned_end) == (True, 20, 5, 45)
    assert auditor.audit_file([part[0], *pruned, *part[6:]], KEY) == RANGE


def test_a_pruned_entry_with_another_hash_is_found(part: list[str]) -> None:
    """Nothing else is left of it that could be wrong."""
    part[3] = relined(part[3], event=None, personal=None, leaf="00" * 32)
    assert found(part) == [(40, "root")]
    part[3] = relined(part[3], personal="{}")
    assert (42, "malformed") in found(part)


def test_what_is_personal_is_checked_or_withheld(part: list[str]) -> None:
    """It is what the event commits to, or it is not told: erased, or left out on the way."""
    personal = json.loads(part[3])["personal"]
    assert sha256(personal.encode()).hexdigest() in json.loads(part[3])["event"]
    assert json.loads(personal)["fields"]["subject"] == "ada"
    changed = relined(part[3], personal=personal.replace("ada", "eve"))
    assert found([*part[:3], changed, *part[4:]]) == [(42, "personal")]
    left_out = [*part[:3], relined(part[3], personal=None), *part[4:]]
    report = verify_file(left_out, verifier_key=KEY, verify=verify)
    assert (report.ok, report.withheld) == (True, 1)


def test_a_disclosure_of_an_event_that_commits_to_none_is_found() -> None:
    """Nobody can put something into the mouth of an entry."""
    event = json.dumps({"id": "aud_1", "index": 0, "v": 2, "zone": "shop"})
    leaf = leaf_hash(event.encode())
    header = {"format": "caracal-ledger", "v": 2, "zone": "shop", "origin": signer_for("shop").name}
    header |= {"verifier_key": KEY, "checkpoint": sign_head(signer_for("shop"), 1, root_of([leaf]))}
    header |= {"start": 0, "end": 1, "before": [], "after": []}
    line = {"index": 0, "leaf": leaf.hex(), "event": event}
    assert found([json.dumps(header), json.dumps(line)]) == []
    assert found([json.dumps(header), json.dumps({**line, "personal": "{}"})]) == [(0, "personal")]


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 3},
        {"v": True},
        {"v": None},
        {"start": None},
        {"end": -1},
        {"end": 39},
        {"before": "x"},
        {"before": ["xy"]},
        {"after": [1]},
        {"after": ["00"]},
    ],
)
def test_a_header_that_says_nonsense_is_malformed(part: list[str], changes: Any) -> None:
    """Nothing can be said of what follows."""
    assert found([relined(part[0], **changes), *part[1:]]) == [(None, "malformed")]


def test_a_file_of_the_first_release_verifies() -> None:
    """The format stays readable, with the key that signed it then."""
    lines = FIRST_RELEASE.read_text().splitlines(keepends=True)
    report = verify_file(FIRST_RELEASE, verifier_key=KEY, verify=verify)
    assert (report.ok, report.entries, report.start, report.pinned) == (True, 66, 0, True)
    assert auditor.audit_file(lines, KEY) == (0, 66)


def test_a_file_of_the_first_release_has_nothing_pruned() -> None:
    """A line without an event is malformed there, whoever took the event out."""
    lines = FIRST_RELEASE.read_text().splitlines()
    lines[4] = relined(lines[4], event=None)
    assert (3, "malformed") in found(lines)
    lines[4] = relined(lines[4], event="")
    assert (3, "changed") in found(lines)
    assert (65, "tail") in found(FIRST_RELEASE.read_text().splitlines()[:-1])
