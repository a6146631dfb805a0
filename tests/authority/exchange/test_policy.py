"""What the exchange makes of an answer of policy: nothing that policy did not say."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.core.limits import AUTHORITY_OWN_SCOPES
from caracal_grpc.core.reason import Reason
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import CARACAL, ORDERS, PAYMENTS, rego, shop

SUBSET = """package caracal.authz

default result := {"decision": "deny"}

result := {"decision": "allow"%s} if {
	every scope in input.requested_scopes { scope in {"orders:place", "caracal:feed:watch"} }
}
"""
REACHABLE = """package caracal.authz

result := {
	"decision": "allow",
	"scopes": [scope | some scope in input.resource.scopes; not endswith(scope, ":write")],
}
"""
AUDIT, ADMIN = "caracal:audit:read", "caracal:sessions:admin"


def modules(source: str) -> dict[str, Any]:
    """A policy of one module."""
    return {"modules": [{"name": "own.rego", "source": source}]}


def bounded(resource: str, kept: list[str], *grants: dict[str, Any]) -> dict[str, Any]:
    """The shop with the application `low`, whose ceiling is `kept` on `resource`."""
    zone = shop(policy={"grants": [{"application": "low", **grant} for grant in grants]})
    ceiling = [{"resource": resource, "scopes": kept}]
    zone["applications"].append({"name": "low", "ceiling": ceiling})
    return zone


@pytest.mark.parametrize(
    "decision",
    [
        '{"decision": "allow"} { input.nothing }',
        '{"decision": "maybe"}',
        '{"decision": "allow", "extra": 1}',
        '{"decision": "allow", "ttl_seconds": -1}',
        "true",
    ],
)
async def test_policy_that_does_not_decide_grants_nothing(rig: Rig, decision: str) -> None:
    """POLICY_FAILED for undefined and for malformed results alike."""
    policy = rego("{}")
    source = "package caracal.authz\n\nresult := " + decision + "\n"
    if "input.nothing" in decision:
        source = 'package caracal.authz\n\nresult := {"decision": "allow"} if { input.nothing }\n'
    policy["modules"][0]["source"] = source
    await rig.apply(shop(policy=policy))
    with refused(Reason.POLICY_FAILED) as seen:
        await rig.exchange("agent", ORDERS, "orders:place")
    entry = await rig.last()
    assert (entry.id, entry.reason) == (seen.metadata["audit_id"], "POLICY_FAILED")


async def test_many_reasons_of_a_policy_fit_into_the_ledger(rig: Rig) -> None:
    """A talkative policy is cut short in the entry, and decides all the same."""
    reasons = ", ".join(f'"r{number}"' for number in range(200))
    await rig.apply(shop(policy=rego(f'{{"decision": "deny", "reasons": [{reasons}]}}')))
    with refused(Reason.POLICY_DENIED) as seen:
        await rig.exchange("agent", ORDERS, "orders:place")
    entry = await rig.last()
    assert (entry.id, len(entry.policy_reasons)) == (seen.metadata["audit_id"], 128)


async def test_policy_cannot_widen(rig: Rig) -> None:
    """Scopes of the policy's answer that nobody asked for are not granted."""
    answer = '{"decision": "allow", "scopes": ["orders:cancel", "orders:place", "root"]}'
    await rig.apply(shop(policy=rego(answer)))
    issued = await rig.exchange("agent", ORDERS, "orders:place")
    assert issued.mandate.scopes == {"orders:place"}


async def test_allowance_without_any_scope_is_a_denial(rig: Rig) -> None:
    """A mandate always carries a scope."""
    await rig.apply(shop(policy=rego('{"decision": "allow", "scopes": []}')))
    with refused(Reason.POLICY_DENIED) as seen:
        await rig.exchange("agent", ORDERS, "orders:place")
    assert (await rig.last()).id == seen.metadata["audit_id"]


