"""Step-up for threads: a few wait for approvals, and hold nobody else up."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import (
    PendingApproval,
    SyncEdge,
    WaitForApprovals,
    connect_sync,
)
from caracal_grpc.interceptors.client.exchange import MAX_WAITS
from caracal_grpc.interceptors.client.sync.tokens import WORKERS
from caracal_grpc.v1 import approval_pb2
from tests.interceptors.calling import eventually
from tests.interceptors.calling import say_sync as say
from tests.interceptors.sessions.desk import APPROVED, PENDING, Desk
from tests.interceptors.support import RESOURCE, RULES, calls, profile
from tests.support.clock import FakeClock
from tests.support.refusals import refused

SCOPES = ["echo:say"]


@pytest.fixture
def authority() -> Desk:
    """A desk that asks for approval of the echo service."""
    return Desk(held={RESOURCE})


@pytest.fixture
def told() -> list[PendingApproval]:
    """What the process heard that it waits for."""
    return []


@pytest.fixture
def patient(sync_address: str, clock: FakeClock, told: list[PendingApproval]) -> Iterator[SyncEdge]:
    """An edge that waits for approvals."""
    wait = WaitForApprovals(timeout=30, on_pending=told.append)
    with connect_sync(profile(sync_address), rules=RULES, approvals=wait, clock=clock) as edge:
        yield edge


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Callers."""
    with ThreadPoolExecutor(MAX_WAITS + 8) as made:
        yield made


def decide(desk: Desk, state: int = APPROVED, waits: int = 1) -> str:
    """Decides on the one approval once it is waited for."""
    eventually(lambda: len(desk.heard["Wait"]) >= waits)
    (identifier,) = [each for each, known in desk.approvals.items() if known == PENDING]
    desk.approvals[identifier] = state
    return identifier


def test_a_call_goes_on_once_it_is_approved(
    patient: SyncEdge,
    sync_address: str,
    authority: Desk,
    told: list[PendingApproval],
    pool: ThreadPoolExecutor,
) -> None:
    """All who ask wait for one; the same request is sent again, though its answer is lost."""
    stubs = calls(patient.channel(sync_address))
    asked = [pool.submit(say, stubs, "UnaryUnary") for _ in range(8)]
    eventually(lambda: bool(authority.heard["Wait"]))
    authority.lose_answers = 6
    approval = decide(authority)
    assert {each.result() for each in asked} == {"abc"}
    sent = [(each.approval_id, each.request_id) for each in authority.asked()]
    assert sent == [("", "")] + [(approval, approval)] * 7
    assert told == [PendingApproval(approval, RESOURCE, frozenset(SCOPES), None)]


def test_a_broken_wait_is_begun_again(
    patient: SyncEdge, authority: Desk, pool: ThreadPoolExecutor
) -> None:
    """And what does not release the request is told as the authority says it."""
    authority.broken_waits = 2
    asked = pool.submit(patient.exchange, RESOURCE, SCOPES)
    decide(authority, approval_pb2.APPROVAL_STATE_REJECTED, waits=3)
    with refused(Reason.APPROVAL_REJECTED):
        asked.result()


def test_a_deadline_ends_the_wait_of_its_caller_only(
    patient: SyncEdge, sync_address: str, authority: Desk
) -> None:
    """Whoever calls later finds the mandate."""
    stubs = calls(patient.channel(sync_address))
    with pytest.raises(grpc.RpcError) as caught:
        say(stubs, "UnaryUnary", timeout=0.1)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED  # type: ignore[attr-defined]
    decide(authority)
    assert say(stubs, "UnaryUnary", timeout=5) == "abc"
    assert (len(authority.heard["Wait"]), len(authority.asked())) == (1, 2)


def test_who_waits_holds_up_no_exchange(
    patient: SyncEdge, authority: Desk, pool: ThreadPoolExecutor
) -> None:
    """More wait than there are threads for exchanges; beyond the bound the refusal is told."""
    many = [f"{RESOURCE}/{number}" for number in range(MAX_WAITS)]
    authority.held.update(many)
    assert len(many) > WORKERS
    asked = [pool.submit(patient.exchange, each, SCOPES) for each in many]
    eventually(lambda: len(authority.heard["Wait"]) == MAX_WAITS)
    assert patient.exchange("resource://free", SCOPES)
    with refused(Reason.STEP_UP_REQUIRED):
        patient.exchange(RESOURCE, SCOPES)
    patient.close()
    for each in asked:
        with refused(Reason.DRAINING):
            each.result()


def test_one_that_took_an_approval_is_not_renewed_ahead(
    patient: SyncEdge, authority: Desk, clock: FakeClock, pool: ThreadPoolExecutor
) -> None:
    """It is asked for when a call needs it."""
    first = pool.submit(patient.exchange, RESOURCE, SCOPES)
    decide(authority)
    token = first.result()
    clock.advance(299)
    assert patient.exchange(RESOURCE, SCOPES) == token
    assert len(authority.asked()) == 2
    clock.advance(2)
    second = pool.submit(patient.exchange, RESOURCE, SCOPES)
    decide(authority, waits=2)
    assert second.result() != token


def test_who_may_not_wait_hears_the_refusal(patient: SyncEdge, authority: Desk) -> None:
    """At once."""
    authority.trouble["Wait"].append(CaracalError(Reason.SCOPE_INSUFFICIENT, "no"))
    with refused(Reason.STEP_UP_REQUIRED):
        patient.exchange(RESOURCE, SCOPES)


def test_nobody_uses_up_what_its_one_caller_left(patient: SyncEdge, authority: Desk) -> None:
    """The approval stays for the next try."""
    with pytest.raises(grpc.RpcError):
        patient.exchange(RESOURCE, SCOPES, single_use=True, timeout=0.05)
    approval = decide(authority)
    eventually(lambda: not patient._opened()[1]._waiting)
    assert authority.approvals[approval] == APPROVED


def test_without_patience_the_approval_goes_by_hand(sync_edge: SyncEdge, authority: Desk) -> None:
    """What it gives will do for whoever asks for the same."""
    with refused(Reason.STEP_UP_REQUIRED) as seen:
        sync_edge.exchange(RESOURCE, SCOPES)
    approval = seen.metadata["approval_id"]
    authority.approvals[approval] = APPROVED
    token = sync_edge.exchange(RESOURCE, SCOPES, approval_id=approval)
    assert sync_edge.exchange(RESOURCE, SCOPES) == token
