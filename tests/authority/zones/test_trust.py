"""Whom a zone believes and whom it tells: declared, changed, removed; refused when it is odd."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.webhook import Webhook
from caracal_grpc.core.zone import MayAct
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, shop

IDP = {"name": "corp", "issuer": "https://idp.example", "audience": "shop"}
HOOK = {"name": "desk", "url": "https://desk.example/hook"}
KEYS = "https://keys.example/jwks"
MESH = {"name": "mesh", "issuer": "spiffe://shop.example", "jwks_uri": KEYS}
CLUSTER = {"name": "cluster", "issuer": "https://k8s.example"}


async def test_issuers_proof_systems_and_webhooks_are_declared(any_rig: Rig) -> None:
    """Each is a record by its name, with the defaults filled in."""
    rig = any_rig
    await rig.apply(shop(issuers=[IDP], proof_systems=[IDP], webhooks=[HOOK]))
    expected = TrustedIssuer("corp", "https://idp.example", "shop", max_age=600)
    assert rig.state.issuers("shop") == rig.state.proof_systems("shop") == [expected]
    assert rig.state.webhooks("shop") == [Webhook("desk", "https://desk.example/hook")]


async def test_what_is_no_longer_declared_is_removed(rig: Rig) -> None:
    """And what differs is changed, with the names of the fields alone."""
    await rig.apply(shop(issuers=[IDP], webhooks=[HOOK]))
    applied = await rig.apply(shop(issuers=[IDP | {"audience": "mall"}]))
    changed = {(each.action, each.kind, each.name, each.fields) for each in applied.changes}
    assert changed == {
        ("update", "issuer", "corp", ("audience",)),
        ("delete", "webhook", "desk", ()),
    }
    assert rig.state.webhooks("shop") == []


async def test_workload_issuers_are_trust_domains_and_clusters(any_rig: Rig) -> None:
    """For the zone's issuer URL, said or not; a token may be as old as a kubelet lets it get."""
    rig = any_rig
    await rig.apply(shop())
    own = rig.state.zone("shop").issuer
    await rig.apply(shop(workload_issuers=[MESH, CLUSTER | {"audience": own}]))
    assert rig.state.workload_issuers("shop") == [
        TrustedIssuer("cluster", "https://k8s.example", own, max_age=3_600),
        TrustedIssuer("mesh", "spiffe://shop.example", "", jwks_uri=KEYS, max_age=3_600),
    ]
    applied = await rig.apply(shop(workload_issuers=[MESH | {"max_age_seconds": 60}]))
    changed = {(each.action, each.kind, each.name, each.fields) for each in applied.changes}
    assert changed == {
        ("update", "workload_issuer", "mesh", ("max_age",)),
        ("delete", "workload_issuer", "cluster", ()),
    }


async def test_two_workload_issuers_are_not_one(rig: Rig) -> None:
    """Of a name, or of an issuer: else a token would say two things."""
    for other in ({"name": "mesh", "issuer": "https://b.example"}, MESH | {"name": "other"}):
        with refused(Reason.FIELD_INVALID):
            await rig.apply(shop(workload_issuers=[MESH, other]))


@pytest.mark.parametrize(
    ("part", "changes", "field"),
    [
        ("issuers", {"name": "Corp"}, "issuers[0].name"),
        ("issuers", {"issuer": "spiffe://shop.example"}, "issuers[0].issuer"),
        ("workload_issuers", {"name": "Mesh"}, "workload_issuers[0].name"),
        ("workload_issuers", {"issuer": "spiffe://Shop"}, "workload_issuers[0].issuer"),
        ("workload_issuers", {"issuer": "spiffe://shop/web"}, "workload_issuers[0].issuer"),
        ("workload_issuers", {"issuer": "spiffe:shop"}, "workload_issuers[0].issuer"),
        ("workload_issuers", {"issuer": "http://k8s.example"}, "workload_issuers[0].issuer"),
        ("workload_issuers", {"audience": "shop"}, "workload_issuers[0].audience"),
        ("workload_issuers", {"jwks_uri": ""}, "workload_issuers[0].jwks"),
        ("workload_issuers", {"jwks_uri": "", "jwks": "{}"}, "workload_issuers[0].jwks"),
        ("workload_issuers", {"jwks_uri": "file:///keys"}, "workload_issuers[0].jwks_uri"),
        ("workload_issuers", {"algorithms": ["HS256"]}, "workload_issuers[0].algorithms"),
        ("workload_issuers", {"max_age_seconds": 86_401}, "workload_issuers[0].max_age_seconds"),
        ("issuers", {"issuer": "http://idp.example"}, "issuers[0].issuer"),
        ("issuers", {"issuer": "https://me:pw@idp.example"}, "issuers[0].issuer"),
        ("issuers", {"issuer": "ldap://idp.example"}, "issuers[0].issuer"),
        ("issuers", {"issuer": "https://[idp"}, "issuers[0].issuer"),
        ("issuers", {"audience": ""}, "issuers[0].audience"),
        ("issuers", {"jwks_uri": "https://a.example", "jwks": "{}"}, "issuers[0].jwks"),
        ("issuers", {"jwks_uri": "file:///etc/keys"}, "issuers[0].jwks_uri"),
        ("issuers", {"jwks": " " * 65_537}, "issuers[0].jwks"),
        ("issuers", {"jwks": "no json"}, "issuers[0].jwks"),
        ("issuers", {"jwks": '{"keys": []}'}, "issuers[0].jwks"),
        ("issuers", {"algorithms": ["none"]}, "issuers[0].algorithms"),
        ("issuers", {"algorithms": ["HS256"]}, "issuers[0].algorithms"),
        ("issuers", {"max_age_seconds": 86_401}, "issuers[0].max_age_seconds"),
        ("proof_systems", {"algorithms": ["HS256"]}, "proof_systems[0].algorithms"),
        ("webhooks", {"url": "http://desk.example"}, "webhooks[0].url"),
        ("webhooks", {"url": "https://desk.example/#part"}, "webhooks[0].url"),
    ],
)
async def test_odd_trust_is_refused(
    rig: Rig, part: str, changes: dict[str, Any], field: str
) -> None:
    """FIELD_INVALID names the field; nothing is written."""
    declared = {"webhooks": HOOK, "workload_issuers": MESH}.get(part, IDP) | changes
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.apply(shop(**{part: [declared]}))
    assert field in seen.fields
    assert rig.state.issuers("shop") == rig.state.workload_issuers("shop") == []


