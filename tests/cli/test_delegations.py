"""`delegation`: passed on, shown, counted and revoked."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import Shop
from tests.cli.relay import LESS, REACH, apply_relay, run_as
from tests.cli.support import Dev


@pytest.fixture(scope="module")
def relay(dev: Dev, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A zone of the module's own."""
    return apply_relay(dev, tmp_path_factory.mktemp("delegations"), "delegations")


def created(relay: Shop, giver: str, receiver: str, *arguments: str) -> dict[str, Any]:
    """The delegation that was made."""
    ended = run_as(
        relay, giver, "delegation", "create", receiver, *arguments, "--ttl", "60", "--json"
    )
    assert ended.code == 0, ended.err
    assert ended.json["audit_id"].startswith("aud_")
    delegation: dict[str, Any] = ended.json["delegation"]
    return delegation


def test_passed_on_shown_and_revoked(relay: Shop) -> None:
    """By the giver; the receiver obtains mandates in the session that it made."""
    made = created(relay, "agent", "first", *LESS, "--max-hops", "1")
    assert made["ceiling"] == [{"resource": "resource://orders", "scopes": ["orders:place"]}]
    assert (made["receiver_name"], made["max_hops"], made["state"]) == ("first", 1, "active")
    session = made["receiver_session_id"]
    issued = run_as(relay, "first", "exchange", "resource://orders", "--session", session, "--json")
    assert issued.json["scope"] == "orders:place"
    shown = run_as(relay, "first", "delegation", "get", made["id"])
    assert "resource://orders=orders:place" in shown.out
    ended = run_as(relay, "agent", "delegation", "revoke", made["id"], "--reason", "done", "--json")
    assert ended.json["delegation"]["state"] == "terminated"
    again = run_as(relay, "first", "delegation", "get", made["id"], "--json")
    assert again.json["delegation"]["state"] == "terminated"


def test_list_shows_each_side_its_own_and_an_operator_all(dev: Dev, relay: Shop) -> None:
    """As a table for people, and by application."""
    made = created(relay, "agent", "first", *REACH)
    session = made["receiver_session_id"]
    below = created(relay, "first", "second", *LESS, "--session", session)
    own = run_as(relay, "second", "delegation", "list", "--json").json["delegations"]
    assert [each["id"] for each in own] == [below["id"]]
    assert below["path"] == [made["id"]]
    every = dev.run("delegation", "list", "--zone", relay.zone, "--json").json["delegations"]
    assert {made["id"], below["id"]} <= {each["id"] for each in every}
    one = dev.run("delegation", "list", "--zone", relay.zone, "--limit", "1", "--json")
    assert len(one.json["delegations"]) == 1
    table = run_as(relay, "second", "delegation", "list").out
    assert [line for line in table.splitlines() if below["id"] in line and "active" in line]


def test_impact_tells_what_would_fall(relay: Shop) -> None:
    """And changes nothing."""
    made = created(relay, "agent", "first", *REACH)
    session = made["receiver_session_id"]
    below = created(relay, "first", "second", *LESS, "--session", session)
    told = run_as(relay, "agent", "delegation", "impact", made["id"], "--json").json["fallen"]
    assert [each["delegation_id"] for each in told] == [made["id"], below["id"]]
    assert [each["state"] for each in told] == ["active", "active"]
    table = run_as(relay, "first", "delegation", "impact", session).out
    assert below["id"] in table


def test_widening_is_refused_with_what_to_do(relay: Shop) -> None:
    """Exit code 1, in one line."""
    made = created(relay, "agent", "first", *LESS)
    ended = run_as(
        relay,
        "first",
        *("delegation", "create", "second", *REACH, "--ttl", "60"),
        *("--session", made["receiver_session_id"]),
    )
    assert ended.code == 1
    assert "CEILING_EXCEEDED" in ended.line


@pytest.mark.parametrize(
    "arguments",
    [("first", "--ttl", "60"), ("first", *LESS), ("first", *LESS, "--ttl", "0")],
    ids=["no ceiling", "no life", "no time at all"],
)
def test_what_must_be_said(relay: Shop, arguments: tuple[str, ...]) -> None:
    """Wrong usage without a ceiling or an end."""
    assert run_as(relay, "agent", "delegation", "create", *arguments).code == 2


def test_unknown_receiver_is_named(relay: Shop) -> None:
    """Exit code 3."""
    ended = run_as(relay, "agent", "delegation", "create", "nobody", *LESS, "--ttl", "60")
    assert ended.code == 3
    assert "nobody" in ended.line


def test_alone_it_lists(relay: Shop) -> None:
    """As `delegation list` does; options before a command are not lost silently."""
    listed = run_as(relay, "agent", "delegation", "list", "--json").json
    assert run_as(relay, "agent", "delegation", "--json").json == listed
    ended = run_as(relay, "agent", "delegation", "--json", "list")
    assert ended.code == 2
    assert "go after its name" in ended.line
