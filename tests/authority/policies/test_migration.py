"""Policies that an earlier release kept become versions, each zone's by itself."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.authority.state import places
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Put
from tests.support.refusals import refused
from tests.support.rig import Rig, ledger_down
from tests.support.shop import ORDERS, shop


async def kept(rig: Rig, zone: str, grants: list[dict[str, Any]]) -> None:
    """The zone's policy as format 1 had it, as it is read today."""
    value = {"active": "", "shadow": "", "activations": [], "before": []}
    old = {**value, "unversioned": {"grants": grants, "modules": {}}}
    await rig.state.reached(await rig.store.commit([Put(places.policy_place(zone), old)]))


async def test_one_that_is_refused_now_holds_up_no_other(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """Its zone grants nothing, and is named; the authority starts, and the others grant."""
    await rig.apply(shop(name="mall"))
    good = shop()["policy"]["grants"]
    await kept(rig, "mall", [good[0] | {"scopes": "no list"}])
    await kept(rig, "shop", good)
    await rig.authority._unversioned.migrate()
    await rig.exchange("agent", ORDERS, "orders:place")
    with refused(Reason.NO_ACTIVE_POLICY):
        await rig.exchange("agent", ORDERS, "orders:place", zone="mall")
    said = [each.getMessage() for each in caplog.records if each.name == "caracal.policies"]
    assert [each for each in said if "zone mall grants nothing" in each]


async def test_its_activation_is_recorded_once_there_is_a_ledger(rig: Rig) -> None:
    """The policy decides from then on, so no later start would record it."""
    grants = shop()["policy"]["grants"]
    await kept(rig, "shop", grants)
    await rig.authority._unversioned.migrate()
    await kept(rig, "shop", grants)
    with ledger_down(rig), refused(Reason.AUDIT_UNAVAILABLE):
        await rig.authority._unversioned.migrate()
    await rig.authority._unversioned.migrate()
    await rig.advance(31)
    await rig.authority.debts.settle()
    entries = [each for each in await rig.entries() if each.type == "policy.activate"]
    assert [each.details for each in entries] == 2 * [
        {"why": "the policy that an earlier release kept"}
    ]
