"""The field of a request that names its resource: of text or integers, and on which ways."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.resource_field import resource_of
from tests.support.order_protos import INTEGERS, PLACE, request
from tests.support.refusals import refused


def rule(field: str) -> Rule:
    """A rule that takes its resource from `field`."""
    return Rule(PLACE, f"resource://orders/{{{field}}}", frozenset({"orders:place"}))


@pytest.mark.parametrize(
    ("field", "fields", "part"),
    [
        ("order_id", {"order_id": "o-17"}, "o-17"),
        ("order.id", {"order": {"id": "A~1"}}, "A~1"),
        ("order.inner.id", {"order": {"inner": {"id": "x"}}}, "x"),
        ("order.number", {"order": {}}, "0"),
        ("maybe", {"maybe": 0}, "0"),
        ("int64", {"int64": -(2**63)}, str(-(2**63))),
        ("uint64", {"uint64": 2**64 - 1}, str(2**64 - 1)),
        *((name, {name: 42}, "42") for name in INTEGERS),
        *((name, {}, "0") for name in INTEGERS),
    ],
)
def test_a_field_is_the_last_part(field: str, fields: dict[str, Any], part: str) -> None:
    """Text as it is, integers in decimal, in a message within too."""
    assert resource_of(rule(field), request(**fields)) == f"resource://orders/{part}"


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("order_id", {}),
        ("order_id", {"order_id": "a/b"}),
        ("order.id", {}),
        ("order.id", {"order": {}}),
        ("order.number", {}),
        ("order.inner.number", {"order": {"id": "x"}}),
        ("maybe", {}),
    ],
)
def test_what_names_no_resource_is_refused(field: str, fields: dict[str, Any]) -> None:
    """A field that could say whether it is set must be; the answer names it."""
    with refused(Reason.FIELD_INVALID) as seen:
        resource_of(rule(field), request(**fields))
    assert seen.fields == [field]


@pytest.mark.parametrize(
    "field",
    [
        "no",
        "order.no",
        "order_id.id",
        "order",
        "ids",
        "many.id",
        "raw",
        "flag",
        "weight",
        "int32.x",
    ],
)
def test_a_field_that_cannot_name_a_resource_counts_as_no_rule(
    field: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the request holds, again and again; the log says what is wrong."""
    for _ in range(2):
        with refused(Reason.METHOD_NOT_DECLARED) as seen:
            resource_of(rule(field), request(order_id="o-17"))
        assert seen.metadata == {"method": PLACE}
    assert PLACE in caplog.text
    assert field.partition(".")[0] in caplog.text


@pytest.mark.parametrize("what", [None, b"o-17", "o-17", 17, object(), {"order_id": "o-17"}])
def test_what_is_no_protobuf_message_counts_as_no_rule(what: object) -> None:
    """Not even when it looks like one."""
    with refused(Reason.METHOD_NOT_DECLARED):
        resource_of(rule("order_id"), what)


def test_a_plain_rule_looks_at_no_request() -> None:
    """Its resource is what it says."""
    plain = Rule(PLACE, "resource://orders", frozenset({"orders:place"}))
    assert resource_of(plain, None) == "resource://orders"
