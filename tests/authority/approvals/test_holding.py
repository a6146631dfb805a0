"""Holding: the same request waits for the same approval, and any other for another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from caracal_grpc.authority.approvals import pending
from caracal_grpc.authority.state import places
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import APPROVAL_RETENTION, DEFAULT_APPROVAL_TTL
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.port import Filter
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
from tests.authority.sessions.desk import start
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS, rego, shop


async def test_refusal_names_the_approval_and_its_end(rig: Rig) -> None:
    """With everything else that a refusal of policy says."""
    await guard(rig)
    with refused(Reason.STEP_UP_REQUIRED) as seen:
        await rig.exchange("agent", PAYMENTS, REFUND)
    approval = await kept(rig, seen.metadata["approval_id"])
    end = seen.metadata["approval_expires_at"]
    assert approval.id.startswith("apr_")
    assert end == "2026-09-21T14:28:20Z"
    assert approval.expires_at == int(rig.clock.now()) + DEFAULT_APPROVAL_TTL
    assert seen.metadata["policy_reasons"] == "step_up_required"
    assert seen.metadata["policy_version"] == approval.held.policy_version
    assert approval.state(rig.clock.now()) == "pending"


async def test_approval_says_what_is_asked_and_by_whom(rig: Rig) -> None:
    """All that a reviewer needs to know."""
    await guard(rig, reviews=2, ttl_seconds=300)
    approval = await held(rig, context={"order": "o-17"})
    asked = approval.held
    assert (asked.application, asked.application_name) == (rig.application("agent"), "agent")
    assert (asked.subject, asked.subject_type, asked.user) == (
        asked.application,
        "application",
        None,
    )
    assert (asked.resource, asked.scopes) == (PAYMENTS, (REFUND,))
    assert (asked.session, asked.actor_chain) == (rig.standing("agent"), ())
    assert (dict(asked.context), asked.policy_reasons) == ({"order": "o-17"}, ("step_up_required",))
    assert len(asked.binding) == 43
    assert (approval.terms.reviews, approval.terms.ttl, approval.nonce) == (2, 300, "")
    assert approval.votes == ()


async def test_holding_is_recorded(rig: Rig) -> None:
    """The refusal names the approval, which names it; and the approval has an entry of its own."""
    await guard(rig)
    with refused(Reason.STEP_UP_REQUIRED) as seen:
        await rig.exchange("agent", PAYMENTS, REFUND)
    made, denied = (await rig.entries())[-2:]
    approval = await kept(rig, seen.metadata["approval_id"])
    assert (denied.type, denied.decision, denied.reason) == ("exchange", "deny", "STEP_UP_REQUIRED")
    assert denied.id == seen.metadata["audit_id"] == approval.held.audit_id
    assert denied.details["approval"] == approval.id
    assert (made.type, made.decision, made.application_name) == ("approval.hold", "done", "agent")
    assert (made.resource, made.requested_scopes) == (PAYMENTS, (REFUND,))
    assert (made.details["approval"], made.details["binding"]) == (
        approval.id,
        approval.held.binding,
    )
    assert made.details["held_audit_id"] == denied.id


async def test_same_request_waits_for_the_same_approval(any_rig: Rig) -> None:
    """While it is pending, and while it is approved and not used; only one is recorded as made."""
    rig = await guard(any_rig)
    approval = await held(rig)
    assert (await held(rig)).id == approval.id
    await review(rig, approval)
    assert (await held(rig)).id == approval.id
    assert len(await rig.entries(query=Filter(type="approval.hold"))) == 1
    await rig.advance(DEFAULT_APPROVAL_TTL - 1)
    assert (await held(rig)).id == approval.id


async def rejected(rig: Rig) -> None:
    """The approval is rejected."""
    await reject(rig, await held(rig))


async def expired(rig: Rig) -> None:
    """The approval is expired."""
    await held(rig)
    await rig.advance(DEFAULT_APPROVAL_TTL)


async def consumed(rig: Rig) -> None:
    """The approval is used."""
    approval = await held(rig)
    await review(rig, approval)
    await use(rig, approval)


@pytest.mark.parametrize("end", [rejected, expired, consumed])
async def test_ended_approval_is_followed_by_another(any_rig: Rig, end: Callable[..., Any]) -> None:
    """A new one, from which on the same request waits for that."""
    rig = await guard(any_rig)
    first = await held(rig)
    await end(rig)
    assert await state_of(rig, first) == end.__name__
    second = await held(rig)
    assert second.id != first.id
    assert (await held(rig)).id == second.id
    assert second.held.binding == first.held.binding


async def in_session(rig: Rig) -> dict[str, Any]:
    """The request in another session of the application."""
    return {"session": (await start(rig, "agent", labels=("night",))).id}


async def changed_policy(rig: Rig) -> dict[str, Any]:
    """Another version of the policy, whatever it is that changed."""
    zone = guarded_shop()
    zone["policy"]["grants"].pop(1)
    await rig.apply(zone)
    return {}


async def other_terms(rig: Rig) -> dict[str, Any]:
    """Another approval is asked for."""
    await rig.apply(guarded_shop({"reviews": 2}))
    return {}


def with_fields(**fields: Any) -> Callable[[Rig], Any]:
    """Other fields of the request."""

    async def change(rig: Rig) -> dict[str, Any]:
        return fields

    return change


CHANGES: dict[str, Callable[[Rig], Any]] = {
    "context": with_fields(context={"order": "o-18"}),
    "ttl": with_fields(ttl=60),
    "certificate": with_fields(binding="a" * 43),
    "requested scopes": with_fields(scopes=frozenset()),
    "session": in_session,
    "policy": changed_policy,
    "terms": other_terms,
}


@pytest.mark.parametrize("change", CHANGES)
async def test_whatever_changes_needs_another_approval(rig: Rig, change: str) -> None:
    """The approval of one is of no use to the other."""
    await guard(rig)
    approval = await held(rig)
    await review(rig, approval)
    fields = await CHANGES[change](rig)
    other = await held(rig, **fields)
    assert other.held.binding != approval.held.binding
    assert await state_of(rig, other) == "pending"
    assert (await held(rig, **fields, approval=approval.id)).id == other.id
    assert await state_of(rig, approval) == "approved"


async def test_applications_never_share_an_approval(rig: Rig) -> None:
    """What another asked for, and what another was approved, is nobody else's."""
    zone = guarded_shop()
    zone["policy"]["grants"].append({**zone["policy"]["grants"][HELD], "application": "bounded"})
    zone["applications"][3] = {"name": "bounded"}
    await rig.apply(zone)
    approval = await held(rig)
    await review(rig, approval)
    with refused(Reason.STEP_UP_REQUIRED) as seen:
        await rig.exchange("bounded", PAYMENTS, REFUND, approval=approval.id)
    assert seen.metadata["approval_id"] != approval.id
    assert await state_of(rig, approval) == "approved"


