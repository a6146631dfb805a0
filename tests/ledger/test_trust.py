"""Holding an export against what was kept elsewhere: checkpoints, growth, witnesses, and forks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.checks.finding import Report
from caracal_grpc.ledger.checks.heads import Growth
from caracal_grpc.ledger.checks.verify import verify_file
from caracal_grpc.ledger.notes.cosignature import cosign, witness_key
from caracal_grpc.ledger.notes.note import VerifierKey, sign_head, verifier_key
from caracal_grpc.ledger.tree import leaf_hash, root_of
from caracal_grpc.ledger.trees.proof import consistency_proof
from tests.ledger.support import Key, entry, export_lines, kinds, open_ledger, signer_for, verify
from tests.ledger.test_proof import reader

LOG = signer_for("shop")
KEY = verifier_key(LOG)
WITNESS = Key("witness.example/w1", bytes(31) + b"\x02")
SIZES = (1, 40, 64, 80, 100, 120)


@dataclass(frozen=True)
class Kept:
    """A ledger of 120 entries: its files, checkpoints over sizes, and proofs between them."""

    whole: list[str]
    older: list[str]
    part: list[str]
    notes: dict[int, str]
    growths: dict[tuple[int, int], Growth]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """`older` holds the first 100 entries, `part` those from 50 to 89 under the newest root."""
    ledger = await open_ledger(tmp_path_factory.mktemp("trust") / "ledger.db")
    for _ in range(120):
        await ledger.append(entry())
    notes = {size: (await ledger.inclusion("shop", 0, size)).checkpoint.note for size in SIZES}
    pairs = [(old, new) for old in SIZES for new in SIZES if old < new]
    proofs = {pair: await ledger.consistency("shop", *pair) for pair in pairs}
    growths = {pair: Growth(each.hashes, each.checkpoint.note) for pair, each in proofs.items()}
    older = await export_lines(ledger, size=100)
    part = await export_lines(ledger, "shop", 50, 90)
    made = Kept(await export_lines(ledger), older, part, notes, growths)
    await ledger.close()
    return made


def checked(lines: list[str], **options: Any) -> Report:
    """The verification of lines with the key of the zone."""
    return verify_file(lines, verifier_key=KEY, verify=verify, **options)


def found(lines: list[str], **options: Any) -> list[tuple[int | None, str]]:
    """What a verification finds."""
    return kinds(checked(lines, **options).findings)


def forged(size: int) -> str:
    """A checkpoint that the zone signed over other entries: what a fork looks like."""
    return sign_head(LOG, size, root_of([leaf_hash(b"other")] * size))


@pytest.mark.parametrize("size", SIZES)
def test_a_file_contains_its_older_checkpoints(kept: Kept, size: int) -> None:
    """Whatever was kept of the same ledger agrees with it."""
    assert found(kept.whole, checkpoint=kept.notes[size]) == []


def test_an_older_file_is_connected_with_a_newer_checkpoint_by_a_proof(kept: Kept) -> None:
    """Without it the entries that the checkpoint covers are missing."""
    newer = kept.notes[120]
    report = checked(kept.older, checkpoint=newer)
    assert kinds(report.findings) == [(100, "tail")]
    assert "covers 120 entries" in report.findings[0].text
    assert "consistency proof from 100 to 120 entries" in report.findings[0].text
    assert found(kept.older, checkpoint=newer, growth=kept.growths[100, 120]) == []
    assert found(kept.older, growth=kept.growths[100, 120]) == []


def test_a_part_is_compared_with_what_it_reaches(kept: Kept) -> None:
    """A checkpoint over a size within it, or over that of its own; others need a proof."""
    for size in (64, 80, 120):
        assert found(kept.part, checkpoint=kept.notes[size]) == []
    for size in (40, 100):
        assert found(kept.part, checkpoint=kept.notes[size]) == [(None, "consistency")]
        growth = kept.growths[size, 120]
        assert found(kept.part, checkpoint=kept.notes[size], growth=growth) == []


def test_two_checkpoints_are_connected_over_a_third(kept: Kept) -> None:
    """The proof's own checkpoint may be the one that both the file and the kept one fit."""
    growth = kept.growths[40, 80]
    assert found(kept.part, checkpoint=kept.notes[40], growth=growth) == []


@pytest.mark.parametrize("pair", [(64, 120), (1, 100), (80, 100)])
def test_a_proof_of_other_sizes_connects_nothing(kept: Kept, pair: tuple[int, int]) -> None:
    """It is said that it does not lead there, and that the checkpoint stays unconnected."""
    told = found(kept.part, checkpoint=kept.notes[40], growth=kept.growths[pair])
    assert told
    assert {kind for _, kind in told} == {"consistency"}


def test_a_proof_from_within_the_file_does_not_hide_a_fork(kept: Kept) -> None:
    """Both histories have the first 64 entries, and the zone has signed either."""
    leaves = [bytes.fromhex(json.loads(line)["leaf"]) for line in kept.older[1:65]]
    other = [*leaves, *([leaf_hash(b"other")] * 56)]
    newer = sign_head(LOG, 120, root_of(other))
    growth = Growth(consistency_proof(64, 120, reader(other)), newer)
    assert found(kept.older, checkpoint=kept.notes[64], growth=growth) == [(100, "tail")]
    header = json.dumps({**json.loads(kept.older[0]), "checkpoint": kept.notes[64], "end": 64})
    assert found([header, *kept.older[1:65]], growth=growth) == []


