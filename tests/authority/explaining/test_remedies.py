"""What would make allowed what was refused."""

from __future__ import annotations

import pytest

from caracal_grpc.authority.explaining.explanation import Remedy, Wanted
from caracal_grpc.authority.explaining.remedies import _ADVICE
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from tests.authority.approvals.desk import guard, held
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS, STOCK, rego, shop


async def remedies(rig: Rig, audit_id: str) -> tuple[Remedy, ...]:
    """What is suggested."""
    assert rig.operator is not None
    explaining, wanted = rig.authority.explaining, Wanted(suggest=True)
    return (await explaining.explain(rig.operator, "shop", wanted, audit_id=audit_id)).remedies


async def test_the_grant_that_is_missing_is_named_and_does_it(rig: Rig) -> None:
    """Policy was asked with it; applied as it says, the request is granted."""
    with refused(Reason.POLICY_DENIED) as seen:
        await rig.exchange("agent", PAYMENTS, "payments:charge")
    found = await remedies(rig, seen.metadata["audit_id"])
    text = f"grant agent payments:charge on {PAYMENTS}"
    assert found == (Remedy("operator", text, tried=True),)
    zone = shop()
    grant = {"application": "agent", "resource": PAYMENTS, "scopes": ["payments:charge"]}
    zone["policy"]["grants"].append(grant)
    await rig.apply(zone)
    assert (await rig.exchange("agent", PAYMENTS, "payments:charge")).mandate.scopes


async def test_less_that_would_be_granted_is_named(rig: Rig) -> None:
    """What policy gives of it, if it gives some."""
    with refused(Reason.POLICY_DENIED) as seen:
        await rig.exchange("agent", ORDERS, "orders:place", "orders:track")
    first = (await remedies(rig, seen.metadata["audit_id"]))[0]
    assert first == Remedy("caller", "ask for orders:place only", tried=True)


async def test_a_grant_on_behalf_names_the_subject(rig: Rig) -> None:
    """The grant is for that subject, not for anyone."""
    first = await rig.exchange("agent", ORDERS, "orders:place")
    with refused(Reason.POLICY_DENIED) as seen:
        await rig.exchange("orders", STOCK, subject_token=first.token)
    found = await remedies(rig, seen.metadata["audit_id"])
    assert "on behalf of agent" in found[-1].text
    assert found[-1].tried


async def test_modules_of_a_zone_are_asked_for_less_alone(rig: Rig) -> None:
    """What its author wrote is not rewritten; that the operator must change it is said."""
    await rig.apply(shop(policy=rego('{"decision": "deny", "reasons": ["no"]}')))
    with refused(Reason.POLICY_DENIED) as seen:
        await rig.exchange("agent", ORDERS, "orders:place")
    (found,) = await remedies(rig, seen.metadata["audit_id"])
    assert (found.who, found.tried) == ("operator", False)


async def test_step_up_names_the_approval(rig: Rig) -> None:
    """The reviewer first, then the caller."""
    await guard(rig)
    approval = await held(rig)
    entry = next(each for each in await rig.entries() if each.reason == "STEP_UP_REQUIRED")
    found = await remedies(rig, entry.id)
    assert [each.who for each in found] == ["reviewer", "caller"]
    assert all(approval.id in each.text for each in found)


async def test_ceiling_tells_what_is_left(rig: Rig) -> None:
    """Asking for what remains would do, as far as policy agrees."""
    with refused(Reason.CEILING_EXCEEDED) as seen:
        await rig.exchange("bounded", ORDERS, "orders:cancel")
    found = await remedies(rig, seen.metadata["audit_id"])
    assert found[-1].who == "caller"
    assert "ceiling" in found[-1].text


async def test_a_grant_needs_no_remedy(rig: Rig) -> None:
    """Nothing is suggested for what was allowed."""
    assert await remedies(rig, (await rig.exchange("agent", ORDERS)).mandate.audit_id) == ()


DECIDED_BY_POLICY = {Reason.POLICY_DENIED, Reason.STEP_UP_REQUIRED}
NEVER_RECORDED = {
    Reason.FIELD_INVALID,
    Reason.OBJECT_EXISTS,
    Reason.METADATA_TOO_LARGE,
    Reason.AUDIT_UNAVAILABLE,
    Reason.DRAINING,
}


@pytest.mark.parametrize("reason", sorted(set(Reason) - DECIDED_BY_POLICY - NEVER_RECORDED))
def test_every_reason_that_is_recorded_has_a_remedy(reason: Reason) -> None:
    """A new reason without one fails here."""
    assert _ADVICE[reason]


async def test_questions_to_policy_are_bounded(rig: Rig) -> None:
    """LIMIT_EXCEEDED for one application that asks too much at once."""
    audit_id = (await rig.exchange("agent", ORDERS)).mandate.audit_id
    capacity = rig.authority.explaining._asking
    assert rig.operator is not None
    for _ in range(4):
        capacity.take(rig.operator.application)
    with pytest.raises(CaracalError) as refusal:
        await remedies(rig, audit_id)
    assert refusal.value.reason is Reason.LIMIT_EXCEEDED
