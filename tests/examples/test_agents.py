"""The agents, run by hand as their README says."""

from __future__ import annotations

import json
import sys

from tests.examples.processes import EXAMPLES
from tests.examples.zone import Zone


def test_work_is_handed_on_and_taken_back(zone: Zone) -> None:
    """Each agent does its part and no more; with the run everything that was handed on ends."""
    payments, payments_at = zone.service("payments")
    orders, orders_at = zone.service("orders", SHOP_PAYMENTS=payments_at)
    script = str(EXAMPLES / "agents" / "planner.py")
    profile = {"CARACAL_PROFILE": "dev/shop-agent.json", "SHOP_ORDERS": orders_at}
    said = zone.run.run(sys.executable, script, **profile).splitlines()
    assert said[0].startswith("run       ses_")
    assert said[1].startswith("bought    order-")
    assert said[2] == "tracking  paid"
    assert said[3] == "courier   MANDATE_REVOKED"
    for service in (orders, payments):
        service.terminate()
        assert service.wait(20) == 0


def test_the_ledger_tells_who_acted_for_whom(zone: Zone) -> None:
    """The buyer's order, and the payment for it, are on behalf of the agent."""
    payments, payments_at = zone.service("payments")
    orders, orders_at = zone.service("orders", SHOP_PAYMENTS=payments_at)
    script = str(EXAMPLES / "agents" / "planner.py")
    zone.run.run(
        sys.executable, script, CARACAL_PROFILE="dev/shop-agent.json", SHOP_ORDERS=orders_at
    )
    found = zone.caracal("audit", "search", "--zone", "shop", "--type", "exchange", "--json")
    entries = [each["event"] for each in json.loads(found)["entries"]]
    paid = [each for each in entries if each.get("granted_scopes") == ["payments:charge"]]
    agent = json.loads((zone.run.folder / "dev" / "shop-agent.json").read_text())
    assert [(each["subject"], each["hops"]) for each in paid] == [(agent["application_id"], 2)]
    for service in (orders, payments):
        service.terminate()
        service.wait(20)
