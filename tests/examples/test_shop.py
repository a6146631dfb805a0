"""The shop, run by hand as its README says."""

from __future__ import annotations

import json
import sys

import pytest
import yaml

from tests.examples.processes import CLI, SHOP, Run, line
from tests.examples.zone import Zone


def test_applying_the_zone_again_changes_nothing(zone: Zone) -> None:
    """The manifest makes everything once."""
    assert zone.applied["applied"]
    kinds = {each["kind"] for each in zone.applied["changes"]}  # type: ignore[attr-defined]
    assert kinds == {"zone", "application", "resource", "policy"}
    again = json.loads(zone.caracal("apply", "-f", str(SHOP / "zone.yaml"), "--json"))
    assert (again["applied"], again["changes"]) == (False, [])


def test_the_agent_shops_and_is_cut_when_it_is_revoked(zone: Zone) -> None:
    """Both services and the agent do what they say, and stop when they are told to."""
    payments, payments_at = zone.service("payments")
    orders, orders_at = zone.service("orders", SHOP_PAYMENTS=payments_at)
    agent = zone.script("agent", SHOP_ORDERS=orders_at, SHOP_PAYMENTS=payments_at)
    assert [line(agent) for _ in range(2)] == ["for sale  tea, 4.50", "for sale  teapot, 39.00"]
    assert line(agent).startswith("placed    order-")
    assert line(agent).startswith("paid      payment-")
    assert line(agent).startswith("refund    PERMISSION_DENIED POLICY_DENIED")
    assert line(agent) == "tracking  paid"

    profile = json.loads((zone.run.folder / "dev" / "shop-agent.json").read_text())
    zone.caracal("revoke", "--zone", "shop", profile["application_id"])
    said, _ = agent.communicate(timeout=30)
    assert said.splitlines()[-1].startswith("tracking  UNAUTHENTICATED MANDATE_REVOKED")
    assert agent.returncode == 0

    for service in (orders, payments):
        service.terminate()
        _, errors = service.communicate(timeout=30)
        assert (service.returncode, errors) == (0, "")


def test_a_revoked_application_is_followed_by_another_of_its_name(zone: Zone) -> None:
    """The way back that the README of the examples describes."""
    old = zone.run.folder / "dev" / "shop-agent.json"
    revoked = json.loads(old.read_text())["application_id"]
    zone.caracal("revoke", "--zone", "shop", revoked)
    manifest = yaml.safe_load((SHOP / "zone.yaml").read_text())
    manifest["applications"].remove({"name": "agent"})
    grants = manifest["grants"]
    manifest["grants"] = [each for each in grants if "agent" not in str(each)]
    without = zone.run.folder / "without-agent.yaml"
    without.write_text(yaml.safe_dump(manifest))
    zone.caracal("apply", "-f", str(without), "--prune")
    old.rename(old.with_name("shop-agent.old.json"))
    zone.caracal("apply", "-f", str(SHOP / "zone.yaml"))
    assert json.loads(old.read_text())["application_id"] != revoked
    asked = ("resource://orders", "orders:place")
    said = zone.run.run(*CLI, "exchange", *asked, "--json", CARACAL_PROFILE="dev/shop-agent.json")
    assert json.loads(said)["scope"] == "orders:place"


@pytest.mark.parametrize("name", ["payments", "orders", "agent"])
def test_without_a_profile_it_says_so_on_one_line(examples: Run, name: str) -> None:
    """It names the variable, shows no traceback, and serves nothing."""
    process = examples.start(sys.executable, str(SHOP / f"{name}.py"))
    out, errors = process.communicate(timeout=30)
    assert (process.returncode, out, len(errors.splitlines())) == (1, "", 1)
    assert "CARACAL_PROFILE" in errors
