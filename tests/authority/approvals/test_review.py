"""Reviewing: who may, what counts, and what is recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.authority.approvals.approvals import Review
from caracal_grpc.core.approval import Approval
from caracal_grpc.core.limits import AUTHORITY_SCOPES, DEFAULT_APPROVAL_TTL
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.user import User
from caracal_grpc.crypto.system import SystemIds
from tests.authority.approvals.desk import (
    HELD,
    REFUND,
    guard,
    guarded_shop,
    held,
    kept,
    reject,
    review,
    state_of,
    use,
)
from tests.authority.sessions.desk import knows_users, start
from tests.support.refusals import refused
from tests.support.relay import landing
from tests.support.rig import Rig
from tests.support.shop import CARACAL, ORDERS, PAYMENTS

ALICE = User("https://login.example", "alice", "login/alice")
LOGIN = {"name": "login", "issuer": ALICE.issuer, "audience": "caracal"}


async def said(rig: Rig, caller: Mandate, approval: Approval, **more: Any) -> Any:
    """What the holder of a mandate is answered who approves."""
    asked = Review("shop", approval.id, approval.held.binding, True)
    return await rig.authority.approvals.review(caller, replace(asked, **more))


async def as_user(rig: Rig, user: User, by: str = "ann") -> Mandate:
    """The mandate with which an application speaks for a user."""
    knows_users(rig).known[user.subject] = user
    session = await start(rig, by, id_token=user.subject)
    return (await rig.exchange(by, CARACAL, session=session.id)).mandate


async def test_review_is_counted_and_recorded(any_rig: Rig) -> None:
    """Who, when and why, in the record and in the ledger."""
    rig = await guard(any_rig)
    approval = await held(rig)
    decided = await review(rig, approval, why="known customer")
    (vote,) = decided.approval.votes
    ann = rig.application("ann")
    assert decided.state == "approved"
    assert (vote.application, vote.subject, vote.approved) == (ann, ann, True)
    assert (vote.reason, vote.time) == ("known customer", rig.clock.now())
    assert await kept(rig, approval) == decided.approval
    entry = await rig.last()
    assert (entry.id, entry.type, entry.decision) == (decided.audit_id, "approval.approve", "done")
    assert (entry.application, entry.resource) == (ann, PAYMENTS)
    assert entry.requested_scopes == (REFUND,)
    assert entry.details == {
        "approval": approval.id,
        "binding": approval.held.binding,
        "requester": rig.application("agent"),
        "held_audit_id": approval.held.audit_id,
        "why": "known customer",
        "state": "approved",
        "counted": True,
    }


async def test_rejection_is_counted_and_recorded(any_rig: Rig) -> None:
    """The same; one is enough, and again is no error."""
    rig = await guard(any_rig, reviews=2)
    approval = await held(rig)
    decided = await reject(rig, approval, why="not today")
    again = await reject(rig, approval, "bob")
    assert (decided.state, again.state) == ("rejected", "rejected")
    assert [vote.reason for vote in again.approval.votes] == ["not today"]
    first, second = (await rig.entries())[-3::2]
    assert (first.type, first.details["why"], first.details["counted"]) == (
        "approval.reject",
        "not today",
        True,
    )
    assert (second.type, second.details["counted"]) == ("approval.reject", False)


async def test_so_many_different_reviewers_must_approve(any_rig: Rig) -> None:
    """The same one again is no error and no second vote; one beyond is not needed."""
    rig = await guard(any_rig, reviews=2)
    approval = await held(rig)
    assert (await review(rig, approval, "ann")).state == "pending"
    again = await review(rig, approval, "ann")
    assert (again.state, len(again.approval.votes)) == ("pending", 1)
    assert (await rig.last()).details["counted"] is False
    assert (await review(rig, approval, "bob")).state == "approved"
    third = await review(rig, approval, "cleo")
    assert (third.state, len(third.approval.votes)) == ("approved", 2)


async def test_reviewers_are_told_apart_by_whom_they_speak_for(rig: Rig) -> None:
    """Two users of one portal are two; a user by two portals is one."""
    await guard(rig, reviews=2)
    approval = await held(rig)
    bert = User(ALICE.issuer, "bert", "login/bert")
    await said(rig, await as_user(rig, ALICE), approval)
    again = await said(rig, await as_user(rig, ALICE, "bob"), approval)
    assert again.state == "pending"
    assert (await said(rig, await as_user(rig, bert), approval)).state == "approved"


async def test_one_rejection_rejects_also_after_approval(rig: Rig) -> None:
    """While it is not used: also by who approved before."""
    await guard(rig)
    approval = await held(rig)
    await review(rig, approval, "ann")
    assert (await reject(rig, approval, "ann")).state == "rejected"
    with refused(Reason.APPROVAL_REJECTED):
        await use(rig, approval)


async def ended_by_rejection(rig: Rig, approval: Approval) -> None:
    """Rejected."""
    await reject(rig, approval, "bob")


async def ended_by_time(rig: Rig, approval: Approval) -> None:
    """Expired."""
    await rig.advance(DEFAULT_APPROVAL_TTL)


async def ended_by_use(rig: Rig, approval: Approval) -> None:
    """Consumed."""
    await review(rig, approval, "bob")
    await use(rig, approval)


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (ended_by_rejection, Reason.APPROVAL_REJECTED),
        (ended_by_time, Reason.APPROVAL_EXPIRED),
        (ended_by_use, Reason.APPROVAL_CONSUMED),
    ],
)
async def test_what_has_ended_is_not_decided(
    any_rig: Rig, end: Callable[..., Any], reason: Reason
) -> None:
    """Neither way, recorded; but a rejection may be said again."""
    rig = await guard(any_rig)
    approval = await held(rig)
    await end(rig, approval)
    before = await kept(rig, approval)
    with refused(reason) as seen:
        await review(rig, approval)
    entry = await rig.last()
    assert seen.metadata == {"approval_id": approval.id, "audit_id": entry.id}
    assert (entry.type, entry.decision) == ("approval.approve", "deny")
    if reason is not Reason.APPROVAL_REJECTED:
        with refused(reason):
            await reject(rig, approval)
    assert await kept(rig, approval) == before


async def test_what_is_approved_is_what_was_seen(rig: Rig) -> None:
    """FIELD_INVALID for any other binding, and no vote."""
    await guard(rig)
    approval = await held(rig)
    ann = await rig.caller("ann")
    for binding in ("", "x", approval.held.binding[:-1], "\ud800", approval.held.binding + "="):
        with refused(Reason.FIELD_INVALID) as seen:
            await said(rig, ann, approval, binding=binding)
        assert seen.fields == ["binding"]
    assert (await kept(rig, approval)).votes == ()


async def test_requester_decides_nothing(rig: Rig) -> None:
    """Neither by its standing session nor by any other; ACTOR_FORBIDDEN, recorded."""
    await guard(rig)
    approval = await held(rig)
    with refused(Reason.ACTOR_FORBIDDEN) as seen:
        await review(rig, approval, "agent")
    entry = await rig.last()
    assert seen.metadata["audit_id"] == entry.id
    assert seen.metadata["actor"] in approval.held.parties
    assert (entry.type, entry.decision, entry.reason) == (
        "approval.approve",
        "deny",
        "ACTOR_FORBIDDEN",
    )
    with refused(Reason.ACTOR_FORBIDDEN):
        await reject(rig, approval, "agent")
    session = await start(rig, "agent")
    caller = (await rig.exchange("agent", CARACAL, session=session.id)).mandate
    with refused(Reason.ACTOR_FORBIDDEN):
        await said(rig, caller, approval)
    assert await state_of(rig, approval) == "pending"


async def test_nobody_of_the_lineage_decides(rig: Rig) -> None:
    """Neither the subject nor the actor, nor who speaks for one of them."""
    zone = guarded_shop()
    zone["policy"]["grants"][HELD] |= {"application": "orders", "subjects": ["agent"]}
    await rig.apply(zone)
    token = (await rig.exchange("agent", ORDERS, "orders:place")).token
    with refused(Reason.STEP_UP_REQUIRED) as refusal:
        await rig.exchange("orders", PAYMENTS, REFUND, subject_token=token)
    approval = await kept(rig, refusal.metadata["approval_id"])
    for name in ("agent", "orders"):
        with refused(Reason.ACTOR_FORBIDDEN):
            await review(rig, approval, name)
    ann = await rig.caller("ann")
    for of_theirs in (
        {"subject": rig.application("agent")},
        {"session": rig.standing("orders")},
        {"root_session": rig.standing("agent")},
        {"ancestors": (rig.standing("orders"),)},
    ):
        with refused(Reason.ACTOR_FORBIDDEN):
            await said(rig, replace(ann, **of_theirs), approval)
    assert (await review(rig, approval, "ann")).state == "approved"


async def test_whoever_passed_it_on_does_not_decide(rig: Rig) -> None:
    """The giver of a delegation is in the lineage of what its receiver asks for."""
    zone = guarded_shop()
    grants = zone["policy"]["grants"]
    grants.append({**grants[HELD], "application": "orders", "subjects": ["agent"]})
    await rig.apply(zone)
    session = await landing(rig, "agent", "orders", {PAYMENTS: [REFUND]})
    with refused(Reason.STEP_UP_REQUIRED) as refusal:
        await rig.exchange("orders", PAYMENTS, REFUND, session=session.id)
    approval = await kept(rig, refusal.metadata["approval_id"])
    assert session.delegation in approval.held.parties
    for name in ("agent", "orders"):
        with refused(Reason.ACTOR_FORBIDDEN):
            await review(rig, approval, name)
    assert (await review(rig, approval, "ann")).state == "approved"
    issued = await rig.exchange(
        "orders", PAYMENTS, REFUND, session=session.id, approval=approval.id
    )
    assert issued.mandate.approval == approval.id


async def test_only_named_reviewers_review(rig: Rig) -> None:
    """By their names in the zone."""
    await guard(rig, reviewers=["bob", "cleo"])
    approval = await held(rig)
    with refused(Reason.ACTOR_FORBIDDEN) as seen:
        await review(rig, approval, "ann")
    assert seen.metadata["actor"] == rig.application("ann")
    with refused(Reason.ACTOR_FORBIDDEN):
        await reject(rig, approval, "ann")
    assert (await review(rig, approval, "bob")).state == "approved"


async def operator_called(rig: Rig, name: str) -> Mandate:
    """The mandate of an application of the authority's own zone."""
    grants = [
        {"application": each, "resource": CARACAL, "scopes": list(AUTHORITY_SCOPES)}
        for each in ("operator", name)
    ]
    own = {"applications": [{"name": "operator"}, {"name": name}], "policy": {"grants": grants}}
    await rig.apply({"name": "caracal", **own})
    return await rig.caller(name, "caracal")


