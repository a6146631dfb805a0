"""Services narrow what they may, at a real authority: sessions, leases, delegations, approvals."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import (
    PendingApproval,
    Profile,
    WaitForApprovals,
    acting_in,
    connect,
    connect_sync,
)
from caracal_grpc.v1 import (
    approval_service_pb2,
    approval_service_pb2_grpc,
    audit_service_pb2,
)
from tests.support.authority import Running
from tests.support.refusals import refused
from tests.support.relay import relay
from tests.support.shop import ORDERS, PAYMENTS

PLACE = ["orders:place"]
BOTH = ["orders:cancel", "orders:place"]
REFUND = ["payments:refund"]


def profile_of(authority: Running, name: str) -> Profile:
    """The profile of the application `name` of the shop."""
    credential = authority.credentials["shop", name]
    return replace(
        authority.profile,
        zone="shop",
        issuer="https://a.example/zones/shop",
        application_id=credential.application_id,
        client_secret=credential.client_secret,
    )


def claims(mandate: str) -> dict[str, Any]:
    """What a mandate says."""
    body = mandate.split(".")[1]
    read: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return read


async def explained(authority: Running, mandate: str) -> Any:
    """What the ledger says of a mandate."""
    request = audit_service_pb2.ExplainRequest(zone="shop", audit_id=claims(mandate)["audit_id"])
    answer = await authority.stubs.audit.Explain(request, metadata=await authority.operator())
    return answer.mandate


async def review(authority: Running, approval: str, *, approve: bool) -> None:
    """The operator decides."""
    stub: Any = approval_service_pb2_grpc.ApprovalServiceStub(authority.channel)  # type: ignore[no-untyped-call]
    seen = await stub.Get(
        approval_service_pb2.ApprovalServiceGetRequest(zone="shop", id=approval),
        metadata=await authority.operator(),
    )
    vote = {"zone": "shop", "id": approval, "binding": seen.approval.binding, "reason": "a test"}
    if approve:
        request: Any = approval_service_pb2.ApproveRequest(**vote)
        await stub.Approve(request, metadata=await authority.operator())
    else:
        request = approval_service_pb2.RejectRequest(**vote)
        await stub.Reject(request, metadata=await authority.operator())


async def test_a_session_reaches_no_further_than_its_ceiling(authority: Running) -> None:
    """Not by asking for more, nor by a session below it; when it is left it is over."""
    async with connect(profile_of(authority, "agent")) as edge:
        async with edge.session(ceiling={ORDERS: PLACE}, labels=["batch"], ttl=60) as outer:
            assert claims(await edge.exchange(ORDERS, PLACE))["sid"] == outer.id
            with refused(Reason.CEILING_EXCEEDED):
                await edge.exchange(ORDERS, BOTH)
            with refused(Reason.CEILING_EXCEEDED):
                async with edge.session(ceiling={ORDERS: BOTH}):
                    pytest.fail("it reaches too far")
            async with edge.session() as inner:
                mandate = claims(await edge.exchange(ORDERS, PLACE))
                assert (mandate["sid"], inner.labels) == (inner.id, ("batch",))
        assert claims(await edge.exchange(ORDERS, BOTH))["sid"] != outer.id
        with refused(Reason.SESSION_NOT_ACTIVE):
            await edge.exchange(ORDERS, ["orders:place"], session=outer.id, ttl=30)


async def test_threads_wait_and_hand_on_too(authority: Running) -> None:
    """The same over a synchronous channel."""
    await authority.apply(relay())
    pending: asyncio.Queue[PendingApproval] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def tell(approval: PendingApproval) -> None:
        loop.call_soon_threadsafe(pending.put_nowait, approval)

    def work() -> tuple[str, str, str]:
        wait = WaitForApprovals(timeout=60, on_pending=tell)
        with (
            connect_sync(profile_of(authority, "agent"), approvals=wait) as edge,
            edge.service_session(lease=60) as session,
        ):
            made = edge.delegate("first", ceiling={ORDERS: PLACE}, ttl=60)
            made.revoke("enough")
            return session.id, made.id, edge.exchange(PAYMENTS, REFUND)

    working = asyncio.create_task(asyncio.to_thread(work))
    told = await pending.get()
    await review(authority, told.id, approve=True)
    session, delegation, token = await working
    assert (claims(token)["sid"], claims(token)["approval_id"]) == (session, told.id)
    assert delegation.startswith("del_")


async def test_a_service_that_is_taken_over_is_kept_out(authority: Running) -> None:
    """At once where it asks, and at its next heartbeat where it does not."""
    profile = profile_of(authority, "agent")
    async with connect(profile) as before, connect(profile) as after:
        async with before.service_session(lease=10) as held:
            assert claims(await before.exchange(ORDERS, PLACE))["sid"] == held.id
            async with after.service_session(take_over=held.id) as taken:
                assert (taken.id, taken.generation) == (held.id, 2)
                with refused(Reason.LEASE_FENCED):
                    await before.exchange(ORDERS, BOTH, session=held)
                async with asyncio.timeout(30):
                    await held.lost.wait()
                assert claims(await after.exchange(ORDERS, PLACE))["sid"] == held.id
        with refused(Reason.SESSION_NOT_ACTIVE):
            await after.exchange(ORDERS, PLACE, session=held.id, ttl=30)


async def test_work_is_handed_on_and_called_back(authority: Running) -> None:
    """The receiver acts in what it was handed, for the agent; the chain says so, until it falls."""
    await authority.apply(relay())
    agent, first = profile_of(authority, "agent"), profile_of(authority, "first")
    async with connect(agent) as giver, connect(first) as receiver, giver.session() as session:
        made = await giver.delegate("first", ceiling={ORDERS: PLACE}, ttl=60, max_hops=0)
        with acting_in(made.session_id):
            token = await receiver.exchange(ORDERS, PLACE)
            mandate, told = claims(token), await explained(authority, token)
            with refused(Reason.CEILING_EXCEEDED):
                await receiver.exchange(ORDERS, BOTH)
            with refused(Reason.HOPS_EXCEEDED):
                await receiver.delegate("second", ceiling={ORDERS: PLACE}, ttl=30)
        assert (mandate["sub"], mandate["client_id"]) == (
            agent.application_id,
            first.application_id,
        )
        assert (mandate["delegation_path"], mandate["root_sid"] != session.id) == ([made.id], True)
        assert [hop.delegation_edge_id for hop in told.chain] == [made.id]
        await made.revoke("enough")
        with refused(Reason.SESSION_NOT_ACTIVE), acting_in(made.session_id):
            await receiver.exchange(ORDERS, PLACE, ttl=30)


async def test_a_refund_waits_for_the_operator_and_goes_on(authority: Running) -> None:
    """By itself once it is approved; rejected, it says so."""
    pending: asyncio.Queue[PendingApproval] = asyncio.Queue()
    wait = WaitForApprovals(timeout=60, on_pending=pending.put_nowait)
    async with connect(profile_of(authority, "agent"), approvals=wait) as edge, edge.session():
        asked = asyncio.create_task(edge.exchange(PAYMENTS, REFUND))
        told = await pending.get()
        await review(authority, told.id, approve=True)
        token = await asked
        assert claims(token)["approval_id"] == told.id
        assert (await explained(authority, token)).approval_id == told.id
        assert await edge.exchange(PAYMENTS, REFUND) == token
        again = asyncio.create_task(edge.exchange(PAYMENTS, REFUND, ttl=60))
        await review(authority, (await pending.get()).id, approve=False)
        with refused(Reason.APPROVAL_REJECTED):
            await again


async def test_who_does_not_wait_asks_by_hand(authority: Running) -> None:
    """With the approval that the refusal named; a second use is refused."""
    async with connect(profile_of(authority, "agent")) as edge, edge.session():
        with refused(Reason.STEP_UP_REQUIRED) as seen:
            await edge.exchange(PAYMENTS, REFUND)
        approval = seen.metadata["approval_id"]
        await review(authority, approval, approve=True)
        token = await edge.exchange(PAYMENTS, REFUND, approval_id=approval)
        assert claims(token)["approval_id"] == approval
        with refused(Reason.APPROVAL_CONSUMED):
            await edge.exchange(PAYMENTS, REFUND, approval_id=approval, request_id="another")
