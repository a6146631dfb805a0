"""ApprovalService over the wire, and the exchange that waits for it."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc.aio
import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.v1 import approval_pb2, approval_service_pb2, mandate_pb2, token_service_pb2
from tests.authority.approvals.desk import REFUND, guarded_shop
from tests.services.test_answers import EXCHANGE, noted, parts
from tests.support.authority import Running, reason_of
from tests.support.contract import Answers, promised
from tests.support.foreign import ForeignSigner, jwks
from tests.support.refusals import refused
from tests.support.shop import PAYMENTS

SERVICE = "/caracal.v1.ApprovalService"
APPROVAL = "apr_01h455vb4pex5vsknk084sn02q"
BANK = ForeignSigner.generate("ES256")
PROOF_SYSTEM = {
    "name": "bank",
    "issuer": "https://bank.example",
    "audience": "caracal",
    "jwks": jwks(BANK).decode(),
}


async def guard(authority: Running, **approval: Any) -> None:
    """A shop in which a refund needs an approval."""
    await authority.apply(guarded_shop(approval or None, proof_systems=[PROOF_SYSTEM]))


async def waited_for(authority: Running, **more: Any) -> str:
    """The id of the approval that a refund of the agent waits for."""
    with refused(Reason.STEP_UP_REQUIRED) as refusal:
        await authority.exchange("agent", PAYMENTS, REFUND, **more)
    return refusal.metadata["approval_id"]


async def got(authority: Running, approval: str, by: str = "ann") -> approval_pb2.Approval:
    """The approval, as an application reads it."""
    request = approval_service_pb2.ApprovalServiceGetRequest(zone="shop", id=approval)
    metadata = await authority.caller(by)
    found: approval_pb2.Approval = (
        await authority.stubs.approvals.Get(request, metadata=metadata)
    ).approval
    return found


async def held(authority: Running, **more: Any) -> approval_pb2.Approval:
    """What a refund of the agent waits for."""
    return await got(authority, await waited_for(authority, **more))


async def approve(
    authority: Running, approval: approval_pb2.Approval, by: str = "ann", **fields: Any
) -> approval_service_pb2.ApproveResponse:
    """What a reviewer is answered who approves; `fields` replace some of the request."""
    asked = {"zone": "shop", "id": approval.id, "binding": approval.binding, "reason": "fine"}
    request = approval_service_pb2.ApproveRequest(**(asked | fields))
    response: approval_service_pb2.ApproveResponse = await authority.stubs.approvals.Approve(
        request, metadata=await authority.caller(by)
    )
    return response


async def reject(
    authority: Running, approval: approval_pb2.Approval, by: str = "ann", **fields: Any
) -> approval_service_pb2.RejectResponse:
    """What a reviewer is answered who rejects."""
    asked = {"zone": "shop", "id": approval.id, "binding": approval.binding, "reason": "no"}
    request = approval_service_pb2.RejectRequest(**(asked | fields))
    response: approval_service_pb2.RejectResponse = await authority.stubs.approvals.Reject(
        request, metadata=await authority.caller(by)
    )
    return response


async def release(
    authority: Running, approval: approval_pb2.Approval, **fields: Any
) -> approval_service_pb2.ReleaseResponse:
    """What the agent is answered who brings a proof."""
    asked = {"zone": "shop", "id": approval.id, "proof": "a.b.c"}
    request = approval_service_pb2.ReleaseRequest(**(asked | fields))
    response: approval_service_pb2.ReleaseResponse = await authority.stubs.approvals.Release(
        request, metadata=await authority.caller("agent")
    )
    return response


async def use(authority: Running, approval: str, **more: Any) -> token_service_pb2.ExchangeResponse:
    """What the agent is granted with the approval."""
    return await authority.exchange("agent", PAYMENTS, REFUND, approval_id=approval, **more)


async def test_held_request_is_approved_and_used_once(authority: Running, answers: Answers) -> None:
    """From the refusal to the mandate; what comes second is refused."""
    await guard(authority)
    approval = await waited_for(authority, context={"order": "o-17"})
    more = {"context": {"order": "o-17"}}
    assert await reason_of(use(authority, approval, **more)) is Reason.STEP_UP_REQUIRED
    decided = await approve(authority, await got(authority, approval))
    assert decided.approval.state == approval_pb2.APPROVAL_STATE_APPROVED
    assert decided.audit_id.startswith("aud_")
    issued = await use(authority, approval, request_id="r1", **more)
    assert list(issued.scopes) == [REFUND]
    again = await use(authority, approval, request_id="r1", **more)
    assert again.jti == issued.jti
    with refused(Reason.APPROVAL_CONSUMED) as refusal:
        await use(authority, approval, **more)
    assert refusal.metadata["approval_id"] == approval
    await noted(answers, EXCHANGE, "APPROVAL_CONSUMED")
    assert (await got(authority, approval)).state == approval_pb2.APPROVAL_STATE_CONSUMED


async def test_everything_of_an_approval_is_rendered(authority: Running) -> None:
    """Field by field, as its comments say."""
    approval = {"reviews": 2, "reviewers": ["ann", "bob"], "proof_system": "bank"}
    await guard(authority, **approval, ttl_seconds=300)
    shown = await held(authority, context={"order": "o-17"})
    agent = authority.credentials["shop", "agent"].application_id
    assert (shown.zone, shown.state) == ("shop", approval_pb2.APPROVAL_STATE_PENDING)
    assert (shown.application_id, shown.application_name) == (agent, "agent")
    assert (shown.subject, shown.subject_type) == (agent, mandate_pb2.SUBJECT_TYPE_APPLICATION)
    assert not shown.HasField("user")
    assert (shown.resource, list(shown.scopes)) == (PAYMENTS, [REFUND])
    assert shown.session_id.startswith("ses_")
    assert dict(shown.context) == {"order": "o-17"}
    assert list(shown.policy_reasons) == ["step_up_required"]
    assert shown.policy_version
    assert (len(shown.binding), len(shown.nonce), shown.proof_system) == (43, 43, "bank")
    assert (shown.reviews_needed, list(shown.reviewers)) == (2, ["ann", "bob"])
    assert shown.expire_time.seconds - shown.create_time.seconds == 300
    assert shown.audit_id.startswith("aud_")
    decided = (await approve(authority, shown, "bob")).approval
    (vote,) = decided.votes
    bob = authority.credentials["shop", "bob"].application_id
    assert (vote.application_id, vote.subject, vote.approved, vote.reason) == (
        bob,
        bob,
        True,
        "fine",
    )
    assert vote.time.seconds >= shown.create_time.seconds
    assert decided.state == approval_pb2.APPROVAL_STATE_PENDING


async def test_rejected_request_is_told(authority: Running, answers: Answers) -> None:
    """To who asks, and to reviewers that come late."""
    await guard(authority)
    approval = await held(authority)
    await reject(authority, approval)
    assert (await reject(authority, approval)).approval.state == (
        approval_pb2.APPROVAL_STATE_REJECTED
    )
    assert await reason_of(use(authority, approval.id)) is Reason.APPROVAL_REJECTED
    assert await reason_of(approve(authority, approval)) is Reason.APPROVAL_REJECTED
    await noted(answers, EXCHANGE, "APPROVAL_REJECTED")
    await noted(answers, f"{SERVICE}/Approve", "APPROVAL_REJECTED")


async def test_requester_and_strangers_decide_nothing(authority: Running, answers: Answers) -> None:
    """ACTOR_FORBIDDEN for the one, and for who is not named; SCOPE_INSUFFICIENT without scope."""
    await guard(authority, reviewers=["bob"])
    approval = await held(authority)
    for decide in (approve, reject):
        assert await reason_of(decide(authority, approval, "agent")) is Reason.ACTOR_FORBIDDEN
        assert await reason_of(decide(authority, approval, "ann")) is Reason.ACTOR_FORBIDDEN
        assert await reason_of(decide(authority, approval, "payments")) is (
            Reason.SCOPE_INSUFFICIENT
        )
    await noted(answers, f"{SERVICE}/Approve", "ACTOR_FORBIDDEN")
    assert (await got(authority, approval.id)).state == approval_pb2.APPROVAL_STATE_PENDING


async def test_list_goes_page_by_page(authority: Running) -> None:
    """Oldest first, of one state or of all; an application sees its own only."""
    await guard(authority)
    ids = [await waited_for(authority, context={"n": str(n)}) for n in range(3)]
    await reject(authority, await got(authority, ids[0]))

    async def page(by: str = "ann", **fields: Any) -> Any:
        request = approval_service_pb2.ApprovalServiceListRequest(zone="shop", **fields)
        metadata = await authority.caller(by)
        return await authority.stubs.approvals.List(request, metadata=metadata)

    first = await page(page_size=2)
    assert [each.id for each in first.approvals] == ids[:2]
    rest = await page(page_size=2, page_token=first.next_page_token)
    assert ([each.id for each in rest.approvals], rest.next_page_token) == (ids[2:], "")
    pending = await page(state=approval_pb2.APPROVAL_STATE_PENDING)
    assert [each.id for each in pending.approvals] == ids[1:]
    assert len((await page("agent")).approvals) == 3
    assert len((await page("payments")).approvals) == 0


async def test_wait_tells_until_it_is_decided(authority: Running) -> None:
    """As a stream of the application that asks; it ends by itself."""
    await guard(authority)
    approval = await held(authority)
    request = approval_service_pb2.ApprovalServiceWaitRequest(zone="shop", id=approval.id)
    stream = authority.stubs.approvals.Wait(request, metadata=await authority.caller("agent"))
    async with asyncio.timeout(20):
        assert (await stream.read()).approval == approval
        await approve(authority, approval)
        assert (await stream.read()).approval.state == approval_pb2.APPROVAL_STATE_APPROVED
        assert await stream.read() is grpc.aio.EOF


async def test_waits_end_with_the_server(authority: Running, answers: Answers) -> None:
    """DRAINING."""
    await guard(authority)
    approval = await held(authority)
    request = approval_service_pb2.ApprovalServiceWaitRequest(zone="shop", id=approval.id)
    stream = authority.stubs.approvals.Wait(request, metadata=await authority.caller("agent"))
    await stream.read()
    stopping = asyncio.ensure_future(authority.server.stop())
    assert await reason_of(stream.read()) is Reason.DRAINING
    await stopping
    await noted(answers, f"{SERVICE}/Wait", "DRAINING")


async def test_no_application_takes_all_the_waits(authority: Running) -> None:
    """LIMIT_EXCEEDED."""
    await guard(authority)
    approval = await held(authority)
    parts(authority).approvals._waits._capacity.share = 0
    request = approval_service_pb2.ApprovalServiceWaitRequest(zone="shop", id=approval.id)
    stream = authority.stubs.approvals.Wait(request, metadata=await authority.caller("agent"))
    assert await reason_of(stream.read()) is Reason.LIMIT_EXCEEDED


async def test_proof_releases_over_the_wire(authority: Running, answers: Answers) -> None:
    """Whoever brings it; a wrong one is PROOF_INVALID with what is wrong."""
    await guard(authority, proof_system="bank", reviews=2)
    approval = await held(authority)
    claims = {
        "iss": PROOF_SYSTEM["issuer"],
        "aud": PROOF_SYSTEM["audience"],
        "iat": approval.create_time.seconds,
        "exp": approval.create_time.seconds + 300,
        "nonce": approval.nonce,
        "approval_id": approval.id,
        "binding": approval.binding,
    }
    with refused(Reason.PROOF_INVALID) as refusal:
        await release(authority, approval, proof=BANK.token({**claims, "nonce": "mine"}))
    assert refusal.metadata["cause"] == "nonce"
    await noted(answers, f"{SERVICE}/Release", "PROOF_INVALID")
    released = await release(authority, approval, proof=BANK.token(claims))
    assert released.approval.state == approval_pb2.APPROVAL_STATE_APPROVED
    assert released.approval.votes[0].subject == "proof:bank"
    assert (await use(authority, approval.id)).jti


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"id": ""}, "id"),
        ({"id": "aud_01h455vb4pex5vsknk084sn02q"}, "id"),
        ({"binding": ""}, "binding"),
        ({"binding": "of another"}, "binding"),
        ({"reason": "x" * 501}, "reason"),
        ({"zone": "SHOP"}, "zone"),
    ],
    ids=str,
)
async def test_malformed_decision_is_a_bad_field(
    authority: Running, fields: dict[str, str], wrong: str
) -> None:
    """FIELD_INVALID naming it, both ways."""
    await guard(authority)
    approval = await held(authority)
    for decide in (approve, reject):
        with refused(Reason.FIELD_INVALID) as refusal:
            await decide(authority, approval, **fields)
        assert refusal.fields == [wrong]


async def test_malformed_questions_are_bad_fields(authority: Running) -> None:
    """FIELD_INVALID for a proof, a state, a page and an approval id of an exchange."""
    await guard(authority, proof_system="bank")
    approval = await held(authority)
    for proof in ("", "x" * 16_385):
        with refused(Reason.FIELD_INVALID) as refusal:
            await release(authority, approval, proof=proof)
        assert refusal.fields == ["proof"]
    metadata = await authority.caller("ann")
    for fields in ({"state": 77}, {"page_size": 501}, {"page_size": -1}):
        request = approval_service_pb2.ApprovalServiceListRequest(zone="shop", **fields)  # type: ignore[arg-type]
        with refused(Reason.FIELD_INVALID) as refusal:
            await authority.stubs.approvals.List(request, metadata=metadata)
        assert refusal.fields == list(fields)
    with refused(Reason.FIELD_INVALID) as refusal:
        await use(authority, "mine")
    assert refusal.fields == ["approval_id"]


async def test_unknown_approval_is_not_found(authority: Running) -> None:
    """By any method that names one."""
    await guard(authority)
    nobody = approval_pb2.Approval(id=APPROVAL, binding="b")
    calls = [
        got(authority, APPROVAL),
        approve(authority, nobody),
        reject(authority, nobody),
        release(authority, nobody),
    ]
    for call in calls:
        assert await reason_of(call) is Reason.OBJECT_NOT_FOUND


@pytest.mark.parametrize("method", ["Get", "List", "Wait", "Approve", "Reject", "Release"])
def test_refusals_of_the_store_are_promised(method: str) -> None:
    """What a look at the store may end with; a list has all it needs at hand."""
    assert ("STORE_UNAVAILABLE" in promised(f"{SERVICE}/{method}")) is (method != "List")