@pytest.mark.parametrize("resource", [ORDERS, CARACAL])
async def test_allowance_of_nothing_named_must_say_its_scopes(rig: Rig, resource: str) -> None:
    """POLICY_FAILED, recorded: a look through no requested scopes is not a look at all of them."""
    await rig.apply(shop(policy=modules(SUBSET % "")))
    with refused(Reason.POLICY_FAILED) as seen:
        await rig.exchange("agent", resource)
    assert "must list them as scopes" in str(seen.error)
    assert (await rig.last()).id == seen.metadata["audit_id"]
    with refused(Reason.POLICY_DENIED):
        await rig.exchange("agent", ORDERS, "orders:cancel")
    assert (await rig.exchange("agent", ORDERS, "orders:place")).mandate.scopes == {"orders:place"}


async def test_what_was_requested_is_nothing_when_nothing_was(rig: Rig) -> None:
    """POLICY_DENIED for a policy that gives back the empty list that it was asked for."""
    await rig.apply(shop(policy=modules(SUBSET % ', "scopes": input.requested_scopes')))
    with refused(Reason.POLICY_DENIED):
        await rig.exchange("agent", ORDERS)
    await rig.exchange("agent", ORDERS, "orders:place")


async def test_rego_hears_only_of_scopes_in_reach(rig: Rig) -> None:
    """What the ceiling takes away is not among the scopes of the resource, named or not."""
    zone = bounded(CARACAL, [AUDIT])
    await rig.apply(zone | {"policy": modules(REACHABLE)})
    issued = await rig.exchange("low", CARACAL)
    assert issued.mandate.scopes == {*AUTHORITY_OWN_SCOPES, AUDIT}
    held = await rig.exchange("bounded", ORDERS)
    assert held.mandate.scopes == {"orders:place"}
    counting = '{"decision": "allow", "ttl_seconds": 10 * count(input.resource.scopes)}'
    await rig.apply(shop(policy=rego(counting)))
    named = (await rig.exchange("bounded", ORDERS, "orders:place")).mandate
    assert named.expires_at - named.issued_at == 10


@pytest.mark.parametrize(
    ("resource", "kept", "excluded", "granted"),
    [
        (PAYMENTS, "payments:charge", "payments:refund", {"payments:charge"}),
        (CARACAL, AUDIT, ADMIN, {AUDIT, *AUTHORITY_OWN_SCOPES}),
    ],
)
async def test_grant_above_the_ceiling_has_no_say(
    rig: Rig, resource: str, kept: str, excluded: str, granted: set[str]
) -> None:
    """Neither the step-up nor the life of a scope that the ceiling takes away counts."""
    held = {"scopes": [excluded], "step_up": [excluded], "ttl_seconds": 30}
    grants = [{"resource": resource, **each} for each in ({"scopes": [kept]}, held)]
    await rig.apply(bounded(resource, [kept], *grants))
    mandate = (await rig.exchange("low", resource)).mandate
    assert mandate.scopes == granted
    assert mandate.expires_at - mandate.issued_at == 300


async def test_subject_token_bounds_what_policy_hears_of(rig: Rig) -> None:
    """On the subject's own resource only what its mandate has is in reach."""
    zone = shop()
    zone["policy"]["grants"][3]["step_up"] = ["orders:cancel"]
    await rig.apply(zone)
    first = await rig.exchange("agent", ORDERS, "orders:place")
    second = await rig.exchange("orders", ORDERS, subject_token=first.token)
    assert second.mandate.scopes == {"orders:place"}


@pytest.mark.parametrize("asked", [(), ("orders:place",)])
async def test_allowance_with_obligations_is_none(rig: Rig, asked: tuple[str, ...]) -> None:
    """POLICY_FAILED: nothing carries them, and who cannot honour one must not act on the allow."""
    obliged = '{"decision": "allow", "scopes": ["orders:place"], "obligations": [%s]}'
    await rig.apply(shop(policy=rego(obliged % '"notify"')))
    with refused(Reason.POLICY_FAILED) as seen:
        await rig.exchange("agent", ORDERS, *asked)
    assert "obligations" in str(seen.error)
    await rig.apply(shop(policy=rego(obliged % "")))
    await rig.exchange("agent", ORDERS, *asked)


async def test_denial_with_obligations_is_a_denial(rig: Rig) -> None:
    """Without a mandate there is nothing that an obligation could be missing from."""
    await rig.apply(shop(policy=rego('{"decision": "deny", "obligations": ["notify"]}')))
    with refused(Reason.POLICY_DENIED):
        await rig.exchange("agent", ORDERS, "orders:place")
