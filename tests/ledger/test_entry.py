"""The entry: its event and back, its canonical bytes, and its bounds."""

from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.entry import MAX_ANSWER, MAX_INT, MAX_QUESTION, Entry, Narrowing, plain_text
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.entries.disclosure import whole_event
from caracal_grpc.ledger.entries.leaf import draft
from tests.ledger.support import entry

TEXT = st.text(max_size=60).map(plain_text)
TEXTS = st.lists(TEXT, max_size=4).map(tuple)
NUMBER = st.integers(0, MAX_INT)
DETAILS = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True),
    TEXT | st.integers(-MAX_INT, MAX_INT) | st.booleans() | TEXTS,
    max_size=5,
)
ENTRIES = st.builds(
    entry,
    decision=st.sampled_from(["allow", "deny", "done"]),
    reason=st.sampled_from(["", *Reason]),
    type=st.from_regex(r"[a-z][a-z0-9_.]{0,20}", fullmatch=True),
    time_ms=st.integers(1, MAX_INT),
    hops=NUMBER,
    expires_at=NUMBER,
    actor_chain=TEXTS,
    requested_scopes=TEXTS,
    granted_scopes=TEXTS,
    policy_reasons=TEXTS,
    narrowing=st.lists(st.builds(Narrowing, TEXT, TEXTS), max_size=3).map(tuple),
    details=DETAILS,
    question=TEXT.map(json.dumps),
    answer=TEXT.map(json.dumps),
    **dict.fromkeys(
        ("application", "application_name", "subject", "subject_type", "resource", "session"), TEXT
    ),
    **dict.fromkeys(("root_session", "jti", "request_id", "policy_version", "peer"), TEXT),
)


@given(ENTRIES)
def test_an_event_gives_back_its_entry(one: Entry) -> None:
    """Through JSON and back, an entry is the same."""
    assert Entry.from_event(json.loads(json.dumps(one.to_event()))) == one


@given(ENTRIES, st.integers(0, MAX_INT))
def test_a_leaf_is_the_canonical_json_of_event_and_index(one: Entry, index: int) -> None:
    """The bytes are those that a general RFC 8785 canonicaliser writes, and so is the rest."""
    made = draft(one)
    event = json.loads(made.at(index))
    assert made.at(index) == rfc8785.dumps(event)
    assert event.pop("index") == index
    assert Entry.from_event(whole_event(event, made.personal)) == one
    if made.personal:
        assert made.personal == rfc8785.dumps(json.loads(made.personal))


def test_an_event_leaves_out_what_is_empty() -> None:
    """Only the version and the fields that hold something are in an event."""
    assert set(entry().to_event()) == {"v", "id", "zone", "time_ms", "type", "decision"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "ses_01h455vb4pex5vsknk084sn02q"),
        ("zone", "Shop"),
        ("decision", "maybe"),
        ("reason", "BECAUSE"),
        ("type", "Exchange"),
        ("time_ms", 0),
        ("time_ms", 1.5),
        ("hops", True),
        ("hops", -1),
        ("expires_at", 2**53),
        ("subject", "x" * 513),
        ("subject", "a\nb"),
        ("subject", "\ud800"),
        ("subject", None),
        ("granted_scopes", ["a"]),
        ("granted_scopes", ("a",) * 129),
        ("granted_scopes", ("a\x1b[0m",)),
        ("granted_scopes", (1,)),
        ("narrowing", ({"by": "policy"},)),
        ("narrowing", [Narrowing("policy")]),
        ("narrowing", (Narrowing("policy", ("\x00",)),)),
        ("details", {"Key": "x"}),
        ("details", {"k": 1.0}),
        ("details", {"k": None}),
        ("details", {"k": {"deep": 1}}),
        ("details", {"k": 2**53}),
        ("details", {f"k{i}": 1 for i in range(33)}),
        ("details", "text"),
    ],
)
def test_a_field_out_of_bounds_is_refused_by_name(field: str, value: Any) -> None:
    """What does not fit is refused, naming the field, and never cut in silence."""
    with pytest.raises(CaracalError) as refusal:
        entry(**{field: value})
    assert refusal.value.reason is Reason.FIELD_INVALID
    assert refusal.value.violations[0].field.startswith(field)


@pytest.mark.parametrize(
    "change",
    [
        {"v": 3},
        {"v": None},
        {"v": True},
        {"extra": 1},
        {"type": None},
        {"time_ms": "now"},
        {"granted_scopes": "a b"},
        {"narrowing": [{"by": "x"}]},
        {"narrowing": [{"by": "x", "kept": "y"}]},
        {"narrowing": 3},
        {"details": []},
    ],
)
def test_an_event_of_another_shape_is_refused(change: dict[str, Any]) -> None:
    """Another version, an unknown field or another type is a typed refusal."""
    with pytest.raises(CaracalError):
        Entry.from_event({**entry().to_event(), **change})


def test_an_event_without_a_required_field_is_refused() -> None:
    """Each of the fields that every event has is asked for."""
    for name in ("id", "zone", "time_ms", "type", "decision"):
        event = entry().to_event()
        del event[name]
        with pytest.raises(CaracalError):
            Entry.from_event(event)


def test_details_cannot_be_changed_afterwards() -> None:
    """The mapping that was given is copied and closed."""
    given_details: dict[str, Any] = {"scopes": ["a"]}
    one = entry(details=given_details)
    given_details["scopes"].append("b")
    given_details["more"] = 1
    assert dict(one.details) == {"scopes": ("a",)}


def test_plain_text_fits_any_text() -> None:
    """Controls become spaces, and an overlong text ends in an ellipsis."""
    assert plain_text("a\r\nb\x00\ud800") == "a  b  "
    assert plain_text("x" * 600) == "x" * 511 + "…"


def test_an_overlong_event_is_refused() -> None:
    """Fields within their bounds may still make an event that is too long."""
    with pytest.raises(CaracalError) as refusal:
        draft(entry(granted_scopes=("x" * 512,) * 128, actor_chain=("x" * 512,) * 128))
    assert refusal.value.reason is Reason.LIMIT_EXCEEDED


def test_what_policy_was_asked_and_answered_fits_beside_all_else() -> None:
    """At their longest, full of what JSON within JSON has to escape."""
    long = entry(
        question='"' * MAX_QUESTION, answer="\\" * MAX_ANSWER, granted_scopes=("x" * 256,) * 64
    )
    assert draft(long).entry is long


@pytest.mark.parametrize(("name", "limit"), [("question", MAX_QUESTION), ("answer", MAX_ANSWER)])
def test_what_policy_was_asked_and_answered_is_bounded(name: str, limit: int) -> None:
    """Each by a bound of its own, and without controls."""
    for bad in ("x" * (limit + 1), "a\nb", "a\u2028b", 7):
        with pytest.raises(CaracalError) as refusal:
            entry(**{name: bad})
        assert refusal.value.violations[0].field == name
