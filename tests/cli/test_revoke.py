"""`revoke`: by anchor, by filter, by time; what falls before it falls."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.conftest import Shop
from tests.cli.support import PATIENCE, Dev, environment

Start = Callable[..., str]
Revoke = Callable[..., Any]


@pytest.fixture
def start(shop: Shop) -> Start:
    """Starts a session of the agent; its id."""

    def started(*options: str) -> str:
        answer = shop.as_agent("session", "start", *options, "--json").json
        return str(answer["session"]["id"])

    return started


@pytest.fixture
def revoke(dev: Dev, shop: Shop) -> Revoke:
    """Revokes in the shop as the operator."""
    return lambda *arguments: dev.run("revoke", *arguments, "--zone", shop.zone)


def is_dead(shop: Shop, session: str) -> bool:
    """Whether nothing is issued in the session any more."""
    return shop.as_agent("exchange", "resource://orders", "--session", session).code == 3


def test_a_dry_run_lists_what_would_fall(shop: Shop, start: Start, revoke: Revoke) -> None:
    """As a table in which each is below what it falls with, and as JSON; nothing dies."""
    top = start()
    child = start("--parent", top)
    shown = revoke(top, "--dry-run")
    assert shown.code == 0
    rows = [line.split() for line in shown.out.splitlines() if "ses_" in line]
    assert rows == [[top, "agent", "active"], [child, "agent", "active"]]
    assert f"  {child}" in shown.out
    told = revoke(top, "--dry-run", "--json").json
    assert (told["anchor"], told["dry_run"], told["fallen_count"]) == (top, True, 2)
    assert [(each["session_id"], each["depth"]) for each in told["fallen"]] == [
        (top, 0),
        (child, 1),
    ]
    assert (told["revision"], told["audit_id"]) == (0, "")
    assert not is_dead(shop, child)


def test_an_anchor_is_revoked_with_all_below(shop: Shop, start: Start, revoke: Revoke) -> None:
    """One line says how many fell and from when on; again is no error."""
    top = start()
    child = start("--parent", top)
    done = revoke(top, "--reason", "lost")
    assert (done.code, done.out.count("\n")) == (0, 1)
    assert done.out.startswith(f"revoked {top} with 2 sessions: it holds from revision ")
    assert is_dead(shop, child)
    again = revoke(top, "--json").json
    assert (again["fallen"], again["fallen_count"]) == ([], 0)
    assert "no session would fall" in revoke(top, "--dry-run").out


def test_sessions_that_fit_are_revoked(shop: Shop, start: Start, revoke: Revoke) -> None:
    """All options must hold; who is not at a terminal is not asked."""
    agent = ("--application", shop.application("agent"))
    assert revoke(*agent).code == 0
    night, batch = start("--label", "night"), start("--label", "batch")
    below, wanted = start("--parent", night), ("--label", "night", *agent)
    told = revoke(*wanted, "--dry-run", "--json").json
    assert told["filter"]["label"] == "night"
    assert {each["session_id"] for each in told["fallen"]} == {night, below}
    done = revoke(*wanted, "--json").json
    assert (done["fallen_count"], done["dry_run"]) == (2, False)
    assert (is_dead(shop, night), is_dead(shop, below), is_dead(shop, batch)) == (True, True, False)
    assert "the sessions that fit" in revoke("--below", batch, "--created-before", "0s").out
    assert is_dead(shop, batch)


def test_mandates_of_before_are_revoked(dev: Dev, shop: Shop, revoke: Revoke) -> None:
    """What is issued afterwards lives; the ledger tells what killed the others."""
    old = shop.as_agent("exchange", "resource://orders", "--json").json
    done = revoke("--issued-before", "0s", "--json").json
    assert done["issued_before"].startswith("20")
    assert (done["fallen"], done["revision"] > 0) == ([], True)
    new = shop.as_agent("exchange", "resource://orders", "--json").json
    explain = ("audit", "explain", "--zone", shop.zone, "--json")
    dead, alive = (dev.run(*explain, each["audit_id"]).json for each in (old, new))
    assert (dead["alive"], dead["dead_by"]) == (False, shop.zone)
    assert (alive["alive"], alive["dead_by"]) == (True, "")
    assert revoke("--issued-before", "2100-01-01").code == 2
    assert "all mandates issued before 20" in revoke("--issued-before", "1d").out


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("ses_01h455vb4pex5vsknk084sn02q", "--label", "night"),
        ("--label", "night", "--issued-before", "0s"),
        ("--issued-before", "soon"),
        ("--created-before", "soon"),
    ],
    ids=" ".join,
)
def test_it_aims_at_one_thing(revoke: Revoke, arguments: tuple[str, ...]) -> None:
    """Anything else is wrong usage."""
    ended = revoke(*arguments)
    assert ended.code == 2
    assert ended.out == ""


@pytest.mark.parametrize(("answer", "dies"), [("y\n", True), ("n\n", False), ("\x04", False)])
def test_at_a_terminal_it_asks_first(
    dev: Dev, shop: Shop, start: Start, answer: str, dies: bool
) -> None:
    """With how many fall; no and no answer revoke nothing. An anchor and `--yes` are not asked."""
    session = start("--label", "night")
    wanted = ("revoke", "--below", session, "--zone", shop.zone)
    code, said = at_terminal(dev, *wanted, "--json", answer=answer)
    assert f"revoke the sessions that fit of zone {shop.zone} with 1 session?" in said
    assert (code, is_dead(shop, session)) == (0 if dies else 1, dies)
    assert at_terminal(dev, *wanted, "--yes", answer="") == (0, "")
    assert at_terminal(dev, "revoke", session, "--zone", shop.zone, answer="") == (0, "")


def at_terminal(dev: Dev, *arguments: str, answer: str) -> tuple[int, str]:
    """How a command ends whose stdin is a terminal, and what it says on stderr."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer.encode())
        done = subprocess.run(
            [sys.executable, "-m", "caracal_grpc", *arguments],
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env=environment(CARACAL_PROFILE=str(dev.profile)),
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.stdout[:1] != " ", "a prompt is no part of what programs read"
    return done.returncode, done.stderr


def test_without_any_stdin_it_is_not_asked(dev: Dev, shop: Shop, start: Start) -> None:
    """The kill switch works from wherever it is run."""
    session = start()
    closed = ("sh", "-c", '"$@" <&-', "sh", sys.executable, "-m", "caracal_grpc")
    ended = subprocess.run(
        [*closed, "revoke", "--below", session, "--zone", shop.zone],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment(CARACAL_PROFILE=str(dev.profile)),
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert is_dead(shop, session)