async def test_reviewer_of_another_zone_has_another_name(rig: Rig) -> None:
    """An operator may review what names nobody, and is not who is named."""
    caller = await operator_called(rig, "bob")
    await guard(rig, reviewers=["bob"])
    with refused(Reason.ACTOR_FORBIDDEN):
        await said(rig, caller, await held(rig))
    await guard(rig, reviews=1)
    assert (await said(rig, caller, await held(rig))).state == "approved"


@pytest.mark.parametrize(
    ("reviewers", "may"),
    [
        (["login/alice"], True),
        (["login/*"], True),
        (["login/bert"], False),
        (["other/*"], False),
        (["ann"], False),
    ],
    ids=str,
)
async def test_users_review_by_their_names(rig: Rig, reviewers: list[str], may: bool) -> None:
    """Or as one of the users of an issuer; never by the name of what they use."""
    other = {**LOGIN, "name": "other", "issuer": "https://other.example"}
    await rig.apply(guarded_shop({"reviewers": reviewers}, issuers=[LOGIN, other]))
    approval = await held(rig)
    caller = await as_user(rig, ALICE)
    if may:
        assert (await said(rig, caller, approval)).approval.votes[0].subject == ALICE.id
        return
    with refused(Reason.ACTOR_FORBIDDEN):
        await said(rig, caller, approval)