def test_a_changed_proof_connects_nothing(kept: Kept) -> None:
    """Not a bit of it may be another."""
    growth = kept.growths[100, 120]
    first = (int.from_bytes(growth.hashes[0]) ^ 1).to_bytes(32)
    wrong = Growth((first, *growth.hashes[1:]), growth.checkpoint)
    assert (None, "consistency") in found(kept.older, growth=wrong)


def test_a_checkpoint_that_is_not_in_the_file_is_a_fork(kept: Kept) -> None:
    """Both are signed by the zone: its sizes and roots are told."""
    report = checked(kept.whole, checkpoint=forged(80))
    ((index, kind),) = kinds(report.findings)
    assert (index, kind) == (64, "fork")
    text = report.findings[0].text
    for said in ("over 80 entries", "over 120 entries", report.root.hex(), "two histories"):
        assert said in text


def test_two_checkpoints_over_as_many_entries_are_a_fork(kept: Kept) -> None:
    """Whatever is in the file: the file's own, or one that an entry keeps."""
    assert found(kept.whole, checkpoint=forged(120)) == [(0, "fork")]
    assert found(kept.part, checkpoint=forged(120)) == [(0, "fork")]
    assert [kind for _, kind in found(kept.whole, checkpoint=forged(64))] == ["fork"]


def test_a_kept_checkpoint_of_another_history_is_a_fork(kept: Kept) -> None:
    """An entry carries one that the zone signed, and the file does not come to it."""
    lines = kept.whole.copy()
    assert "checkpoint" in json.loads(lines[64])
    lines[64] = json.dumps({**json.loads(lines[64]), "checkpoint": forged(64)})
    assert found(lines) == [(0, "fork")]


def test_a_fork_shows_although_the_file_was_changed_behind_it(kept: Kept) -> None:
    """A checkpoint that fits, and another over as many entries: that is enough."""
    lines = kept.whole.copy()
    lines[64] = json.dumps({**json.loads(lines[64]), "checkpoint": forged(64)})
    lines[80] = json.dumps({**json.loads(lines[80]), "event": "{}", "leaf": leaf_hash(b"{}").hex()})
    told = found(lines, checkpoint=kept.notes[64])
    assert {(0, "fork"), (79, "changed")} <= set(told)


def test_a_file_that_was_changed_is_no_fork(kept: Kept) -> None:
    """What the file comes to was not signed by anybody: it is the file that is wrong."""
    lines = kept.whole.copy()
    event = json.loads(lines[80])["event"].replace("allow", "deny")
    leaf = leaf_hash(event.encode()).hex()
    lines[80] = json.dumps({**json.loads(lines[80]), "event": event, "leaf": leaf})
    assert [kind for _, kind in found(lines, checkpoint=kept.notes[100])] == ["root"]


def test_a_checkpoint_of_another_key_or_log_proves_nothing(kept: Kept) -> None:
    """It is not taken for a fork, for the zone did not sign it."""
    stranger = Key(LOG.name, bytes(31) + b"\x09")
    assert found(kept.whole, checkpoint=sign_head(stranger, 80, bytes(32))) == [(None, "key")]
    bad = kept.notes[80].replace("\n80\n", "\n81\n")
    assert found(kept.whole, checkpoint=bad) == [(None, "signature")]
    assert found(kept.whole, growth=Growth((), bad)) == [(None, "signature")]


@pytest.mark.parametrize("size", [100, 64])
def test_a_witness_that_is_asked_for_must_have_cosigned(kept: Kept, size: int) -> None:
    """A checkpoint that the file is held against; the time is told."""
    key = str(witness_key(WITNESS))
    assert found(kept.whole, witnesses=[key]) == [(None, "witness")]
    cosigned = cosign(kept.notes[size], VerifierKey.parse(KEY), WITNESS, 1_790_000_000, verify)
    report = checked(kept.whole, checkpoint=cosigned, witnesses=[key])
    assert (report.ok, report.cosigned) == (True, ((key, 1_790_000_000),))
    other = str(witness_key(Key("witness.example/w2", bytes(31) + b"\x03")))
    assert found(kept.whole, checkpoint=cosigned, witnesses=[key, other]) == [(None, "witness")]


def test_the_checkpoint_of_the_file_may_be_the_cosigned_one(kept: Kept) -> None:
    """As when the export was made of it."""
    header = json.loads(kept.whole[0])
    note = cosign(header["checkpoint"], VerifierKey.parse(KEY), WITNESS, 7, verify)
    lines = [json.dumps({**header, "checkpoint": note}), *kept.whole[1:]]
    assert checked(lines, witnesses=[str(witness_key(WITNESS))]).ok


def test_a_cosignature_that_does_not_hold_is_found(kept: Kept) -> None:
    """It is worth nothing, and somebody made it."""
    cosigned = cosign(kept.notes[80], VerifierKey.parse(KEY), WITNESS, 7, verify)
    line = cosigned.removeprefix(kept.notes[80])
    told = checked(
        kept.whole, checkpoint=kept.notes[100] + line, witnesses=[str(witness_key(WITNESS))]
    )
    assert {finding.kind for finding in told.findings} == {"witness"}
    assert any("bad cosignature" in finding.text for finding in told.findings)


def test_a_malformed_witness_is_a_mistake_of_the_caller(kept: Kept) -> None:
    """Also the key of a log where that of a witness belongs."""
    for wrong in ("x", KEY):
        with pytest.raises(CaracalError) as refusal:
            checked(kept.whole, witnesses=[wrong])
        assert refusal.value.reason is Reason.FIELD_INVALID
        assert refusal.value.violations[0].field == "witnesses"
