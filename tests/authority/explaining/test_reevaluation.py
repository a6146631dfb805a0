"""A decision asked again: the recorded question of the recorded version."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from caracal_grpc.authority.explaining.explanation import Reevaluation, Wanted
from caracal_grpc.authority.policies.content import Content
from caracal_grpc.core.reason import Reason
from tests.authority.trials.traffic import corp, traffic
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS, rego, shop


async def again(rig: Rig, **target: str) -> Reevaluation:
    """What policy says now."""
    assert rig.operator is not None
    explaining, wanted = rig.authority.explaining, Wanted(reevaluate=True)
    found = await explaining.explain(rig.operator, "shop", wanted, **target)
    assert found.reevaluation is not None
    return found.reevaluation


async def test_every_recorded_decision_holds(rig: Rig) -> None:
    """Allowed, denied and held ones of every kind: the same version says the same."""
    async with corp(rig) as idp:
        await traffic(rig, idp)
        asked = [entry for entry in await rig.entries() if entry.question]
        assert len(asked) > 10
        for entry in asked:
            found = await again(rig, audit_id=entry.id)
            assert (found.holds, found.differences) == (True, ()), entry


async def test_it_is_the_version_that_decided(rig: Rig) -> None:
    """Another one is active since; the decision holds by its own."""
    mandate = (await rig.exchange("agent", ORDERS)).mandate
    await rig.apply(shop(policy=rego('{"decision": "deny"}')))
    with refused(Reason.POLICY_DENIED):
        await rig.exchange("agent", ORDERS)
    assert (await again(rig, jti=mandate.jti)).holds


async def test_the_rule_and_the_data_that_decided_are_named(rig: Rig) -> None:
    """The grant that matched, by what it says."""
    mandate = (await rig.exchange("agent", ORDERS, "orders:place")).mandate
    said = " ".join((await again(rig, jti=mandate.jti)).decided_by)
    assert "grants[0]" in said
    assert "orders:place" in said
    assert "payments:charge" not in said


async def test_a_version_that_says_something_else_is_shown(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was decided and what would be now; here the stored version is another than it was."""
    mandate = (await rig.exchange("agent", ORDERS, "orders:place")).mandate

    async def other(*_: Any) -> Content:
        return Content(modules={"m.rego": 'package caracal.authz\nresult := {"decision": "deny"}'})

    monkeypatch.setattr(rig.authority.explaining._candidates._versions, "load", other)
    found = await again(rig, jti=mandate.jti)
    assert not found.holds
    assert found.differences[0] == "decision: was allow, is deny"


async def test_what_was_never_asked_is_said_to_be_so(rig: Rig) -> None:
    """A refusal before policy was asked has no question."""
    with refused(Reason.CEILING_EXCEEDED) as seen:
        await rig.exchange("bounded", ORDERS, "orders:cancel")
    found = await again(rig, audit_id=seen.metadata["audit_id"])
    assert (found.holds, found.now) == (False, None)
    assert "not in the ledger" in found.differences[0]


async def test_a_version_that_is_gone_is_said_to_be_so(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot be asked any more."""
    mandate = (await rig.exchange("agent", ORDERS)).mandate
    missing = copy.copy(rig.authority.explaining._candidates)

    async def gone(zone: str, version: str) -> Content:
        return await type(missing._versions).load(missing._versions, zone, "sha256:" + "0" * 16)

    monkeypatch.setattr(rig.authority.explaining._candidates._versions, "load", gone)
    found = await again(rig, jti=mandate.jti)
    assert found.now is None
    assert mandate.policy_version in found.differences[0]


async def test_a_held_request_holds_too(rig: Rig) -> None:
    """A step-up is an answer like any other."""
    with refused(Reason.STEP_UP_REQUIRED) as seen:
        await rig.exchange("agent", PAYMENTS, "payments:refund")
    found = await again(rig, audit_id=seen.metadata["audit_id"])
    assert found.holds
    assert found.now is not None
    assert found.now.decision == "step_up"
