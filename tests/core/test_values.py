"""Ids, rules, sessions, zones, applications: the small values that everything stands on."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core import ids
from caracal_grpc.core.application import Application, StoredCredential
from caracal_grpc.core.ceiling import UNBOUNDED, Ceiling
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.core.session import Session
from caracal_grpc.core.zone import AUTHORITY, Resource, Zone
from tests.support.refusals import refused

NOW = 1_790_000_000
STAMPS = st.integers(0, 2**48 - 1)
RANDOM = st.binary(min_size=10, max_size=10)


@given(STAMPS, RANDOM)
def test_typeid_is_a_uuid_of_version_7(stamp: int, random: bytes) -> None:
    """Decoded, it is the time, the version, the variant and the randomness."""
    made = ids.typeid("ses", stamp, random)
    digits = "0123456789abcdefghjkmnpqrstvwxyz"
    value = 0
    for digit in made.removeprefix("ses_"):
        value = value * 32 + digits.index(digit)
    decoded = uuid.UUID(int=value)
    assert (decoded.version, decoded.variant) == (7, uuid.RFC_4122)
    assert value >> 80 == stamp
    assert ids.prefix_of(made) == "ses"


def test_typeid_is_the_specifications_own() -> None:
    """The example of the TypeID specification decodes to its UUID."""
    example = uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057")
    made = ids.typeid("pre", example.int >> 80, (example.int & (1 << 80) - 1).to_bytes(10, "big"))
    assert made == "pre_01h455vb4pex5vsknk084sn02q"


@given(st.tuples(STAMPS, RANDOM), st.tuples(STAMPS, RANDOM))
def test_typeids_sort_by_time(first: tuple[int, bytes], second: tuple[int, bytes]) -> None:
    """As text."""
    if first[0] < second[0]:
        assert ids.typeid("ses", *first) < ids.typeid("ses", *second)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ses",
        "ses_",
        "ses_81h455vb4pex5vsknk084sn02q",
        "ses_01H455VB4PEX5VSKNK084SN02Q",
        "ses_01h455vb4pex5vsknk084sn02",
        "ses_01h455vb4pex5vsknk084sn02qq",
        "SES_01h455vb4pex5vsknk084sn02q",
        "ses_01h455vb4pex5vsknk084sn02u",
        "ses_01h455vb4pex5vsknk084sn02q\n",
    ],
)
def test_what_is_no_id(text: str) -> None:
    """No prefix, and FIELD_INVALID where one is asked for."""
    assert ids.prefix_of(text) is None
    with refused(Reason.FIELD_INVALID) as seen:
        ids.require_id("id", text, "ses")
    assert seen.fields == ["id"]


@pytest.mark.parametrize("labels", [[""], ["x" * 65], ["a\nb"], ["x"] * 33])
def test_labels_that_no_session_carries(labels: list[str]) -> None:
    """FIELD_INVALID by the one rule for sessions, applications and grants."""
    with refused(Reason.FIELD_INVALID) as seen:
        ids.require_labels("labels", labels)
    assert seen.fields == ["labels"]


def test_labels_within_bounds() -> None:
    """As they were, down to the last that fits."""
    most = ["é" * 64, *(f"label {number}" for number in range(31))]
    assert ids.require_labels("labels", most) == tuple(most)


def test_id_of_another_kind() -> None:
    """FIELD_INVALID; the right kind comes back."""
    assert ids.require_id("id", "ses_01h455vb4pex5vsknk084sn02q", "ses").startswith("ses_")
    with refused(Reason.FIELD_INVALID):
        ids.require_id("id", "app_01h455vb4pex5vsknk084sn02q", "ses")


@pytest.mark.parametrize(
    ("require", "good", "bad"),
    [
        (ids.require_slug, ["a", "a-1", "x" * 63], ["", "A", "1a", "-a", "a_b", "x" * 64, "a\n"]),
        (
            ids.require_resource,
            [
                "resource://a",
                "resource://a.b/c-d_e",
                "resource://a//b",
                "resource://a/..",
                "resource://a/",
                "resource://a/B~9.z-_",
                "resource://a/.hidden",
                f"resource://{'a' * 64}/{'B' * 128}",
            ],
            [
                "",
                "a",
                "resource://",
                "resource:///a",
                "resource://A",
                "resource://a b",
                "http://a",
                "resource://a/*",
                "resource://A/b~",
                "resource://a/B/c",
                "resource://a/~~/b",
                "resource://a/b\n",
                "resource://a/\u00e9",
                "resource://a/B*",
                f"resource://a/{'B' * 129}",
                f"resource://{'a' * 65}/B",
            ],
        ),
        (
            ids.require_resource_or_family,
            ["resource://a/*", "resource://a.b/c/*", "resource://a", "resource://a/B"],
            [
                "resource://*",
                "resource://a*",
                "resource://*/a",
                "resource://a/b*",
                "resource://a//*",
            ],
        ),
        (
            ids.require_scope,
            ["a", "orders:place", "a.b/c-d_e", "A" * 128],
            ["", "a b", ":a", "é", "a\n", "A" * 129, 'a"b', "a\\b"],
        ),
    ],
)
def test_names(require: object, good: list[str], bad: list[str]) -> None:
    """What fits comes back, what does not is FIELD_INVALID."""
    for text in good:
        assert require("name", text) == text  # type: ignore[operator]
    for text in bad:
        with refused(Reason.FIELD_INVALID):
            require("name", text)  # type: ignore[operator]


def test_rule_is_public_or_asks_for_something() -> None:
    """A half-written rule is FIELD_INVALID, never an open door."""
    scopes = frozenset({"a:b"})
    Rule("/s/M", "resource://a", scopes)
    Rule("/s/M", public=True, public_reason="for tests")
    for bad in (
        {},
        {"resource": "resource://a"},
        {"scopes": scopes},
        {"public": True, "scopes": scopes},
        {"public": True, "resource": "resource://a", "scopes": scopes},
    ):
        with refused(Reason.FIELD_INVALID):
            Rule("/s/M", **bad)  # type: ignore[arg-type]


SESSION = Session(
    id="ses_1",
    zone="shop",
    application="app_1",
    subject="app_1",
    root="ses_0",
    created_at=NOW,
    parent="ses_0",
    labels=("night",),
    ceiling=Ceiling({"resource://a": frozenset({"a:b"})}),
    expires_at=NOW + 60,
)


def test_session_by_its_times() -> None:
    """Active, then expired; terminated whatever the time."""
    assert SESSION.state(NOW) == "active"
    assert SESSION.state(NOW + 60) == "expired"
    ended = SESSION.terminated(NOW + 1)
    assert ended.state(NOW) == ended.state(NOW + 999) == "terminated"
    assert ended.terminated(NOW + 9) is ended


SECRET = StoredCredential("crd_1", "the-digest-of-it", NOW, NOW + 60)


@pytest.mark.parametrize(
    "value",
    [
        SESSION,
        SESSION.terminated(NOW),
        Application("app_1", "agent", "ses_1", (SECRET,), ("a",), SESSION.ceiling, disabled=True),
        Application("app_1", "agent", "ses_1", (), (), UNBOUNDED),
        Resource("resource://a", frozenset({"b", "a"}), 60),
        Zone("shop", "https://a.example/zones/shop"),
        AUTHORITY,
    ],
    ids=lambda value: type(value).__name__,
)
def test_stored_form_is_the_value(value: object) -> None:
    """There and back, through JSON."""
    import json

    stored = json.loads(json.dumps(value.to_value()))  # type: ignore[attr-defined]
    assert type(value).from_value(stored) == value  # type: ignore[attr-defined]


def test_digest_of_a_secret_is_not_shown() -> None:
    """Not even in a repr."""
    assert SECRET.digest not in repr(Application("app_1", "agent", "ses_1", (SECRET,)))


def test_refusal_says_reason_and_text() -> None:
    """For a log; its code is the table's."""
    error = CaracalError(Reason.CONFLICT, "try again")
    assert (str(error), error.code) == ("CONFLICT: try again", "ABORTED")
