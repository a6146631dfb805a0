"""`tree`: sessions and delegations, each below what it came from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from caracal_grpc.cli.session.tree import nested, time_left
from tests.cli.conftest import Shop
from tests.cli.relay import LESS, REACH, apply_relay, run_as
from tests.cli.support import Dev


@pytest.fixture(scope="module")
def relay(dev: Dev, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A zone of the module's own, with two delegations below each other and one that is over."""
    relay = apply_relay(dev, tmp_path_factory.mktemp("tree"), "tree")
    session = delegated(relay, "agent", "first", *REACH)["receiver_session_id"]
    delegated(relay, "first", "second", *LESS, "--session", session)
    over = delegated(relay, "agent", "second", *LESS)
    assert run_as(relay, "agent", "delegation", "revoke", over["id"]).code == 0
    return relay


def delegated(relay: Shop, giver: str, receiver: str, *arguments: str) -> dict[str, Any]:
    """The delegation that was made."""
    words = ("delegation", "create", receiver, *arguments, "--ttl", "600", "--json")
    made: dict[str, Any] = run_as(relay, giver, *words).json["delegation"]
    return made


def test_operator_sees_the_whole_tree(dev: Dev, relay: Shop) -> None:
    """Nested as it is, with who, how far and in what state."""
    roots = dev.run("tree", "--zone", relay.zone, "--json").json["tree"]
    assert {each["application"] for each in roots} == {"agent", "first", "second"}
    (agent,) = (each for each in roots if each["application"] == "agent")
    first, over = agent["below"]
    (second,) = first["below"]
    assert [first["application"], second["application"]] == ["first", "second"]
    assert [first["state"], second["state"], over["state"]] == ["active", "active", "terminated"]
    assert second["ceiling"] == [{"resource": "resource://orders", "scopes": ["orders:place"]}]
    assert second["delegation"].startswith("del_")
    assert second["parent"] == first["session"]


def test_tree_is_drawn_for_people(dev: Dev, relay: Shop) -> None:
    """A line each: state, application, scopes and the time that is left."""
    drawn = dev.run("tree", "--zone", relay.zone).out.splitlines()
    (second,) = [line for line in drawn if "second del_" in line and "active" in line]
    assert second.startswith(("    └── ", "│   └── "))
    assert "resource://orders=orders:place" in second
    assert second.rstrip().endswith("left")
    assert any("standing" in line and "agent" in line for line in drawn)
    assert any("terminated" in line for line in drawn)


def test_application_sees_its_own_and_what_it_passed_on(relay: Shop) -> None:
    """Not what is below that: it is the affair of others."""
    (own,) = run_as(relay, "agent", "tree", "--json").json["tree"]
    assert [each["application"] for each in own["below"]] == ["first", "second"]
    assert [each["below"] for each in own["below"]] == [[], []]
    whole = run_as(relay, "first", "tree", "--json").json["tree"]
    received = [each for each in whole if each["delegation"]]
    assert [each["below"][0]["application"] for each in received] == ["second"]


def test_tree_of_one(dev: Dev, relay: Shop) -> None:
    """By a session or a delegation, wherever it is."""
    roots = dev.run("tree", "--zone", relay.zone, "--json").json["tree"]
    (agent,) = (each for each in roots if each["application"] == "agent")
    below = agent["below"][0]["below"][0]
    for name in (below["session"], below["delegation"]):
        found = dev.run("tree", name, "--zone", relay.zone, "--json").json["tree"]
        assert found == [below]
    none = dev.run("tree", "ses_01h455vb4pex5vsknk084sn02q", "--zone", relay.zone)
    assert none.code == 0
    assert "no sessions" in none.out


def test_those_of_others_need_the_scope(relay: Shop) -> None:
    """An application without `caracal:sessions:admin` is denied."""
    ended = run_as(relay, "agent", "tree", "--all")
    assert ended.code == 1
    assert "POLICY_DENIED" in ended.line or "SCOPE_INSUFFICIENT" in ended.line


def test_what_is_above_but_not_seen_hides_nothing() -> None:
    """Whatever has no parent that is known stands at the top, whichever comes first."""
    nodes = [
        {"session": "s3", "parent": "s2"},
        {"session": "s2", "parent": "s1"},
        {"session": "s9", "parent": "s8"},
    ]
    roots = nested(nodes)
    assert [each["session"] for each in roots] == ["s2", "s9"]
    assert [each["session"] for each in roots[0]["below"]] == ["s3"]


@pytest.mark.parametrize(
    ("ends", "left"),
    [
        (None, ""),
        ("2026-01-01T00:00:00Z", "over"),
        ("2026-01-01T00:00:42Z", "42s left"),
        ("2026-01-01T01:02:03Z", "1h 2m left"),
        ("2026-01-03T00:00:09Z", "2d 9s left"),
    ],
)
def test_time_that_is_left(ends: str | None, left: str) -> None:
    """In its two largest units."""
    assert time_left(ends, datetime(2026, 1, 1, tzinfo=UTC)) == left
