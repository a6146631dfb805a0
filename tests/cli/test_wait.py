"""`revoke --wait`: until every connected guard has applied it, and what a script is told."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest

from caracal_grpc.interceptors import connect_sync
from caracal_grpc.interceptors.client.channel import sync_channel
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.v1.revocation_service_pb2 import RevocationServiceWatchRequest
from caracal_grpc.v1.revocation_service_pb2_grpc import RevocationServiceStub
from tests.cli.conftest import Shop
from tests.cli.support import PATIENCE, Dev, environment

RULES = Rules.from_mapping(
    {"/shop.v1.Orders/Place": {"resource": "resource://orders", "scopes": ["orders:place"]}}
)


@pytest.fixture
def guard(shop: Shop) -> Iterator[None]:
    """One guard that is fed."""
    with connect_sync(Profile.load(shop.profile("orders")), rules=RULES) as edge:
        edge.guard()
        edge.ready(20)
        yield


@contextmanager
def silent_guard(shop: Shop) -> Iterator[None]:
    """One that is fed and says nothing."""
    granted = shop.as_agent("exchange", "resource://caracal", "caracal:feed:watch", "--json")
    metadata = (("authorization", f"Bearer {granted.json['mandate']}"),)
    with sync_channel(Profile.load(shop.profile("agent"))) as channel:
        stub = RevocationServiceStub(channel)  # type: ignore[no-untyped-call]
        call = stub.Watch(RevocationServiceWatchRequest(zone=shop.zone), metadata=metadata)
        next(call)
        yield
        call.cancel()
        assert call.code() is grpc.StatusCode.CANCELLED


def session(shop: Shop) -> str:
    """A session of the agent."""
    return str(shop.as_agent("session", "start", "--json").json["session"]["id"])


@pytest.mark.usefixtures("guard")
def test_waits_until_every_guard_has_applied_it(dev: Dev, shop: Shop) -> None:
    """One line on stderr tells of it, one on stdout of the revocation."""
    done = dev.run("revoke", session(shop), "--zone", shop.zone, "--wait")
    assert (done.code, done.out.count("\n")) == (0, 1)
    assert done.out.startswith("revoked ses_")
    assert done.err == "applied: 1 of 1 edges, 1 of 1 replicas told\n"


@pytest.mark.usefixtures("guard")
def test_guards_that_it_cuts_off_are_waited_for(dev: Dev, shop: Shop) -> None:
    """Their feeds ran on mandates that it killed: for a moment none of them is connected."""
    done = dev.run("revoke", "--issued-before", "0s", "--zone", shop.zone, "--wait")
    assert (done.code, done.out.count("\n")) == (0, 1)
    assert done.err == "applied: 1 of 1 edges, 1 of 1 replicas told\n"


@pytest.mark.usefixtures("guard")
def test_a_program_is_told_how_far_it_is(dev: Dev, shop: Shop) -> None:
    """In the one line of JSON, whatever the end."""
    asked = "revoke", session(shop), "--zone", shop.zone, "--wait", "--json"
    applied = {"replicas": 1, "replicas_told": 1, "edges": 1, "edges_applied": 1, "done": True}
    assert dev.run(*asked).json["applied"] == applied
    with silent_guard(shop):
        ended = dev.run(*asked, "--timeout", "2")
    assert ended.code == 9
    assert ended.json["applied"] == applied | {"edges": 2, "done": False}
    assert ended.json["revision"] > 0
    assert "1 of 2 edges" in ended.line
    assert "it holds" in ended.line


def test_people_see_the_progress_on_a_terminal(dev: Dev, shop: Shop) -> None:
    """A bar on stderr, while the guards are waited for."""
    ours, theirs = pty.openpty()
    command = ["revoke", session(shop), "--zone", shop.zone, "--wait", "--timeout", "2"]
    with silent_guard(shop):
        done = subprocess.run(
            [sys.executable, "-m", "caracal_grpc", *command],
            stdout=subprocess.PIPE,
            stderr=theirs,
            timeout=PATIENCE,
            env=environment(CARACAL_PROFILE=str(dev.profile), TERM="xterm", COLUMNS="120"),
            check=False,
        )
    os.close(theirs)
    shown = b""
    while part := _read(ours):
        shown += part
    os.close(ours)
    assert done.returncode == 9
    assert b"0 of 1 edges" in shown
    assert "━".encode() in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # how Linux says that the other end is closed
        return b""


def test_there_is_nothing_to_wait_for_after_a_dry_run(dev: Dev, shop: Shop) -> None:
    """Wrong usage, before anything is asked."""
    ended = dev.run("revoke", session(shop), "--zone", shop.zone, "--wait", "--dry-run")
    assert (ended.code, ended.out) == (2, "")
