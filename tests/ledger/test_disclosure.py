"""What is personal of an entry beside the tree: committed to, opened, gone, never exchanged."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from caracal_grpc.core.entry import MAX_ANSWER, MAX_QUESTION, Entry
from caracal_grpc.ledger.entries.leaf import draft
from caracal_grpc.ledger.entries.stored import Stored
from caracal_grpc.ledger.tree import leaf_hash

ALICE = "usr_01h455vb4pex5vsknk084sn02q"
SALT = bytes(range(16))
ENTRY = Entry(
    id="aud_01h455vb4pex5vsknk084sn02q",
    zone="shop",
    time_ms=1_790_000_000_000,
    type="exchange",
    decision="allow",
    application="app_01h455vb4pex5vsknk084sn02q",
    subject=ALICE,
    subject_type="user",
    hops=1,
    peer="ipv4:10.0.0.7",
    question='{"subject":"alicé"}',
    answer='{"decision":"allow"}',
    details={"count": 1, "why": "a case"},
)
VERSION_1 = (
    '{"answer":"{\\"decision\\":\\"allow\\"}","application":"app_01h455vb4pex5vsknk084sn02q",'
    '"decision":"allow","details":{"count":1,"why":"a case"},"hops":1,'
    '"id":"aud_01h455vb4pex5vsknk084sn02q","index":7,"peer":"ipv4:10.0.0.7",'
    '"question":"{\\"subject\\":\\"alicé\\"}","subject":"usr_01h455vb4pex5vsknk084sn02q",'
    '"subject_type":"user","time_ms":1790000000000,"type":"exchange","v":1,"zone":"shop"}'
).encode()
"""What an earlier release stored of it."""
PERSONAL = (
    '{"fields":{"answer":"{\\"decision\\":\\"allow\\"}","details":{"why":"a case"},'
    '"peer":"ipv4:10.0.0.7","question":"{\\"subject\\":\\"alicé\\"}",'
    '"subject":"usr_01h455vb4pex5vsknk084sn02q"},"salt":"000102030405060708090a0b0c0d0e0f"}'
).encode()
VERSION_2 = (
    '{"application":"app_01h455vb4pex5vsknk084sn02q","decision":"allow","details":{"count":1},'
    '"hops":1,"id":"aud_01h455vb4pex5vsknk084sn02q","index":7,'
    f'"personal":"{hashlib.sha256(PERSONAL).hexdigest()}","subject_type":"user",'
    '"time_ms":1790000000000,"type":"exchange","v":2,"zone":"shop"}'
).encode()


def stored(canonical: bytes, personal: bytes = b"") -> Stored:
    """An entry as it is kept, with the hash that its bytes have."""
    return Stored(7, canonical, leaf_hash(canonical), "", personal)


def test_an_entry_of_version_1_is_read_for_ever() -> None:
    """All of it is in the event; nothing of it can be erased."""
    kept = stored(VERSION_1)
    assert kept.entry == ENTRY
    assert (kept.intact, kept.erased, kept.pruned) == (True, False, False)


def test_the_bytes_of_version_2_are_fixed() -> None:
    """Both halves are canonical JSON: whoever has one can hold it against the other."""
    made = draft(ENTRY, SALT)
    assert made.at(7) == VERSION_2
    assert made.personal == PERSONAL


def test_both_halves_give_the_entry() -> None:
    """As it was recorded."""
    kept = stored(VERSION_2, PERSONAL)
    assert kept.entry == ENTRY
    assert (kept.intact, kept.erased) == (True, False)


def test_without_what_is_personal_the_rest_is_whole() -> None:
    """It is erased, and as intact as before."""
    kept = stored(VERSION_2)
    assert kept.entry == replace(
        ENTRY, subject="", peer="", question="", answer="", details={"count": 1}
    )
    assert (kept.intact, kept.erased) == (True, True)


def test_two_entries_of_one_person_have_nothing_in_common() -> None:
    """Each salt is fresh, so no hash tells who it is, or that two are the same."""
    hashes = {json.loads(draft(ENTRY).at(7))["personal"] for _ in range(50)}
    salts = {json.loads(draft(ENTRY).personal)["salt"] for _ in range(50)}
    assert len(hashes) == len(salts) == 50
    assert {len(salt) for salt in salts} == {32}


def test_an_entry_about_no_person_has_nothing_beside_it() -> None:
    """No hash, and nothing to erase."""
    plain = replace(
        ENTRY, subject=ENTRY.application, peer="", question="", answer="", details={"count": 1}
    )
    made = draft(plain)
    kept = stored(made.at(7))
    assert (made.personal, kept.entry, kept.erased) == (b"", plain, False)
    assert b'"personal"' not in kept.canonical


@pytest.mark.parametrize(
    ("canonical", "personal"),
    [
        (VERSION_2, PERSONAL.replace(b"usr_01", b"usr_02")),
        (VERSION_2, PERSONAL.replace(b'"salt":"00', b'"salt":"01')),
        (VERSION_2, PERSONAL + b" "),
        (VERSION_2, b"[]"),
        (VERSION_2, b"{"),
        (VERSION_1, PERSONAL),
        (b"[]", PERSONAL),
    ],
)
def test_what_is_personal_cannot_be_exchanged(canonical: bytes, personal: bytes) -> None:
    """Other bytes than those that the event commits to convict the entry, and so does no event."""
    assert not stored(canonical, personal).intact


def test_of_a_pruned_entry_the_hash_is_left() -> None:
    """It is neither an entry nor intact: whatever reads entries has to say what it makes of it."""
    kept = Stored(7, b"", leaf_hash(VERSION_2))
    assert (kept.pruned, kept.entry, kept.intact, kept.erased) == (True, None, False, False)


def test_the_longest_question_and_answer_fit_beside_all_else() -> None:
    """Full of what JSON within JSON has to escape."""
    long = replace(ENTRY, question='"' * MAX_QUESTION, answer="\\" * MAX_ANSWER)
    made = draft(long)
    assert stored(made.at(7), made.personal).entry == long
