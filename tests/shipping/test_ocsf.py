"""OCSF: every entry becomes an event that the published schema admits, and says what happened."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from caracal_grpc.shipping.formats.ocsf import VERSION, ocsf
from tests.shipping.entries import EVENTS, TIME, pruned, record

CLASSES = {
    0: "base_event",
    3002: "authentication",
    3003: "authorize_session",
    3005: "user_access",
    6003: "api_activity",
}


@lru_cache
def _schema() -> OcsfJsonSchemaEmbedded:
    return OcsfJsonSchemaEmbedded(get_ocsf_schema(version=VERSION))


@lru_cache
def _validator(class_uid: int) -> Draft202012Validator:
    return Draft202012Validator(_schema().get_class_schema(CLASSES[class_uid]))


def faults(event: dict[str, Any]) -> list[str]:
    """What the schema of its class, which admits no unknown attribute, says against it."""
    return [each.message for each in _validator(event["class_uid"]).iter_errors(event)]


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("personal", [True, False], ids=["whole", "erased"])
def test_schema_admits_every_kind_of_entry(name: str, personal: bool) -> None:
    """Attributes, their types, what is required, the values of enums."""
    assert faults(ocsf(record(3, name, personal=personal))) == []


def test_schema_admits_what_was_pruned() -> None:
    """There is a class for what nothing is known of."""
    assert faults(ocsf(pruned(3))) == []


def test_schema_refuses_what_is_wrong() -> None:
    """So that the tests above say something."""
    event = ocsf(record())
    assert faults({**event, "severity_id": 77})
    assert faults({**event, "odd": 1})
    del event["user"]
    assert faults(event)


@pytest.mark.parametrize(
    ("name", "class_uid", "activity_id", "status_id"),
    [
        ("grant", 3003, 1, 1),
        ("unproven client", 3002, 1, 2),
        ("refusal", 6003, 99, 2),
        ("edge refusal", 6003, 99, 2),
        ("revocation", 3005, 2, 1),
        ("delegation", 3005, 1, 1),
        ("refused delegation", 6003, 99, 2),
        ("session", 3002, 1, 1),
        ("suspension", 3002, 2, 1),
        ("change", 6003, 3, 1),
        ("creation", 6003, 1, 1),
        ("rotation", 6003, 99, 1),
    ],
)
def test_kind_of_entry_has_a_class(
    name: str, class_uid: int, activity_id: int, status_id: int
) -> None:
    """Class, activity and outcome; the type is what OCSF makes of the first two."""
    event = ocsf(record(3, name))
    found = event["class_uid"], event["activity_id"], event["status_id"]
    assert found == (class_uid, activity_id, status_id)
    assert event["type_uid"] == class_uid * 100 + activity_id
    assert event["category_uid"] == class_uid // 1000


def test_grant_names_who_got_what_and_why() -> None:
    """User, application, privileges, session, mandate, policy, from where."""
    event = ocsf(record(3))
    assert event["user"]["uid"] == "usr_1"
    assert (event["actor"]["app_uid"], event["actor"]["app_name"]) == ("app_1", "agent")
    assert event["privileges"] == ["resource://orders orders:place"]
    assert event["session"] == {
        "uid": "ses_1",
        "credential_uid": "mnd_1",
        "expiration_time": 1_790_000_300_000,
    }
    (decided,) = event["actor"]["authorizations"]
    assert decided["decision"] == "allow"
    assert decided["policy"]["uid"] == "sha256:0123456789abcdef"
    assert event["src_endpoint"] == {"ip": "192.0.2.7", "port": 5000}
    assert event["metadata"]["correlation_uid"] == "r-1"


def test_refusal_says_its_reason() -> None:
    """Failure, with the reason as its code."""
    event = ocsf(record(3, "refusal"))
    assert (event["status"], event["status_code"]) == ("Failure", "POLICY_DENIED")
    assert event["severity_id"] == 2


def test_event_has_the_stable_name_and_place_of_its_entry() -> None:
    """By which repeats are dropped, and what is missing is seen."""
    metadata = ocsf(record(7))["metadata"]
    assert (metadata["uid"], metadata["sequence"], metadata["tenant_uid"]) == ("aud_7", 7, "shop")
    assert ocsf(record(7))["time"] == TIME
    assert ocsf(pruned(7))["metadata"]["uid"] == "shop/7"


def test_what_no_attribute_is_for_is_kept() -> None:
    """Narrowing, lineage, reasons."""
    rest = ocsf(record(3))["unmapped"]
    assert rest["details"]["lineage"] == ["ses_0", "ses_1"]
    assert rest["policy_reasons"] == ["granted"]


def test_erased_entry_names_nobody() -> None:
    """Neither who nor from where; the application that acted stays."""
    event = ocsf(record(3, personal=False))
    text = str(event)
    assert "usr_1" not in text
    assert "192.0.2.7" not in text
    assert event["metadata"]["labels"] == ["erased"]
    assert event["user"]["uid"] == "app_1"