async def test_line_of_sessions_is_bound(rig: Rig) -> None:
    """The same subject by another way is another request."""
    zone = guarded_shop()
    zone["policy"]["grants"][HELD] |= {"application": "orders", "subjects": ["agent"]}
    await rig.apply(zone)
    found = []
    for session in ("", (await start(rig, "agent")).id):
        token = (await rig.exchange("agent", ORDERS, "orders:place", session=session)).token
        with refused(Reason.STEP_UP_REQUIRED) as seen:
            await rig.exchange("orders", PAYMENTS, REFUND, subject_token=token)
        found.append(await kept(rig, seen.metadata["approval_id"]))
    first, second = found
    assert first.held.binding != second.held.binding
    assert first.held.actor_chain == (rig.application("orders"),)
    assert first.held.subject == rig.application("agent")
    parties = {rig.application("agent"), rig.application("orders")}
    parties |= {rig.standing("agent"), rig.standing("orders")}
    assert parties <= set(first.held.parties)


async def test_pending_approvals_of_an_application_are_bounded(
    any_rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LIMIT_EXCEEDED for one more, recorded; decided and expired ones do not count."""
    rig = await guard(any_rig)
    monkeypatch.setattr(pending, "MAX_PENDING_APPROVALS", 2)
    first = await held(rig, ttl=10)
    await held(rig, ttl=11)
    assert (await held(rig, ttl=10)).id == first.id
    with refused(Reason.LIMIT_EXCEEDED) as seen:
        await rig.exchange("agent", PAYMENTS, REFUND, ttl=12)
    assert seen.metadata == {"limit": "2", "audit_id": (await rig.last()).id}
    with refused(Reason.LIMIT_EXCEEDED) as seen:
        await rig.exchange("agent", PAYMENTS, REFUND, ttl=12, request_id="r1")
    assert seen.metadata["audit_id"] == (await rig.last()).id
    await review(rig, first)
    await held(rig, ttl=12)
    await rig.advance(DEFAULT_APPROVAL_TTL)
    await held(rig, ttl=13)
    await held(rig, ttl=14)
    with refused(Reason.LIMIT_EXCEEDED):
        await rig.exchange("agent", PAYMENTS, REFUND, ttl=15)


async def test_many_at_once_stay_below_the_bound(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are being made count."""
    await guard(rig)
    monkeypatch.setattr(pending, "MAX_PENDING_APPROVALS", 3)
    asked = (rig.exchange("agent", PAYMENTS, REFUND, ttl=number) for number in range(10, 30))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    reasons = [each.reason for each in answers if isinstance(each, CaracalError)]
    assert reasons.count(Reason.STEP_UP_REQUIRED) == 3
    assert reasons.count(Reason.LIMIT_EXCEEDED) == 17


async def test_pending_approvals_that_were_there_count(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica that starts later knows of them."""
    approval = await held(await guard(rig))
    counted = pending.PendingApprovals(rig.state)
    monkeypatch.setattr(pending, "MAX_PENDING_APPROVALS", 1)
    with refused(Reason.LIMIT_EXCEEDED), counted.room(approval.held.application, rig.clock.now()):
        pass
    with counted.room("app_of_nobody", rig.clock.now()):
        pass
    counted.close()


async def test_record_outlives_its_end_for_a_day(rig: Rig) -> None:
    """Then it, and the place where the same request would find it, are gone."""
    approval = await held(await guard(rig))
    await rig.advance(DEFAULT_APPROVAL_TTL + APPROVAL_RETENTION - 1)
    assert await state_of(rig, approval) == "expired"
    await rig.advance(2)
    for kind in (places.APPROVALS, places.HELD):
        assert (await rig.store.list("shop", kind)).records == ()


async def test_webhooks_of_the_zone_have_not_heard_of_it(rig: Rig) -> None:
    """Those that there are when it is made are in its record."""
    hooks = [{"name": name, "url": f"https://{name}.example/"} for name in ("two", "one")]
    await rig.apply(guarded_shop(webhooks=hooks))
    approval = await held(rig)
    assert approval.undelivered == ("one", "two")
    record = await rig.store.get(places.approval_place("shop", approval.id))
    assert record is not None
    assert record.value["undelivered"] == ["one", "two"]


async def test_nothing_is_held_that_is_allowed_or_denied(rig: Rig) -> None:
    """An approval that an allowed request names stays as it is."""
    await guard(rig)
    approval = await held(rig)
    await review(rig, approval)
    zone = guarded_shop()
    del zone["policy"]["grants"][HELD]["step_up"]
    await rig.apply(zone)
    issued = await use(rig, approval)
    assert issued.mandate.approval is None
    assert await state_of(rig, approval) == "approved"
    assert "approval" not in (await rig.last()).details
    await rig.apply(shop(policy={"grants": []}))
    with refused(Reason.POLICY_DENIED):
        await use(rig, approval)
    assert len((await rig.store.list("shop", places.APPROVALS)).records) == 1


ODD = [
    {"reviews": 0},
    {"reviews": 17},
    {"reviews": True},
    {"reviews": "2"},
    {"ttl_seconds": 59},
    {"ttl_seconds": 604_801},
    {"reviewers": []},
    {"reviewers": ["Ann"]},
    {"reviewers": "ann"},
    {"reviewers": ["ann"], "reviews": 2},
    {"proof_system": "The Bank"},
    {"reviewer": ["ann"]},
    {"scopes": "all"},
]


@pytest.mark.parametrize("odd", ODD, ids=str)
async def test_odd_step_up_holds_nothing(rig: Rig, odd: dict[str, Any]) -> None:
    """POLICY_FAILED: a word that is misread would be a way around it."""
    result = {"decision": "step_up", "scopes": [REFUND], "step_up": odd}
    document = str(result).replace("'", '"').replace("True", "true")
    await rig.apply(shop(policy=rego(document)))
    with refused(Reason.POLICY_FAILED):
        await rig.exchange("agent", PAYMENTS, REFUND)
    assert (await rig.store.list("shop", places.APPROVALS)).records == ()


async def test_module_of_a_zone_says_what_it_needs(rig: Rig) -> None:
    """Nothing, for one review within a quarter of an hour; or all of it."""
    needs = '{"reviews": 3, "reviewers": ["login/*"], "ttl_seconds": 60, "proof_system": "bank"}'
    for step_up, wanted in (("{}", (1, (), 900, "")), (needs, (3, ("login/*",), 60, "bank"))):
        document = f'{{"decision": "step_up", "scopes": ["{REFUND}"], "step_up": {step_up}}}'
        await rig.apply(shop(policy=rego(document)))
        terms = (await held(rig)).terms
        assert (terms.reviews, terms.reviewers, terms.ttl, terms.proof_system) == wanted
