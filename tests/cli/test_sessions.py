"""`sessions` and `keys`."""

from __future__ import annotations

from tests.cli.conftest import Shop
from tests.cli.support import Dev


def test_a_session_is_started_shown_and_ended(shop: Shop) -> None:
    """By the application itself, with labels, ceiling and life."""
    started = shop.as_agent(
        *("sessions", "start", "--label", "batch", "--label", "night", "--ttl", "60"),
        *("--ceiling", "resource://orders=orders:place", "--json"),
    ).json
    session = started["session"]
    assert session["labels"] == ["batch", "night"]
    assert session["ceiling"] == [{"resource": "resource://orders", "scopes": ["orders:place"]}]
    assert started["audit_id"].startswith("aud_")
    shown = shop.as_agent("sessions", "get", session["id"])
    assert shown.code == 0
    assert "resource://orders=orders:place" in shown.out
    ended = shop.as_agent("sessions", "terminate", session["id"], "--reason", "done", "--json")
    assert ended.json["session"]["state"] == "terminated"
    again = shop.as_agent("sessions", "get", session["id"], "--json")
    assert again.json["session"]["state"] == "terminated"


def test_plain_sessions_lists_ones_own(shop: Shop) -> None:
    """And `sessions list` the same."""
    own = shop.as_agent("sessions", "--json").json["sessions"]
    assert {each["application_name"] for each in own} == {"agent"}
    assert shop.as_agent("sessions", "list", "--json").json["sessions"] == own


def test_an_operator_sees_all_of_another_zone(dev: Dev, shop: Shop) -> None:
    """Page by page, up to a limit."""
    seen = dev.run("sessions", "--zone", shop.zone, "--json").json["sessions"]
    assert {each["application_name"] for each in seen} == {"agent", "orders"}
    one = dev.run("sessions", "list", "--zone", shop.zone, "--limit", "1", "--json")
    assert len(one.json["sessions"]) == 1


def test_only_an_application_of_the_zone_starts_a_session(dev: Dev, shop: Shop) -> None:
    """An operator is told what it is, and what to use instead."""
    ended = dev.run("sessions", "start", "--zone", shop.zone)
    assert ended.code == 3
    assert ended.line == (
        f"you are operator of zone caracal, no application of zone {shop.zone}; "
        "use a profile of one (OBJECT_NOT_FOUND)"
    )


def test_seeing_others_needs_the_scope(shop: Shop) -> None:
    """An application without `caracal:sessions:admin` is denied."""
    ended = shop.as_agent("sessions", "list", "--all")
    assert ended.code == 1
    assert "POLICY_DENIED" in ended.line or "SCOPE_INSUFFICIENT" in ended.line


def test_options_before_the_subcommand_are_not_lost_silently(shop: Shop) -> None:
    """They are refused."""
    ended = shop.as_agent("sessions", "--json", "list")
    assert ended.code == 2
    assert "go after its name" in ended.line


def test_a_bad_ceiling_is_wrong_usage(shop: Shop) -> None:
    """It says how to write one."""
    ended = shop.as_agent("sessions", "start", "--ceiling", "resource://orders")
    assert ended.code == 2
    assert "RESOURCE=SCOPE,SCOPE" in ended.line


def test_keys_are_listed_rotated_and_published(dev: Dev, shop: Shop) -> None:
    """A new key is pending and in the key set; rotating again meanwhile is a conflict."""
    (first,) = dev.run("keys", "list", "--zone", shop.zone, "--json").json["keys"]
    assert first["state"] == "active"
    rotated = dev.run("keys", "rotate", "--zone", shop.zone, "--json").json
    kid = rotated["key"]["public"]["kid"]
    assert rotated["key"]["state"] == "pending"
    key_set = shop.as_agent("keys", "list", "--jwks").json
    assert {each["kid"] for each in key_set["keys"]} == {kid, first["public"]["kid"]}
    assert set(key_set["keys"][0]) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    shown = dev.run("keys", "list", "--zone", shop.zone).out
    assert [line for line in shown.splitlines() if kid in line and "pending" in line]
    again = dev.run("keys", "rotate", "--zone", shop.zone)
    assert again.code == 3
    assert "KEY_STATE_CONFLICT" in again.line


def test_the_key_set_needs_no_scope(shop: Shop) -> None:
    """An application that may not list keys still gets what it verifies with."""
    assert shop.as_agent("keys", "list").code == 1
    assert shop.as_agent("keys", "list", "--jwks").code == 0
