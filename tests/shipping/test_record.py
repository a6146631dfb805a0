"""What a record is, and what it looks like as plain JSON."""

from __future__ import annotations

import json

import pytest

from caracal_grpc.shipping.formats.table import FORMATS
from caracal_grpc.shipping.port import Batch, Record
from caracal_grpc.v1.audit_pb2 import AuditEntry
from tests.shipping.records import FORM, batch, entry


def test_a_line_is_the_event_under_its_stable_name() -> None:
    """The key, the place and the time stand first, and nothing of the event is lost."""
    line = json.loads(FORM.line(Record.of("shop", entry(7, resource="resource://orders"))))
    assert list(line)[:4] == ["key", "zone", "index", "id"]
    assert line["key"] == "shop/7"
    assert line["time"] == "2026-09-21T14:13:20.130Z"
    assert line["resource"] == "resource://orders"
    assert line["leaf_hash"] == "07".rjust(64, "0")
    assert "erased" not in line
    assert "pruned" not in line


def test_the_same_record_is_the_same_bytes() -> None:
    """So that a receiver sees that it comes again."""
    assert FORM.body(batch(0, 3)) == FORM.body(batch(0, 3))


def test_what_is_personal_is_in_its_place() -> None:
    """A receiver need not know how it is kept apart."""
    made = entry(1, v=2, personal="ab" * 32)
    made.personal = json.dumps({"fields": {"subject": "user-1"}, "salt": "00" * 16}).encode()
    event = Record.of("shop", made).event
    assert event["subject"] == "user-1"
    assert "personal" not in event


def test_what_was_erased_is_told_as_such() -> None:
    """The hash of what was there stays, and says nothing."""
    made = entry(1, v=2, personal="ab" * 32)
    made.erased = True
    line = json.loads(FORM.line(Record.of("shop", made)))
    assert line["erased"] is True
    assert line["personal"] == "ab" * 32
    assert "subject" not in line


def test_what_was_pruned_is_told_by_its_place() -> None:
    """It has no id, no time and no event any more."""
    made = AuditEntry(index=3, leaf_hash=b"\x01" * 32, pruned=True)
    line = json.loads(FORM.line(Record.of("shop", made)))
    shown = {"key": "shop/3", "zone": "shop", "index": 3, "leaf_hash": "01" * 32, "pruned": True}
    assert line == shown


def test_members_can_be_left_out() -> None:
    """Such as the question, which is long and tells of persons."""
    made = entry(1, question="{}", peer="10.0.0.1")
    line = json.loads(FORM.line(Record.of("shop", made, frozenset({"question"}))))
    assert "question" not in line
    assert line["peer"] == "10.0.0.1"


def test_a_batch_is_lines_or_an_array() -> None:
    """Both hold the same objects."""
    array = FORMATS["json"](True)
    assert (FORM.content_type, array.content_type) == ("application/x-ndjson", "application/json")
    lines = [json.loads(line) for line in FORM.body(batch(0, 3)).splitlines()]
    assert json.loads(array.body(batch(0, 3))) == lines
    assert len(lines) == 3


@pytest.mark.parametrize("canonical", [b"", b"[]", b'{"a":', b"[" * 100_000])
def test_an_entry_that_cannot_be_read_is_an_error(canonical: bytes) -> None:
    """It is never passed over."""
    broken = Record.of("shop", AuditEntry(index=1, id="aud_1", canonical=canonical))
    with pytest.raises(ValueError, match=r"Expecting|is not a JSON object|too deeply"):
        FORM.body(Batch("shop", [broken]))