async def test_two_of_a_name_are_refused(rig: Rig) -> None:
    """And two names for one issuer, since its users would be two people."""
    for twice in ([IDP, IDP | {"issuer": "https://b.example"}], [IDP, IDP | {"name": "other"}]):
        with refused(Reason.FIELD_INVALID):
            await rig.apply(shop(issuers=twice))


def granting(**members: Any) -> dict[str, Any]:
    """The shop with one grant."""
    grant = {"application": "agent", "resource": ORDERS, "scopes": ["orders:place"]}
    return shop(issuers=[IDP], policy={"grants": [grant | members]})


@pytest.mark.parametrize(
    ("grant", "field"),
    [
        ({"users": ["nobody/alice"]}, "policy.grants[0].users"),
        ({"subjects": ["corp/alice"]}, "policy.grants[0].subjects"),
        ({"approval": {"reviews": 1}}, "policy.grants[0].approval"),
        (
            {"step_up": ["orders:place"], "approval": {"proof_system": "vault"}},
            "policy.grants[0].approval.proof_system",
        ),
        (
            {"step_up": ["orders:place"], "approval": {"reviewers": ["ghost"]}},
            "policy.grants[0].approval.reviewers",
        ),
        (
            {"step_up": ["orders:place"], "approval": {"reviews": 2, "reviewers": ["orders"]}},
            "policy.grants[0].approval.reviewers",
        ),
        (
            {"step_up": ["orders:place"], "approval": {"ttl_seconds": 59}},
            "policy.grants[0].approval.ttl_seconds",
        ),
    ],
)
async def test_grant_that_leads_nowhere_is_refused(
    rig: Rig, grant: dict[str, Any], field: str
) -> None:
    """A name that nobody has, an approval of nothing, reviewers that cannot be enough."""
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.apply(granting(**grant))
    assert seen.fields == [field]


async def test_who_may_act_is_declared_with_the_resource(rig: Rig) -> None:
    """Actors are applications; subjects are applications, users or anyone."""
    zone = shop(issuers=[IDP])
    zone["resources"][0]["may_act"] = [{"actor": "orders", "subjects": ["agent", "corp/*"]}]
    await rig.apply(zone)
    found = rig.state.resource("shop", ORDERS)
    assert found is not None
    assert found.may_act == (MayAct("orders", ("agent", "corp/*")),)
    for odd in ({"actor": "ghost", "subjects": ["*"]}, {"actor": "orders", "subjects": []}):
        zone["resources"][0]["may_act"] = [odd]
        with refused(Reason.FIELD_INVALID):
            await rig.apply(zone)


async def test_zone_remembers_for_how_long_hidden_mandates_may_live(rig: Rig) -> None:
    """From hiding to showing, as long as a revocation is remembered."""
    await rig.apply(shop(settings={"chain_visibility": "CHAIN_VISIBILITY_HASHED"}))
    hiding = rig.state.zone("shop")
    assert (hiding.chain_visibility, hiding.hidden_until) == ("hashed", 0)
    await rig.apply(shop())
    shown = rig.state.zone("shop")
    assert shown.chain_visibility == "full"
    assert shown.hidden_until > rig.clock.now() + 3600
