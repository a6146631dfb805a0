"""`session` and `keys`."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Shop
from tests.cli.support import Dev


def test_a_session_is_started_shown_and_ended(shop: Shop) -> None:
    """By the application itself, with labels, ceiling and life."""
    started = shop.as_agent(
        *("session", "start", "--label", "batch", "--label", "night", "--ttl", "60"),
        *("--ceiling", "resource://orders=orders:place", "--json"),
    ).json
    session = started["session"]
    assert session["labels"] == ["batch", "night"]
    assert session["ceiling"] == [{"resource": "resource://orders", "scopes": ["orders:place"]}]
    assert started["audit_id"].startswith("aud_")
    shown = shop.as_agent("session", "get", session["id"])
    assert shown.code == 0
    assert "resource://orders=orders:place" in shown.out
    ended = shop.as_agent("session", "terminate", session["id"], "--reason", "done", "--json")
    assert ended.json["session"]["state"] == "terminated"
    again = shop.as_agent("session", "get", session["id"], "--json")
    assert again.json["session"]["state"] == "terminated"


def test_plain_sessions_lists_ones_own(shop: Shop) -> None:
    """And `session list` the same."""
    own = shop.as_agent("session", "--json").json["sessions"]
    assert {each["application_name"] for each in own} == {"agent"}
    assert shop.as_agent("session", "list", "--json").json["sessions"] == own


def test_an_operator_sees_all_of_another_zone(dev: Dev, shop: Shop) -> None:
    """Page by page, up to a limit."""
    seen = dev.run("session", "--zone", shop.zone, "--json").json["sessions"]
    assert {each["application_name"] for each in seen} == {"agent", "orders"}
    one = dev.run("session", "list", "--zone", shop.zone, "--limit", "1", "--json")
    assert len(one.json["sessions"]) == 1


def test_only_an_application_of_the_zone_starts_a_session(dev: Dev, shop: Shop) -> None:
    """An operator is told what it is, and what to use instead."""
    ended = dev.run("session", "start", "--zone", shop.zone)
    assert ended.code == 3
    assert ended.line == (
        f"you are operator of zone caracal, no application of zone {shop.zone}; "
        "use a profile of one (OBJECT_NOT_FOUND)"
    )


def test_seeing_others_needs_the_scope(shop: Shop) -> None:
    """An application without `caracal:sessions:admin` is denied."""
    ended = shop.as_agent("session", "list", "--all")
    assert ended.code == 1
    assert "POLICY_DENIED" in ended.line or "SCOPE_INSUFFICIENT" in ended.line


def test_options_before_the_subcommand_are_not_lost_silently(shop: Shop) -> None:
    """They are refused."""
    ended = shop.as_agent("session", "--json", "list")
    assert ended.code == 2
    assert "go after its name" in ended.line


def test_a_bad_ceiling_is_wrong_usage(shop: Shop) -> None:
    """It says how to write one."""
    ended = shop.as_agent("session", "start", "--ceiling", "resource://orders")
    assert ended.code == 2
    assert "RESOURCE=SCOPE,SCOPE" in ended.line


def test_a_service_is_kept_taken_over_and_fenced(shop: Shop) -> None:
    """The lease is told at each step, and the exchange takes its generation."""
    started = shop.as_agent("session", "start", "--kind", "service", "--lease", "60", "--json")
    session = started.json["session"]
    assert (session["kind"], session["expire_time"]) == ("service", None)
    assert (session["lease"]["generation"], session["lease"]["duration"]) == (1, 60.0)
    name = session["id"]
    kept = shop.as_agent("session", "heartbeat", name, "--generation", "1")
    assert kept.out.startswith("generation 1, 60 s, until ")
    taken = shop.as_agent("session", "take-over", name, "--json").json
    assert taken["session"]["lease"]["generation"] == 2
    late = shop.as_agent("session", "heartbeat", name, "--generation", "1")
    assert late.code == 3
    assert f"(LEASE_FENCED; session {name}; generation 2)" in late.line
    again = shop.as_agent("session", "heartbeat", name, "--generation", "2", "--json").json
    assert again["lease"]["generation"] == 2
    orders = ("resource://orders", "orders:place", "--session", name)
    assert shop.as_agent("exchange", *orders).code == 2
    assert shop.as_agent("exchange", *orders, "--generation", "2").code == 0
    shown = shop.as_agent("session", "get", name).out
    assert "generation 2, 60 s, until " in shown


def test_a_session_is_suspended_and_resumed(dev: Dev, shop: Shop) -> None:
    """By the application itself; what an operator suspended only an operator resumes."""
    name = shop.as_agent("session", "start", "--json").json["session"]["id"]
    stopped = shop.as_agent("session", "suspend", name, "--reason", "odd", "--json").json
    assert stopped["session"]["state"] == "suspended"
    assert stopped["session"]["suspend_time"]
    assert stopped["audit_id"].startswith("aud_")
    assert shop.as_agent("session", "resume", name).code == 0
    as_operator = ("--zone", shop.zone, "--json")
    assert dev.run("session", "suspend", name, *as_operator).code == 0
    refused = shop.as_agent("session", "resume", name)
    assert refused.code == 1
    assert "ACTOR_FORBIDDEN" in refused.line
    resumed = dev.run("session", "resume", name, *as_operator).json
    assert (resumed["session"]["state"], resumed["session"]["suspend_time"]) == ("active", None)


def test_an_id_token_comes_from_a_file(shop: Shop, tmp_path: Path) -> None:
    """One that nobody vouches for is refused, and never shown; a missing file is wrong usage."""
    token = tmp_path / "id-token"
    token.write_text("a.strange.token\n")
    ended = shop.as_agent("session", "start", "--id-token-file", str(token))
    assert ended.code == 4
    assert "SUBJECT_TOKEN_INVALID" in ended.line
    assert "strange" not in ended.out + ended.err
    absent = shop.as_agent("session", "start", "--id-token-file", str(tmp_path / "no"))
    assert absent.code == 2
    assert "--id-token-file" in absent.line


def test_a_lease_of_a_task_is_wrong_usage(shop: Shop) -> None:
    """It names the field."""
    ended = shop.as_agent("session", "start", "--lease", "60")
    assert ended.code == 2
    assert "lease" in ended.line


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
