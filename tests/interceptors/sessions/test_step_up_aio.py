"""Step-up on asyncio: calls that wait for their approval and go on by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import (
    Edge,
    PendingApproval,
    WaitForApprovals,
    acting_in,
    connect,
)
from caracal_grpc.interceptors.client.tokens import Ask
from caracal_grpc.v1 import approval_pb2
from tests.interceptors.calling import say_aio as say
from tests.interceptors.sessions.desk import APPROVED, CONSUMED, PENDING, Desk
from tests.interceptors.support import DENIED, RESOURCE, RULES, calls, eventually, profile
from tests.support.clock import FakeClock
from tests.support.refusals import refused

SCOPES = ["echo:say"]
REJECTED = approval_pb2.APPROVAL_STATE_REJECTED
EXPIRED = approval_pb2.APPROVAL_STATE_EXPIRED


@pytest.fixture
def authority() -> Desk:
    """A desk that asks for approval of the echo service."""
    return Desk(held={RESOURCE})


@pytest.fixture
def told() -> list[PendingApproval]:
    """What the process heard that it waits for."""
    return []


@pytest.fixture
async def patient(
    address: str, clock: FakeClock, told: list[PendingApproval]
) -> AsyncIterator[Edge]:
    """An edge that waits for approvals."""
    wait = WaitForApprovals(timeout=30, on_pending=told.append)
    async with connect(profile(address), rules=RULES, approvals=wait, clock=clock) as edge:
        yield edge


async def decide(desk: Desk, state: int = APPROVED, waits: int = 1) -> str:
    """Decides on the one approval once it is waited for."""
    await eventually(lambda: len(desk.heard["Wait"]) >= waits)
    (identifier,) = [each for each, known in desk.approvals.items() if known == PENDING]
    desk.approvals[identifier] = state
    return identifier


async def test_a_call_goes_on_once_it_is_approved(
    patient: Edge, address: str, authority: Desk, told: list[PendingApproval]
) -> None:
    """The same request is sent again with the approval and a request id; somebody was told."""
    async with patient.channel(address) as channel, patient.session() as session:
        call = asyncio.create_task(say(calls(channel), "UnaryUnary"))
        approval = await decide(authority)
        assert await call == "abc"
        assert await say(calls(channel), "UnaryUnary") == "abc"
    first, second = authority.asked()
    assert (first.approval_id, first.request_id) == ("", "")
    assert (second.approval_id, second.request_id) == (approval, approval)
    second.ClearField("approval_id")
    second.ClearField("request_id")
    assert first == second
    assert told == [PendingApproval(approval, RESOURCE, frozenset(SCOPES), session.id)]


async def test_without_patience_the_refusal_names_the_approval(
    edge: Edge, address: str, authority: Desk
) -> None:
    """It is the caller's to wait, and to ask by hand; what that gives will do for calls."""
    async with edge.channel(address) as channel:
        with refused(Reason.STEP_UP_REQUIRED) as seen:
            await say(calls(channel), "UnaryUnary")
        approval = seen.metadata["approval_id"]
        authority.approvals[approval] = APPROVED
        held = await edge.exchange(RESOURCE, SCOPES, approval_id=approval)
        assert await edge.exchange(RESOURCE, SCOPES, approval_id=approval) == held
        assert await say(calls(channel), "UnaryUnary") == "abc"
    assert [each.approval_id for each in authority.asked()] == ["", approval]
    assert authority.heard["Wait"] == []


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (REJECTED, Reason.APPROVAL_REJECTED),
        (EXPIRED, Reason.APPROVAL_EXPIRED),
        (CONSUMED, Reason.APPROVAL_CONSUMED),
    ],
)
async def test_what_does_not_release_it_is_told(
    patient: Edge, authority: Desk, state: int, reason: Reason
) -> None:
    """As the authority says it."""
    asked = asyncio.create_task(patient.exchange(RESOURCE, SCOPES))
    approval = await decide(authority, state)
    with refused(reason) as seen:
        await asked
    assert seen.metadata["approval_id"] == approval


async def test_all_who_ask_for_the_same_wait_for_one(
    patient: Edge, authority: Desk, told: list[PendingApproval]
) -> None:
    """One approval, one stream, one mandate."""
    asked = [asyncio.create_task(patient.exchange(RESOURCE, SCOPES)) for _ in range(20)]
    await decide(authority)
    assert len(set(await asyncio.gather(*asked))) == 1
    assert (len(authority.heard["Wait"]), len(told), len(authority.asked())) == (1, 1, 2)


async def test_a_deadline_ends_the_wait_of_its_caller_only(
    patient: Edge, address: str, authority: Desk
) -> None:
    """Others wait on, and whoever calls later finds the mandate."""
    async with patient.channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await say(calls(channel), "UnaryUnary", timeout=0.1)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        other = asyncio.create_task(patient.exchange(RESOURCE, SCOPES))
        await decide(authority)
        await other
        assert await say(calls(channel), "UnaryUnary", timeout=5) == "abc"
    assert (len(authority.heard["Wait"]), len(authority.asked())) == (1, 2)


async def test_a_broken_wait_is_begun_again(patient: Edge, authority: Desk) -> None:
    """However often a replica goes away, and though another has not heard of it yet."""
    authority.broken_waits = 2
    authority.trouble["Wait"].append(CaracalError(Reason.OBJECT_NOT_FOUND, "no approval"))
    asked = asyncio.create_task(patient.exchange(RESOURCE, SCOPES))
    await decide(authority, waits=4)
    assert await asked


