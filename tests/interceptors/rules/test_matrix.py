"""The authority matrix, what is found wrong in it, and the helper for a team's own tests."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import AUTHORITY_RESOURCE, AUTHORITY_SCOPES
from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.rules.matrix import (
    COLUMNS,
    cells,
    findings,
    matrix,
    matrix_of,
    stray,
)
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.testing import assert_rules
from tests.support.protos import FAULTY, books

SHOP = Path(__file__).parents[3] / "examples" / "shop"
ZONE = {"resource://books": {"books:read", "books:write"}}
READ = "/test.books.Books/Read"


def found(methods: dict[str, Any], **more: Any) -> list[tuple[str, str]]:
    """Kind and text of what is wrong with a service of these methods."""
    rows = matrix([books(methods)])
    return [(each.kind, each.text) for each in findings(rows, **more)]


def test_a_row_says_what_a_method_asks_for() -> None:
    """Service, method, kind of stream, resource, scopes; in order of path."""
    write, read = {"scopes": ["books:write", "books:read"]}, {"scopes": ["books:read"]}
    first, second = matrix([books({"Write": write, "Read": read})])
    assert (first.path, first.service, first.method) == (READ, "test.books.Books", "Read")
    assert (first.kind, second.kind) == ("server stream", "unary")
    assert first.file == "test.books.proto"
    assert cells(second) == {
        "service": "test.books.Books",
        "method": "Write",
        "kind": "unary",
        "declared": True,
        "resource": "resource://books",
        "scopes": ["books:read", "books:write"],
        "any_scopes": [],
        "require_delegation": False,
        "max_hops": None,
        "chain_must_include": [],
        "bound": False,
        "single_use": False,
        "public": False,
        "public_reason": "",
    }


def test_a_row_without_a_rule_has_the_same_columns() -> None:
    """It shows that nothing is declared, not that nothing is asked for."""
    (row,) = matrix([books({"Read": None})])
    shown = cells(row)
    assert list(shown) == list(COLUMNS)
    assert (shown["declared"], shown["scopes"], shown["public"]) == (False, None, None)


def test_services_given_twice_are_listed_once() -> None:
    """Modules may hold the same proto."""
    service = books({"Read": {"scopes": ["books:read"]}})
    assert len(matrix([service, service])) == 1


def test_a_mapping_wins_over_the_descriptor() -> None:
    """As it does in a guard."""
    entry = {"public": True, "public_reason": "a shelf for all"}
    (row,) = matrix([books({"Read": None})], {READ: entry})
    assert row.rule == Rule(READ, public=True, public_reason="a shelf for all")
    assert findings([row]) == ()


def test_rules_and_paths_give_the_same_findings() -> None:
    """For who has no descriptors at all: the rules of a guard and the methods that it serves."""
    rules = Rules.from_mapping({READ: {"resource": "resource://books", "scopes": ["books:read"]}})
    rows = matrix_of(rules, ["/test.books.Books/Write", READ, READ])
    assert [row.path for row in rows] == [READ, "/test.books.Books/Write"]
    assert [(each.path, each.kind) for each in findings(rows, ZONE)] == [
        ("/test.books.Books/Write", "undeclared")
    ]


def test_a_method_without_a_rule_is_found() -> None:
    """And what to add to it is said."""
    ((kind, text),) = found({"Read": None})
    assert kind == "undeclared"
    assert 'option (caracal.v1.authority) = {scopes: "..."}' in text


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({}, "must name a resource and at least one scope, or be public"),
        ({"scopes": ["books:read"], "public": True}, "either public or asks for scopes"),
        ({"scopes": ["books read"]}, "scopes: each must be one word"),
        (
            {"scopes": [f"s:{i}" for i in range(64)], "any_scopes": ["t"]},
            "scopes: has more than 64",
        ),
    ],
)
def test_a_half_written_rule_is_found(
    rule: dict[str, Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With its reason, once: nothing is logged beside it."""
    with caplog.at_level(logging.DEBUG):
        ((kind, text),) = found({"Read": rule})
    assert kind == "half-written"
    assert text.startswith("its rule counts as not declared: ")
    assert said in text
    assert READ not in text
    assert caplog.text == ""


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_public_method_must_say_why(reason: str) -> None:
    """And the finding names the field to add."""
    ((kind, text),) = found({"Read": {"public": True, "public_reason": reason}})
    assert (kind, text) == (
        "unreasoned",
        "is public without saying why; add public_reason beside public",
    )


