"""`exchange` of what policy holds: refused with the approval, waited for, and gone on with."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.interceptors import SyncEdge, connect_sync
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.v1 import approval_pb2, approval_service_pb2, approval_service_pb2_grpc
from tests.cli.conftest import Shop
from tests.cli.support import MANIFEST, PATIENCE, Dev

REFUND = """\
  - application: agent
    resource: resource://payments
    scopes: [payments:charge]
    step_up: [payments:charge]
settings:
"""
SEEING = Rules.default(
    overrides={
        "/caracal.v1.ApprovalService/List": {
            "resource": "resource://caracal",
            "scopes": ["caracal:approvals:decide", "caracal:approvals:read"],
        }
    }
)
"""Who may decide sees the approvals of others, too."""

CHARGE = ("exchange", "resource://payments", "payments:charge")


@pytest.fixture(scope="module")
def held(dev: Dev, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A zone whose agent may charge once somebody approves it."""
    folder = tmp_path_factory.mktemp("held")
    manifest = folder / "zone.yaml"
    manifest.write_text(MANIFEST.format(zone="held").replace("settings:\n", REFUND))
    applied = dev.run("apply", "-f", manifest, "--credentials", folder, "--json")
    assert applied.code == 0, applied.err
    return Shop("held", folder, manifest, applied)


class Reviewer:
    """The operator, who decides."""

    def __init__(self, edge: SyncEdge) -> None:
        channel = edge.authority_channel()
        self._stub: Any = approval_service_pb2_grpc.ApprovalServiceStub(channel)  # type: ignore[no-untyped-call]

    def pending(self) -> list[Any]:
        """What waits."""
        request = approval_service_pb2.ApprovalServiceListRequest(
            zone="held", state=approval_pb2.APPROVAL_STATE_PENDING
        )
        return list(self._stub.List(request).approvals)

    def decide(self, *, approve: bool) -> str:
        """Approves, or rejects, the one that waits, as soon as there is one."""
        end = time.monotonic() + PATIENCE
        while not (pending := self.pending()):
            assert time.monotonic() < end
            time.sleep(0.05)
        (one,) = pending
        kind: Any = (
            approval_service_pb2.ApproveRequest if approve else approval_service_pb2.RejectRequest
        )
        request = kind(zone="held", id=one.id, binding=one.binding, reason="a test")
        (self._stub.Approve if approve else self._stub.Reject)(request)
        return str(one.id)


@pytest.fixture
def reviewer(dev: Dev) -> Iterator[Reviewer]:
    """The operator at work."""
    with connect_sync(dev.profile, rules=SEEING) as edge:
        yield Reviewer(edge)


def approval_of(mandate: str) -> Any:
    """The approval that a mandate names."""
    body = mandate.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["approval_id"]


def test_it_waits_and_goes_on(dev: Dev, held: Shop, reviewer: Reviewer) -> None:
    """With its progress on stderr; the mandate is alone on stdout, and can be had again."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(held.as_agent, *CHARGE, "--wait", "--request-id", "charge-1", "--json")
        approval = reviewer.decide(approve=True)
        ended = asked.result()
    assert ended.code == 0, ended.err
    assert approval_of(ended.json["mandate"]) == approval
    assert ended.err.startswith(f"policy asks for {approval} first; waiting for it")
    assert f"{approval} is approved; 1 of 1 approved; said: a test" in ended.err
    explained = dev.run("audit", "explain", ended.json["audit_id"], "--zone", held.zone)
    assert f"released by {approval}" in explained.out
    again = (*CHARGE, "--request-id", "charge-1", "--approval", approval, "--json")
    assert held.as_agent(*again).json["audit_id"] == ended.json["audit_id"]
    other = held.as_agent(*CHARGE, "--approval", approval)
    assert (other.code, "APPROVAL_CONSUMED" in other.line) == (1, True)


def test_what_is_rejected_is_refused(held: Shop, reviewer: Reviewer) -> None:
    """As the authority says it."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(held.as_agent, *CHARGE, "--wait")
        approval = reviewer.decide(approve=False)
        ended = asked.result()
    assert (ended.code, ended.out) == (1, "")
    assert "APPROVAL_REJECTED" in ended.err.splitlines()[-1]
    assert approval in ended.err


def test_without_waiting_the_refusal_names_the_approval(held: Shop, reviewer: Reviewer) -> None:
    """To go on with later; a wait ends in time, and says how to go on."""
    refused = held.as_agent(*CHARGE)
    assert (refused.code, "STEP_UP_REQUIRED" in refused.line) == (1, True)
    waited = held.as_agent(*CHARGE, "--wait", "--timeout", "1")
    (pending,) = reviewer.pending()
    assert f"approval_id {pending.id}" in refused.line
    assert (waited.code, f"--approval {pending.id}" in waited.err.splitlines()[-1]) == (9, True)
    reviewer.decide(approve=True)
    assert approval_of(held.as_agent(*CHARGE, "--approval", pending.id).out) == pending.id


def test_an_actor_token_says_in_which_session(held: Shop, tmp_path: Path) -> None:
    """It must come with a subject's, and comes from a file as that does."""
    token = tmp_path / "token"
    token.write_text(held.as_agent("exchange", "resource://orders").out)
    ended = held.as_agent("exchange", "resource://orders", "--actor-token-file", token)
    assert ended.code == 4
    assert "ACTOR_TOKEN_INVALID" in ended.line
