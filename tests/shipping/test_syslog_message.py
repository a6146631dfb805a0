"""Syslog messages: each part as RFC 5424 and RFC 5425 write it."""

from __future__ import annotations

import json
import re

import pytest

from caracal_grpc.shipping.port import Record
from caracal_grpc.shipping.sinks.syslog_message import Header, escaped, framed
from caracal_grpc.v1.audit_pb2 import AuditEntry
from tests.shipping.records import FORM, entry

HEADER = Header(13, "ship.example", "caracal-grpc", 32473)

# RFC 5424 section 6, by its ABNF.
GRAMMAR = re.compile(
    rb"<(?P<pri>[0-9]{1,3})>(?P<version>[1-9][0-9]{0,2}) "
    rb"(?P<time>-|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)) "
    rb"(?P<host>[\x21-\x7e]{1,255}) (?P<app>[\x21-\x7e]{1,48}) "
    rb"(?P<process>[\x21-\x7e]{1,128}) (?P<id>[\x21-\x7e]{1,32}) "
    rb'(?P<data>\[[!#-<>-\\^-~]{1,32}(?: [!#-<>-\\^-~]{1,32}="(?:[^"\\\]]|\\["\\\]])*")*\]) '
    rb"(?P<text>.*)",
    re.DOTALL,
)


def parsed(made: AuditEntry, header: Header = HEADER, zone: str = "shop") -> dict[str, bytes]:
    """The parts of the message of an entry."""
    record = Record.of(zone, made)
    match = GRAMMAR.fullmatch(header.message(record, FORM.line(record)))
    assert match is not None
    return match.groupdict()


@pytest.mark.parametrize(
    ("decision", "facility", "priority"),
    [("allow", 13, 110), ("done", 13, 110), ("deny", 13, 108), ("allow", 0, 6), ("deny", 23, 188)],
)
def test_the_priority_is_facility_and_severity(decision: str, facility: int, priority: int) -> None:
    """Eight times the one and the other (section 6.2.1): a refusal is a warning."""
    header = Header(facility, "ship.example", "caracal-grpc", 32473)
    assert int(parsed(entry(1, decision=decision), header)["pri"]) == priority


def test_the_header_tells_of_the_entry() -> None:
    """Its own time in milliseconds, and its type as the id of the message (section 6.2)."""
    parts = parsed(entry(7))
    assert parts["version"] == b"1"
    assert parts["time"] == b"2026-09-21T14:13:20.130Z"
    assert parts["host"] == b"ship.example"
    assert parts["app"] == b"caracal-grpc"
    assert parts["process"] == b"-"
    assert parts["id"] == b"exchange"


def test_structured_data_holds_what_stays_the_same() -> None:
    """By it a receiver drops what comes again."""
    data = f'[caracal@32473 zone="shop" index="7" id="aud_{7:026}"]'
    assert parsed(entry(7))["data"] == data.encode()


def test_the_text_is_utf_8_with_its_mark() -> None:
    """Section 6.4: it begins with the mark, and is the JSON of the record."""
    text = parsed(entry(1, subject="José ☂"))["text"]
    assert text.startswith(b"\xef\xbb\xbf{")
    assert json.loads(text.decode("utf-8-sig"))["subject"] == "José ☂"


def test_what_was_pruned_has_no_time_and_no_kind() -> None:
    """Then the header says so with its nil value (section 6)."""
    parts = parsed(AuditEntry(index=3, pruned=True))
    assert (parts["time"], parts["id"]) == (b"-", b"-")
    assert parts["data"] == b'[caracal@32473 zone="shop" index="3"]'


def test_a_long_kind_is_cut_to_what_an_id_holds() -> None:
    """32 characters at most."""
    made = entry(1)
    made.type = "a" * 64
    assert parsed(made)["id"] == b"a" * 32


@pytest.mark.parametrize(
    ("value", "written"),
    [('a"b', 'a\\"b'), ("a\\b", "a\\\\b"), ("a]b", "a\\]b"), ("a[b=ü", "a[b=ü")],
)
def test_three_characters_are_escaped(value: str, written: str) -> None:
    """And no others (section 6.3.3)."""
    assert escaped(value) == written


def test_a_frame_counts_octets() -> None:
    """Not characters (RFC 5425 section 4.3.1)."""
    assert framed("ü".encode()) == b"2 \xc3\xbc"