@pytest.mark.parametrize("reason", [Reason.SCOPE_INSUFFICIENT, Reason.FIELD_INVALID])
async def test_who_may_not_wait_hears_the_refusal(
    patient: Edge, authority: Desk, reason: Reason
) -> None:
    """At once."""
    authority.trouble["Wait"].append(CaracalError(reason, "no"))
    with refused(Reason.STEP_UP_REQUIRED):
        await patient.exchange(RESOURCE, SCOPES)


async def test_an_approval_that_nobody_has_heard_of_is_not_waited_for_long(
    patient: Edge, authority: Desk
) -> None:
    """Three replicas in a row do not lag."""
    authority.trouble["Wait"].extend([CaracalError(Reason.OBJECT_NOT_FOUND, "no")] * 9)
    with refused(Reason.STEP_UP_REQUIRED):
        await patient.exchange(RESOURCE, SCOPES)
    assert len(authority.heard["Wait"]) == 3


async def test_patience_ends(address: str, authority: Desk) -> None:
    """With the refusal that it began with."""
    wait = WaitForApprovals(timeout=0.2)
    async with connect(profile(address), rules=RULES, approvals=wait) as edge:
        with refused(Reason.STEP_UP_REQUIRED) as seen:
            await edge.exchange(RESOURCE, SCOPES)
    assert seen.metadata["approval_id"] in authority.approvals


async def test_an_answer_that_was_lost_is_asked_for_with_the_same_request_id(
    patient: Edge, authority: Desk
) -> None:
    """Also when it takes more than one exchange makes tries: the approval is used once."""
    asked = asyncio.create_task(patient.exchange(RESOURCE, SCOPES))
    await eventually(lambda: bool(authority.heard["Wait"]))
    authority.lose_answers = 7
    approval = await decide(authority)
    token = await asked
    assert {each.request_id for each in authority.asked()[1:]} == {approval}
    assert (len(authority.asked()), authority.issued[approval]) == (9, token)


async def test_one_that_took_an_approval_is_not_renewed_ahead(
    patient: Edge, authority: Desk, clock: FakeClock
) -> None:
    """A renewal would be another approval: it is asked for when a call needs it."""
    first = asyncio.create_task(patient.exchange(RESOURCE, SCOPES))
    await decide(authority)
    token = await first
    clock.advance(299)
    assert await patient.exchange(RESOURCE, SCOPES) == token
    assert len(authority.asked()) == 2
    clock.advance(2)
    second = asyncio.create_task(patient.exchange(RESOURCE, SCOPES))
    await decide(authority, waits=2)
    assert await second != token
    assert len(authority.approvals) == 2


async def test_nobody_uses_up_what_its_one_caller_left(patient: Edge, authority: Desk) -> None:
    """A mandate of single use is for the one who asked: the approval stays for the next try."""
    asked = asyncio.create_task(patient.exchange(RESOURCE, SCOPES, single_use=True))
    await eventually(lambda: bool(authority.heard["Wait"]))
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    approval = await decide(authority)
    await eventually(lambda: not patient._opened()[1]._flights)
    assert authority.approvals[approval] == APPROVED


async def test_of_several_choices_the_one_that_can_be_released_is_waited_for(
    patient: Edge, authority: Desk
) -> None:
    """Once none of them is granted without."""

    def judge(request: Any) -> CaracalError | None:
        denied = request.resource == RESOURCE and "loud" not in request.scopes
        return DENIED if denied else Desk.judge(authority, request)

    authority.judge = judge  # type: ignore[method-assign]
    ask = Ask(RESOURCE, frozenset(), any_scopes=("low", "loud", "slow"))
    asked = asyncio.create_task(patient._opened()[1].get(ask))
    approval = await decide(authority)
    assert await asked
    sent = [(list(each.scopes), each.approval_id) for each in authority.asked()]
    assert sent == [(["low"], ""), (["loud"], ""), (["slow"], ""), (["loud"], approval)]


async def test_who_hears_of_it_changes_nothing(
    address: str, authority: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """What it raises is logged."""

    def broken(pending: PendingApproval) -> None:
        raise ZeroDivisionError

    wait = WaitForApprovals(on_pending=broken)
    async with connect(profile(address), rules=RULES, approvals=wait) as edge:
        asked = asyncio.create_task(edge.exchange(RESOURCE, SCOPES))
        await decide(authority)
        assert await asked
    assert "on_pending failed" in caplog.text


async def test_a_closed_edge_waits_no_longer(patient: Edge, authority: Desk) -> None:
    """Whoever waits is told, and nothing is left running."""
    asked = asyncio.create_task(patient.exchange(RESOURCE, SCOPES))
    await eventually(lambda: bool(authority.heard["Wait"]))
    await patient.close()
    with refused(Reason.DRAINING):
        await asked


@pytest.mark.parametrize("timeout", [0, -1.0])
def test_patience_is_for_some_time(timeout: float) -> None:
    """Nobody waits for no time."""
    with refused(Reason.FIELD_INVALID) as seen:
        WaitForApprovals(timeout)
    assert seen.fields == ["approvals"]


async def test_what_is_asked_for_by_hand_is_sent_as_it_is(edge: Edge, authority: Desk) -> None:
    """A request id, and an actor's token, whose session is the one that acts."""
    authority.held.clear()
    more: dict[str, Any] = {"subject_token": "s.s.s", "actor_token": "a.a.a", "request_id": "mine"}
    with acting_in("ses_01h455vb4pex5vsknk084sn02q"):
        await edge.exchange(RESOURCE, SCOPES, **more)
    (request,) = authority.asked()
    assert request.session_id == "", "the actor's token says it"
    assert (request.subject_token, request.actor_token) == ("s.s.s", "a.a.a")
    assert (request.request_id, request.approval_id) == ("mine", "")