async def test_user_does_not_approve_what_an_agent_asks_for_them(rig: Rig) -> None:
    """Whatever they use to review: it is their own lineage."""
    zone = guarded_shop(issuers=[LOGIN])
    zone["policy"]["grants"][HELD]["users"] = ["login/*"]
    await rig.apply(zone)
    knows_users(rig).known["alice"] = ALICE
    session = await start(rig, "agent", id_token="alice")
    approval = await held(rig, session=session.id)
    assert (approval.held.subject, approval.held.user) == (ALICE.id, ALICE)
    assert approval.held.actor_chain == (rig.application("agent"),)
    with refused(Reason.ACTOR_FORBIDDEN) as seen:
        await said(rig, await as_user(rig, ALICE), approval)
    assert seen.metadata["actor"] == ALICE.id
    bert = await as_user(rig, User(ALICE.issuer, "bert", "login/bert"))
    assert (await said(rig, bert, approval)).state == "approved"


async def test_approvals_are_of_their_zone(rig: Rig) -> None:
    """ZONE_FORBIDDEN for who is of another, OBJECT_NOT_FOUND for what is not there."""
    await guard(rig)
    approval = await held(rig)
    ann = await rig.caller("ann")
    with refused(Reason.ZONE_FORBIDDEN):
        await said(rig, replace(ann, zone="mall"), approval)
    with refused(Reason.OBJECT_NOT_FOUND) as seen:
        await said(rig, ann, replace(approval, id=SystemIds().new("apr")))
    assert seen.metadata["kind"] == "approval"


async def test_stale_authority_decides_nothing(rig: Rig) -> None:
    """AUTHORITY_STALE."""
    await guard(rig)
    approval = await held(rig)
    ann = await rig.caller("ann")
    await rig.mirror.close()
    rig.clock.advance(60)
    with refused(Reason.AUTHORITY_STALE):
        await said(rig, ann, approval)


async def test_vote_that_cannot_be_recorded_counts(rig: Rig) -> None:
    """AUDIT_UNAVAILABLE: it was taken."""
    await guard(rig)
    approval = await held(rig)
    ann = await rig.caller("ann")
    await rig.ledger._writer.close()
    with refused(Reason.AUDIT_UNAVAILABLE):
        await said(rig, ann, approval)
    assert await state_of(rig, approval) == "approved"