def test_a_scope_that_the_resource_does_not_have_is_found() -> None:
    """Each one, with the one that was meant when it is close."""
    methods = {"Read": {"scopes": ["books:raed", "fish:fry"]}}
    assert found(methods) == []
    (first, second) = found(methods, resources=ZONE)
    assert first[0] == second[0] == "scope-unknown"
    assert "books:raed" in first[1]
    assert first[1].endswith("or write books:read")
    assert "fish:fry" in second[1]
    assert "or write" not in second[1]


def test_a_scope_of_which_one_of_several_is_needed_is_looked_for_too() -> None:
    """A mandate for it could never be had either."""
    methods = {"Read": {"scopes": ["books:read"], "any_scopes": ["books:write", "fish:fry"]}}
    ((kind, text),) = found(methods, resources=ZONE)
    assert (kind, text.split()[2]) == ("scope-unknown", "fish:fry,")


def test_a_resource_that_the_zone_does_not_have_is_found() -> None:
    """Once for a method, not for each of its scopes."""
    methods = {"Read": {"scopes": ["books:read", "books:write"]}}
    ((kind, text),) = found(methods, resources={"resource://book": {"books:read"}})
    assert kind == "resource-unknown"
    assert text == (
        "names resource://books, which the zone does not have; "
        "declare it there, or write resource://book"
    )


def test_a_zone_without_resources_is_not_no_zone() -> None:
    """Compared with nothing at all, everything is unknown."""
    methods = {"Read": {"scopes": ["books:read"]}}
    assert [kind for kind, _ in found(methods, resources={})] == ["resource-unknown"]


def test_an_override_of_a_method_that_is_not_there_is_found() -> None:
    """In a service that is there; one of another service may be meant for another program."""
    rows = matrix([books({"Read": {"scopes": ["books:read"]}})])
    entry = {"public": True, "public_reason": "said"}
    typed = {"/test.books.Books/Raed": entry, READ: entry, "/other.Service/Read": entry}
    (finding,) = stray(rows, typed)
    assert (finding.path, finding.kind) == ("/test.books.Books/Raed", "stray")


def test_findings_come_sorted_and_name_proto_and_method() -> None:
    """The same text in each run, one line a finding."""
    lines = [str(each) for each in findings(matrix([books(FAULTY)]), ZONE)]
    starts = [f"test.books.proto: /test.books.Books/{name}: " for name in FAULTY if name != "Read"]
    assert [line.startswith(start) for line, start in zip(lines, starts, strict=True)] == [True] * 4
    assert not any("\n" in line for line in lines)


def test_health_and_reflection_are_in_order() -> None:
    """As a guard has them: public, with a reason."""
    paths = ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"]
    assert findings(matrix_of(Rules.from_mapping({}), paths)) == ()


def test_assert_rules_passes_the_services_of_the_authority() -> None:
    """Every method of ours has a sound rule, and asks for scopes that exist."""
    assert_rules("caracal_grpc.v1", resources={AUTHORITY_RESOURCE: AUTHORITY_SCOPES})


def test_assert_rules_passes_the_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example that teams copy from, against its own zone."""
    monkeypatch.syspath_prepend(str(SHOP))
    manifest = yaml.safe_load((SHOP / "zone.yaml").read_text())
    resources = {each["name"]: each["scopes"] for each in manifest["resources"]}
    assert_rules("shop.v1", resources=resources)


def test_assert_rules_tells_everything_at_once() -> None:
    """A line for each finding, those of overrides too."""
    overrides = {"/test.books.Books/Raed": {"public": True, "public_reason": "said"}}
    with pytest.raises(AssertionError) as caught:
        assert_rules(books(FAULTY), resources=ZONE, overrides=overrides)
    lines = str(caught.value).split("\n")
    assert len(lines) == 5
    assert "Raed" in lines[-1]


def test_assert_rules_of_nothing_does_not_pass() -> None:
    """A test that checks nothing must not be green."""
    with pytest.raises(TypeError, match="at least one"):
        assert_rules()
    with pytest.raises(CaracalError, match="holds no service"):
        assert_rules("google.protobuf.empty_pb2")
