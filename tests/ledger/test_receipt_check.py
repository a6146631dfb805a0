"""Receipts: what proves one entry, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from caracal_grpc.ledger.checks.heads import Growth
from caracal_grpc.ledger.checks.receipt_check import Evidence
from caracal_grpc.ledger.checks.verify import unreadable, verify_receipt
from caracal_grpc.ledger.notes.cosignature import cosign, witness_key
from caracal_grpc.ledger.notes.note import VerifierKey, sign_head, verifier_key
from caracal_grpc.ledger.tree import leaf_hash
from tests.ledger.support import Key, entry, kinds, open_ledger, signer_for, verify

LOG = signer_for("shop")
KEY = verifier_key(LOG)
WITNESS = Key("witness.example/w1", bytes(31) + b"\x02")
INDEX, SIZE = 11, 20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Evidence, Growth]:
    """The receipt of an entry among 20, and how the ledger grew to 30."""
    ledger = await open_ledger(tmp_path_factory.mktemp("receipt") / "ledger.db")
    for _ in range(30):
        await ledger.append(entry(subject="ada"))
    proof = await ledger.inclusion("shop", INDEX, SIZE)
    growth = await ledger.consistency("shop", SIZE, 30)
    (stored,) = [each async for each in ledger.export("shop", INDEX, INDEX + 1)]
    await ledger.close()
    note = proof.checkpoint.note
    told = Evidence("shop", INDEX, stored.leaf, stored.canonical, proof.hashes, note, KEY)
    return told, Growth(growth.hashes, growth.checkpoint.note)


@pytest.fixture
def receipt(made: tuple[Evidence, Growth]) -> Evidence:
    """The receipt."""
    return made[0]


def found(receipt: Evidence, **options: Any) -> list[tuple[int | None, str]]:
    """What a verification finds."""
    return kinds(verify_receipt(receipt, verify=verify, **options).findings)


def test_a_receipt_proves_its_entry(receipt: Evidence) -> None:
    """By itself, and better with the key that is known from elsewhere."""
    report = verify_receipt(receipt, verifier_key=KEY, verify=verify)
    assert (report.ok, report.pinned, report.entries, report.start) == (True, True, 1, INDEX)
    assert (report.size, report.withheld, report.pruned) == (SIZE, 1, 0)
    assert not verify_receipt(receipt, verify=verify).pinned


def test_the_receipt_of_a_pruned_entry_proves_its_hash(receipt: Evidence) -> None:
    """And says that its content is gone."""
    report = verify_receipt(replace(receipt, canonical=b""), verifier_key=KEY, verify=verify)
    assert (report.ok, report.pruned, report.pruned_end) == (True, 1, INDEX + 1)


CHANGES: dict[str, tuple[Callable[[Evidence], Evidence], tuple[int | None, str]]] = {
    "event": (
        lambda r: replace(r, canonical=r.canonical.replace(b"allow", b"deny")),
        (INDEX, "changed"),
    ),
    "event and leaf": (
        lambda r: replace(r, canonical=b"{}", leaf=leaf_hash(b"{}")),
        (INDEX, "root"),
    ),
    "leaf": (lambda r: replace(r, leaf=bytes(32)), (INDEX, "root")),
    "short leaf": (lambda r: replace(r, leaf=b"x"), (INDEX, "root")),
    "index": (lambda r: replace(r, index=INDEX - 1), (INDEX - 1, "moved")),
    "index out of the tree": (lambda r: replace(r, index=SIZE), (SIZE, "root")),
    "negative index": (lambda r: replace(r, index=-1), (-1, "root")),
    "zone": (lambda r: replace(r, zone="bank"), (INDEX, "foreign")),
    "no hashes": (lambda r: replace(r, hashes=()), (INDEX, "root")),
    "a hash more": (lambda r: replace(r, hashes=(*r.hashes, bytes(32))), (INDEX, "root")),
    "another hash": (lambda r: replace(r, hashes=(bytes(32), *r.hashes[1:])), (INDEX, "root")),
    "size": (
        lambda r: replace(r, checkpoint=r.checkpoint.replace("\n20\n", "\n21\n")),
        (None, "signature"),
    ),
    "no note": (lambda r: replace(r, checkpoint=""), (None, "signature")),
    "another root": (
        lambda r: replace(r, checkpoint=sign_head(LOG, SIZE, bytes(32))),
        (INDEX, "root"),
    ),
    "no key": (lambda r: replace(r, verifier_key="x"), (None, "malformed")),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_receipt_proves_nothing(receipt: Evidence, name: str) -> None:
    """Whatever of it was changed is said."""
    change, finding = CHANGES[name]
    assert finding in found(change(receipt))


def test_a_receipt_that_another_key_signed_is_found(receipt: Evidence) -> None:
    """The pinned key wins over what the receipt says."""
    other = verifier_key(Key(LOG.name, bytes(31) + b"\x09"))
    assert found(receipt, verifier_key=other) == [(None, "key"), (None, "key")]


def test_a_receipt_is_held_against_a_checkpoint(made: tuple[Evidence, Growth]) -> None:
    """Over as many entries it must be the same; else a proof must connect the two."""
    receipt, growth = made
    assert found(receipt, checkpoint=receipt.checkpoint) == []
    assert found(receipt, checkpoint=sign_head(LOG, SIZE, bytes(32))) == [(0, "fork")]
    assert found(receipt, checkpoint=growth.checkpoint) == [(None, "consistency")]
    assert found(receipt, checkpoint=growth.checkpoint, growth=growth) == []
    assert (None, "consistency") in found(receipt, growth=Growth((), growth.checkpoint))


def test_a_receipt_may_be_asked_for_a_witness(receipt: Evidence) -> None:
    """Its own checkpoint, or the one beside it, carries the cosignature."""
    key = str(witness_key(WITNESS))
    assert found(receipt, witnesses=[key]) == [(None, "witness")]
    note = cosign(receipt.checkpoint, VerifierKey.parse(KEY), WITNESS, 7, verify)
    assert found(replace(receipt, checkpoint=note), witnesses=[key]) == []


def test_what_is_no_receipt_at_all_is_malformed() -> None:
    """Under the key that was asked for, if one was."""
    report = unreadable(verifier_key=KEY, checkpoint=None)
    assert (kinds(report.findings), report.pinned) == ([(None, "malformed")], True)
