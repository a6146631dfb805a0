"""What applications authenticate by besides secrets: declared, changed, and of one application."""

from __future__ import annotations

import json
from typing import Any

import pytest

from caracal_grpc.authority.zones.declaration import DeclaredApplication
from caracal_grpc.authority.zones.kinds import APPLICATION, WORKLOAD_ISSUER
from caracal_grpc.core.application import Application
from caracal_grpc.core.limits import MAX_IDENTITIES
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.workload import KubernetesIdentity, WorkloadIdentity
from tests.support.foreign import ForeignSigner
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, shop

WEB = "spiffe://shop.example/ns/shop/sa/web"
ANY_WEB = "spiffe://shop.example/ns/*/sa/web"
CLUSTER = {"name": "cluster", "issuer": "https://k8s.example", "jwks_uri": "https://k8s.example/j"}
ACCOUNT = {"issuer": "cluster", "namespace": "shop", "service_account": "web"}
SIGNER = ForeignSigner.generate("ES256", "one")
JWKS = json.dumps({"keys": [SIGNER.jwk]})


def operator(rig: Rig) -> Mandate:
    """Who does all this."""
    assert rig.operator is not None
    return rig.operator


def with_web(*identities: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The shop with its cluster and an application `web` of these identities."""
    zone = shop(workload_issuers=[CLUSTER])
    zone["applications"].append({"name": "web", "identities": list(identities), **more})
    return zone


def web(rig: Rig) -> Application:
    """The application as it is."""
    return rig.authority.objects.get(operator(rig), "shop", APPLICATION, "web").value


async def test_application_is_made_by_what_it_is(any_rig: Rig) -> None:
    """Without a secret, and without a word of one."""
    rig = any_rig
    zone = with_web({"spiffe_id": ANY_WEB}, {"kubernetes": ACCOUNT}, jwks=JWKS)
    applied = await rig.apply(zone)
    assert ("shop", "web") not in rig.credentials
    assert ("application", "web") in {(each.kind, each.name) for each in applied.changes}
    found = web(rig)
    assert found.identities == (
        WorkloadIdentity(spiffe_id=ANY_WEB),
        WorkloadIdentity(kubernetes=KubernetesIdentity("cluster", "shop", "web")),
    )
    assert (found.jwks, found.credentials, found.apply) == (JWKS, (), "")
    assert (await rig.apply(zone)).changes == ()
    with refused(Reason.CLIENT_AUTH_FAILED):
        await rig.exchange("agent", ORDERS, application=found.id)


async def test_entry_names_who_was_made_without_a_secret(rig: Rig) -> None:
    """By its id, as of any other."""
    wanted = DeclaredApplication("web", identities=(WorkloadIdentity(spiffe_id=WEB),))
    made = await rig.authority.edits.create(operator(rig), "shop", APPLICATION, wanted)
    assert made.edited.change is not None
    assert made.edited.change.credential is None
    assert (await rig.last()).details == {"name": "web", "application": made.found.value.id}


async def test_revoked_application_authenticates_by_nothing(rig: Rig) -> None:
    """Its identities and keys are gone with its secrets, and another one may have them."""
    await rig.apply(with_web({"spiffe_id": WEB}, jwks=JWKS))
    revoked = web(rig)
    await rig.authority.revocations.revoke(operator(rig), "shop", revoked.id, "stolen")
    found = web(rig)
    assert (found.disabled, found.identities, found.jwks) == (True, (), "")
    wanted = DeclaredApplication("api", identities=revoked.identities)
    await rig.authority.edits.create(operator(rig), "shop", APPLICATION, wanted)


async def test_secret_can_be_added_and_taken_away(rig: Rig) -> None:
    """And an application that had a secret first keeps it beside what it is."""
    await rig.apply(with_web({"spiffe_id": WEB}))
    made = await rig.authority.credentials.create(operator(rig), "shop", "web")
    rig.credentials["shop", "web"] = made.credential
    await rig.caller("web")
    assert (await rig.apply(with_web({"spiffe_id": ANY_WEB}))).credentials == ()
    await rig.caller("web")
    applied = await rig.apply(with_web())
    change = next(each for each in applied.changes if each.name == "web")
    assert (change.fields, change.credential) == (("identities",), None)
    await rig.caller("web")


async def test_change_is_told_by_the_names_of_fields(rig: Rig) -> None:
    """Neither an identity nor a key is in an entry of the ledger."""
    await rig.apply(with_web({"spiffe_id": WEB}))

    def change(present: Application) -> DeclaredApplication:
        identity = WorkloadIdentity(dns_name="web.shop.example")
        return DeclaredApplication(present.name, identities=(identity,), jwks=JWKS)

    edits = rig.authority.edits
    changed = await edits.update(operator(rig), "shop", APPLICATION, "web", "", change)
    assert changed.found.value == web(rig)
    entry = await rig.last()
    assert entry.details["fields"] == ("identities", "jwks")
    assert not any(each in str(entry) for each in ("web.shop.example", "kty"))


@pytest.mark.parametrize(
    ("identities", "more", "field"),
    [
        ([{}], {}, "applications[4].identities[0]"),
        ([{"spiffe_id": "spiffe://a/*"}], {}, "applications[4].identities[0].spiffe_id"),
        ([{"spiffe_id": WEB}, {"dns_name": "*"}], {}, "applications[4].identities[1].dns_name"),
        ([{"spiffe_id": WEB}] * 2, {}, "applications[4].identities"),
        (
            [{"dns_name": f"d{i}.example"} for i in range(MAX_IDENTITIES + 1)],
            {},
            "applications[4].identities",
        ),
        (
            [{"kubernetes": ACCOUNT | {"issuer": "ghost"}}],
            {},
            "applications[4].identities[0].kubernetes.issuer",
        ),
        ([], {"jwks": "{}"}, "applications[4].jwks"),
        ([], {"jwks": json.dumps({"keys": [SIGNER.jwk, SIGNER.jwk]})}, "applications[4].jwks"),
    ],
)
async def test_odd_identities_are_refused(
    rig: Rig, identities: list[dict[str, Any]], more: dict[str, Any], field: str
) -> None:
    """FIELD_INVALID names the field, by apply and by edit alike; nothing is made."""
    zone = with_web(*identities, **more)
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.apply(zone)
    assert field in seen.fields
    zone["applications"].pop()
    await rig.apply(zone)
    wanted = DeclaredApplication(
        "web", identities=tuple(map(read, identities)), jwks=more.get("jwks", "")
    )
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.authority.edits.create(operator(rig), "shop", APPLICATION, wanted)
    assert field.replace("applications[4]", "application") in seen.fields


def read(declared: dict[str, Any]) -> WorkloadIdentity:
    """An identity as the declaration has it."""
    account = declared.get("kubernetes")
    texts = {name: each for name, each in declared.items() if name != "kubernetes"}
    return WorkloadIdentity(**texts, kubernetes=KubernetesIdentity(**account) if account else None)


TWICE = [
    ({"spiffe_id": WEB}, {"spiffe_id": WEB}),
    ({"spiffe_id": WEB}, {"spiffe_id": ANY_WEB}),
    ({"spiffe_id": "spiffe://shop.example/ns/shop/sa/*"}, {"spiffe_id": ANY_WEB}),
    ({"spiffe_id": "spiffe://shop.example/*/shop/*/web"}, {"spiffe_id": ANY_WEB}),
    ({"dns_name": "web.example"}, {"dns_name": "web.example"}),
    ({"kubernetes": ACCOUNT}, {"kubernetes": ACCOUNT}),
    ({"certificate_thumbprint": "A" * 43}, {"certificate_thumbprint": "A" * 43}),
]
APART = [
    ({"spiffe_id": WEB}, {"spiffe_id": f"{WEB}2"}),
    ({"spiffe_id": ANY_WEB}, {"spiffe_id": "spiffe://shop.example/ns/*/sa/api"}),
    ({"spiffe_id": ANY_WEB}, {"spiffe_id": "spiffe://mall.example/ns/*/sa/web"}),
    ({"spiffe_id": ANY_WEB}, {"spiffe_id": "spiffe://shop.example/ns/a/sa/web/x"}),
    ({"kubernetes": ACCOUNT}, {"kubernetes": ACCOUNT | {"namespace": "mall"}}),
    ({"dns_name": "web.example"}, {"dns_name": "api.example"}),
]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("one", "other"), TWICE)
async def test_what_one_is_another_cannot_be(
    rig: Rig, one: dict[str, Any], other: dict[str, Any], turned: bool
) -> None:
    """Declared together, beside what stays, and one by one; whoever comes first."""
    first, second = (other, one) if turned else (one, other)
    zone = with_web(first)
    zone["applications"].append({"name": "api", "identities": [second]})
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.apply(zone)
    assert [each[:26] for each in seen.fields] in (
        ["applications[5].identities"],
        ["applications[4].identities"],
    )
    await rig.apply(with_web(first))
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.apply({"name": "shop", "applications": zone["applications"][5:]}, prune=False)
    assert seen.fields == ["applications[0].identities[0]"]
    assert "application web can be as well" in seen.error.violations[0].description
    wanted = DeclaredApplication("api", identities=(read(second),))
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.authority.edits.create(operator(rig), "shop", APPLICATION, wanted)
    assert seen.fields == ["application.identities[0]"]


@pytest.mark.parametrize(("one", "other"), APART)
async def test_what_nobody_can_be_both_of_is_taken(
    rig: Rig, one: dict[str, Any], other: dict[str, Any]
) -> None:
    """By apply, and again when each is written anew by itself."""
    zone = with_web(one)
    zone["applications"].append({"name": "api", "identities": [other]})
    await rig.apply(zone)
    assert (await rig.apply(zone)).changes == ()

    def same(present: Application) -> DeclaredApplication:
        return DeclaredApplication(present.name, ("new",), identities=present.identities)

    for name in ("web", "api"):
        await rig.authority.edits.update(operator(rig), "shop", APPLICATION, name, "", same)


async def test_identities_of_one_application_may_overlap(rig: Rig) -> None:
    """It is the same application whichever is shown, and those of another are told from both."""
    zone = with_web({"spiffe_id": ANY_WEB}, {"spiffe_id": WEB})
    await rig.apply(zone)
    zone["applications"].append({"name": "api", "identities": [{"spiffe_id": WEB}]})
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.apply(zone)
    assert set(seen.fields) == {"applications[5].identities[0]"}


async def test_identity_moves_from_one_application_to_another(rig: Rig) -> None:
    """In one apply, which takes it from the one and gives it to the other."""
    await rig.apply(with_web({"spiffe_id": WEB}))
    zone = with_web({"spiffe_id": f"{WEB}2"})
    zone["applications"].append({"name": "api", "identities": [{"spiffe_id": WEB}]})
    await rig.apply(zone)
    zone["applications"] = [each for each in zone["applications"] if each["name"] != "web"]
    zone["applications"][-1]["identities"] = [{"spiffe_id": f"{WEB}2"}]
    await rig.apply(zone, prune=True)


async def test_cluster_that_an_identity_names_stays(rig: Rig) -> None:
    """FIELD_INVALID names the identity; when it is gone the cluster may go."""
    await rig.apply(with_web({"kubernetes": ACCOUNT}))
    edits = rig.authority.edits
    with refused(Reason.FIELD_INVALID) as seen:
        await edits.delete(operator(rig), "shop", WORKLOAD_ISSUER, "cluster", "")
    path = "present.applications.web.identities[0].kubernetes.issuer"
    assert seen.fields == [path]
    zone = with_web({"kubernetes": ACCOUNT})
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.apply(zone | {"workload_issuers": []})
    assert "applications[4].identities[0].kubernetes.issuer" in seen.fields
    await edits.delete(operator(rig), "shop", APPLICATION, "web", "")
    await edits.delete(operator(rig), "shop", WORKLOAD_ISSUER, "cluster", "")
    assert rig.state.workload_issuers("shop") == []


async def test_secret_of_an_apply_that_broke_off_is_not_made_for_who_needs_none(rig: Rig) -> None:
    """The secret that nobody was answered is gone; the one that comes after is asked for."""

    def fail(_: object) -> None:
        raise OSError("the disk is full")

    zone = with_web()
    with pytest.raises(OSError, match="disk"):
        await rig.apply(zone, deliver=fail)
    assert len(web(rig).credentials) == 1
    zone["applications"][-1]["identities"] = [{"spiffe_id": WEB}]
    applied = await rig.apply(zone)
    assert [each.application.name for each in applied.credentials] == []
    assert (web(rig).credentials, web(rig).apply) == ((), "")
