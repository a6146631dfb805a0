"""An entry of the ledger: bounded, plain, and itself again after any journey through JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.entry import MAX_DETAILS, MAX_INT, MAX_ITEMS, MAX_TEXT, Entry, Narrowing
from caracal_grpc.core.entry import plain_text as plain
from caracal_grpc.core.reason import Reason
from tests.support.refusals import refused

GOOD: dict[str, Any] = {
    "id": "aud_01h455vb4pex5vsknk084sn02q",
    "zone": "shop",
    "time_ms": 1_790_000_000_000,
    "type": "exchange",
    "decision": "allow",
}
FULL = Entry(
    **GOOD,
    reason="POLICY_DENIED",
    application="app_1",
    subject="usér",
    actor_chain=("a", "b"),
    requested_scopes=("s",),
    hops=2,
    expires_at=9,
    narrowing=(Narrowing("policy", ("s",)), Narrowing("x")),
    details={"count": 1, "yes": True, "list": ["a"], "text": "t"},
)

PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")))


def test_entry_through_json() -> None:
    """There and back; the index that the ledger adds is no part of it."""
    event = json.loads(json.dumps(FULL.to_event()))
    assert Entry.from_event(event | {"index": 7}) == FULL


def test_empty_fields_are_left_out() -> None:
    """An event holds what there is to say."""
    assert set(Entry(**GOOD).to_event()) == {"v", *GOOD}


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "subject": PLAIN.map(lambda text: text[:MAX_TEXT]),
            "actor_chain": st.lists(PLAIN.map(lambda t: t[:9]), max_size=4).map(tuple),
            "hops": st.integers(0, MAX_INT),
        },
    )
)
def test_any_plain_entry(fields: dict[str, Any]) -> None:
    """Any text without controls is kept as it is."""
    entry = Entry(**GOOD, **fields)
    assert Entry.from_event(json.loads(json.dumps(entry.to_event()))) == entry


BAD: list[tuple[str, Any]] = [
    ("id", "ses_01h455vb4pex5vsknk084sn02q"),
    ("zone", "No Slug"),
    ("time_ms", 0),
    ("time_ms", -1),
    ("time_ms", 1.5),
    ("time_ms", True),
    ("time_ms", MAX_INT + 1),
    ("type", ""),
    ("type", "With Space"),
    ("type", 7),
    ("decision", "maybe"),
    ("reason", "NO_SUCH_REASON"),
    ("subject", "x" * (MAX_TEXT + 1)),
    ("subject", "a\nb"),
    ("subject", "\ud800"),
    ("subject", 7),
    ("actor_chain", ["a"]),
    ("actor_chain", ("a",) * (MAX_ITEMS + 1)),
    ("actor_chain", ("a\x00",)),
    ("hops", -1),
    ("narrowing", [Narrowing("a")]),
    ("narrowing", ("a",)),
    ("narrowing", (Narrowing("a\n"),)),
    ("narrowing", (Narrowing("a", ("\x7f",)),)),
    ("narrowing", (Narrowing("a"),) * (MAX_ITEMS + 1)),
    ("details", "x"),
    ("details", {"Upper": 1}),
    ("details", {7: 1}),
    ("details", {"a": 1.5}),
    ("details", {"a": None}),
    ("details", {"a": "\n"}),
    ("details", {"a": [1]}),
    ("details", {"a": MAX_INT + 1}),
    ("details", {f"k{n}": 1 for n in range(MAX_DETAILS + 1)}),
]


@pytest.mark.parametrize(("field", "value"), BAD, ids=lambda value: repr(value)[:30])
def test_bad_field_is_named(field: str, value: Any) -> None:
    """FIELD_INVALID."""
    with refused(Reason.FIELD_INVALID) as seen:
        Entry(**(GOOD | {field: value}))
    assert seen.fields[0].partition(".")[0] == field


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 3},
        {"v": "1"},
        {"personal": "a hash"},
        {"v": None},
        {"unknown": 1},
        {"actor_chain": "a"},
        {"narrowing": [{"by": "a"}]},
        {"narrowing": ["a"]},
        {"narrowing": [{"by": "a", "kept": "b"}]},
    ],
    ids=str,
)
def test_event_that_is_none(changes: dict[str, Any]) -> None:
    """FIELD_INVALID, also for what a newer release wrote."""
    with refused(Reason.FIELD_INVALID):
        Entry.from_event({"v": 1, **GOOD, **changes})


@pytest.mark.parametrize("field", GOOD)
def test_event_that_lacks_a_field(field: str) -> None:
    """FIELD_INVALID naming it."""
    event = {"v": 1, **GOOD}
    del event[field]
    with refused(Reason.FIELD_INVALID) as seen:
        Entry.from_event(event)
    assert seen.fields == [field]


@given(st.text(), st.integers(1, 600))
def test_any_text_can_be_made_plain(text: str, limit: int) -> None:
    """Whatever comes from outside fits an entry afterwards, and plain text stays as it is."""
    made = plain(text, limit)
    assert len(made) <= limit
    Entry(**GOOD, subject=made[:MAX_TEXT])
    assert plain(made, limit) == made


def test_overlong_text_shows_that_it_was_cut() -> None:
    """An ellipsis at the end."""
    assert plain("abcdef", 4) == "abc…"
