"""`approval`: held, waited for, decided and used."""

from __future__ import annotations

import json
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Shop
from tests.cli.relay import run_as
from tests.cli.support import Dev, Ended
from tests.support.foreign import ForeignSigner, jwks

BANK = ForeignSigner.generate("ES256")
MANIFEST = """\
zone: approvals
applications:
  - name: agent
  - name: ann
  - name: bob
resources:
  - name: resource://payments
    scopes: [payments:refund, payments:payout]
grants:
  - application: agent
    resource: resource://payments
    scopes: [payments:refund]
    step_up: [payments:refund]
    approval:
      reviews: 2
      reviewers: [ann, bob]
  - application: agent
    resource: resource://payments
    scopes: [payments:payout]
    step_up: [payments:payout]
    approval:
      proof_system: bank
  - application: ann
    resource: resource://caracal
    scopes: ["caracal:approvals:decide", "caracal:approvals:read"]
  - application: bob
    resource: resource://caracal
    scopes: ["caracal:approvals:decide", "caracal:approvals:read"]
proof_systems:
  - name: bank
    issuer: https://bank.example
    audience: caracal
    jwks: '{jwks}'
"""
REFUND, PAYOUT = "payments:refund", "payments:payout"


@pytest.fixture(scope="module")
def desk(dev: Dev, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A zone of the module's own."""
    folder = tmp_path_factory.mktemp("approvals")
    manifest = folder / "zone.yaml"
    manifest.write_text(MANIFEST.replace("{jwks}", jwks(BANK).decode()))
    applied = dev.run("apply", "-f", manifest, "--credentials", folder, "--json")
    assert applied.code == 0, applied.err
    return Shop("approvals", folder, manifest, applied)


def exchange(desk: Shop, *arguments: str, scope: str = REFUND) -> Ended:
    """An exchange of the agent."""
    return run_as(desk, "agent", "exchange", "resource://payments", scope, *arguments, "--json")


def held(desk: Shop, *arguments: str, scope: str = REFUND) -> str:
    """The approval that the exchange waits for, as its refusal tells it."""
    ended = exchange(desk, *arguments, scope=scope)
    assert ended.code == 1
    assert "STEP_UP_REQUIRED" in ended.line
    found = re.search(r"approval_id (apr_\w+)", ended.line)
    assert found is not None
    return found[1]


def shown(desk: Shop, approval: str, by: str = "agent") -> dict[str, Any]:
    """The approval, as an application sees it."""
    everyone = () if by == "agent" else ("--all",)
    ended = run_as(desk, by, "approval", "get", approval, *everyone, "--json")
    found: dict[str, Any] = ended.json["approval"]
    return found


def decide(desk: Shop, word: str, approval: str, by: str, *arguments: str) -> Ended:
    """What a reviewer is answered who read the approval first."""
    binding = shown(desk, approval, by)["binding"]
    return run_as(desk, by, "approval", word, approval, "--binding", binding, *arguments)


def test_approved_by_two_and_used_once(desk: Shop) -> None:
    """From the refusal to the mandate, by commands alone."""
    approval = held(desk)
    first = decide(desk, "approve", approval, "ann", "--reason", "a known customer", "--json").json
    assert (first["approval"]["state"], first["audit_id"][:4]) == ("pending", "aud_")
    assert exchange(desk, "--approval", approval).code == 1
    second = decide(desk, "approve", approval, "bob")
    assert "recorded as" in second.out
    assert "approved by app_" in second.out
    waited = run_as(desk, "agent", "approval", "wait", approval, "--json")
    assert (waited.code, waited.json["approval"]["state"]) == (0, "approved")
    issued = exchange(desk, "--approval", approval)
    assert issued.code == 0, issued.err
    again = exchange(desk, "--approval", approval)
    assert again.code == 1
    assert "APPROVAL_CONSUMED" in again.line
    assert approval in again.line


def test_rejected(desk: Shop) -> None:
    """Waiting for it ends with what became of it, and a code of its own."""
    approval = held(desk, "--ttl", "31")
    ended = decide(desk, "reject", approval, "ann", "--reason", "not today", "--json")
    assert ended.json["approval"]["votes"][0]["reason"] == "not today"
    waited = run_as(desk, "agent", "approval", "wait", approval)
    assert waited.code == 1
    assert "not today" in waited.out
    assert waited.line == f"approval {approval} is rejected"


def test_wait_ends_when_it_is_decided(desk: Shop) -> None:
    """By another process, meanwhile."""
    approval = held(desk, "--ttl", "32")
    short = run_as(desk, "agent", "approval", "wait", approval, "--timeout", "1")
    assert short.code == 9
    assert f"approval {approval} is pending after 1 s; wait again" in short.err
    ended: list[Ended] = []
    wait = ("agent", "approval", "wait", approval, "--json")
    waiting = threading.Thread(target=lambda: ended.append(run_as(desk, *wait)))
    waiting.start()
    decide(desk, "approve", approval, "ann")
    decide(desk, "approve", approval, "bob")
    waiting.join()
    assert (ended[0].code, ended[0].json["approval"]["state"]) == (0, "approved")


def test_list_shows_ones_own_and_reviewers_all(dev: Dev, desk: Shop) -> None:
    """As a table for people, and by state."""
    approval = held(desk, "--ttl", "33")
    own = run_as(desk, "agent", "approval", "list", "--state", "pending", "--json").json
    assert approval in {each["id"] for each in own["approvals"]}
    named = run_as(desk, "bob", "approval", "list", "--json").json["approvals"]
    assert approval in {each["id"] for each in named}
    table = run_as(desk, "bob", "approval", "list", "--all").out
    (row,) = [line for line in table.splitlines() if approval in line]
    assert "pending" in row
    assert "0 of 2" in row
    every = dev.run("approval", "list", "--zone", desk.zone, "--json").json["approvals"]
    assert approval in {each["id"] for each in every}
    wrong = run_as(desk, "agent", "approval", "list", "--state", "open")
    assert wrong.code == 2
    assert "--state must be one of pending, approved" in wrong.line


def test_get_shows_what_is_to_be_decided(desk: Shop) -> None:
    """With the binding that a reviewer hands back."""
    approval = held(desk, "--ttl", "34")
    found = shown(desk, approval, "ann")
    assert (found["reviews_needed"], found["reviewers"]) == (2, ["ann", "bob"])
    assert (found["application_name"], found["scopes"]) == ("agent", [REFUND])
    out = run_as(desk, "ann", "approval", "get", approval, "--all").out
    assert found["binding"] in out


def test_requester_does_not_decide(desk: Shop) -> None:
    """It lacks the scope; and another binding is no decision."""
    approval = held(desk, "--ttl", "35")
    mine = run_as(desk, "agent", "approval", "approve", approval, "--binding", "x")
    assert mine.code == 1
    assert "SCOPE_INSUFFICIENT" in mine.line or "POLICY_DENIED" in mine.line
    other = run_as(desk, "ann", "approval", "approve", approval, "--binding", "x")
    assert other.code == 2
    assert "binding: must be that of the approval" in other.line


def test_released_by_a_proof(desk: Shop, tmp_path: Path) -> None:
    """From a file; a wrong one says what is wrong."""
    approval = held(desk, scope=PAYOUT)
    found = shown(desk, approval)
    now = int(time.time())
    claims = {
        "iss": "https://bank.example",
        "aud": "caracal",
        "iat": now,
        "exp": now + 300,
        "nonce": found["nonce"],
        "approval_id": approval,
        "binding": found["binding"],
    }
    proof = tmp_path / "proof"
    proof.write_text(BANK.token({**claims, "nonce": "mine"}))
    release = ("approval", "release", approval, "--proof-file", str(proof))
    wrong = run_as(desk, "agent", *release)
    assert wrong.code == 1
    assert "wrong nonce" in wrong.line
    proof.write_text(BANK.token(claims) + "\n")
    done = run_as(desk, "agent", *release, "--json").json
    assert done["approval"]["votes"][0]["subject"] == "proof:bank"
    assert exchange(desk, "--approval", approval, scope=PAYOUT).code == 0
    assert json.dumps(done).find(proof.read_text().strip()) == -1
