"""Projected tokens of service accounts of Kubernetes, claim by claim."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.workload import KubernetesIdentity
from tests.authority.workloads.mesh import CLUSTER, DOMAIN, ZONE_ISSUER, Mesh, keys
from tests.support.foreign import ForeignSigner
from tests.support.idp import KEYS, identity_provider
from tests.support.refusals import refused

POD = KubernetesIdentity("cluster", "shop", "pod")
ACCOUNT = {"name": "pod", "uid": "u3"}


async def test_service_account_authenticates(mesh: Mesh) -> None:
    """And policy and the ledger hear which it is."""
    client = await mesh.authenticate("pod", assertion=mesh.account())
    assert (client.peer.method, client.peer.kubernetes) == ("kubernetes", POD)
    await mesh.exchange("pod", assertion=mesh.account())
    entry = await mesh.rig.last()
    assert entry.details["kubernetes"] == "cluster/shop/pod"
    assert entry.details["method"] == "kubernetes"


async def test_token_is_good_again(mesh: Mesh) -> None:
    """It is the same file until the kubelet renews it."""
    token = mesh.account()
    assert await mesh.authenticate("pod", assertion=token)
    assert await mesh.authenticate("pod", assertion=token)


async def test_token_of_no_pod(mesh: Mesh) -> None:
    """One that was asked for by hand is of the same account."""
    said = {"namespace": "shop", "serviceaccount": ACCOUNT}
    assert await mesh.authenticate("pod", assertion=mesh.account(**{"kubernetes.io": said}))


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"iss": None}, "MANDATE_MALFORMED"),
        ({"iss": "kubernetes/serviceaccount"}, "ISSUER_MISMATCH"),
        ({"iss": f"{CLUSTER}/"}, "ISSUER_MISMATCH"),
        ({"iss": "https://KUBERNETES.example"}, "ISSUER_MISMATCH"),
        ({"iss": DOMAIN}, "MANDATE_MALFORMED"),
        ({"iss": [CLUSTER]}, "MANDATE_MALFORMED"),
        ({"aud": None}, "AUDIENCE_MISMATCH"),
        ({"aud": []}, "AUDIENCE_MISMATCH"),
        ({"aud": [CLUSTER]}, "AUDIENCE_MISMATCH"),
        ({"aud": ["https://kubernetes.default.svc"]}, "AUDIENCE_MISMATCH"),
        ({"aud": [ZONE_ISSUER, CLUSTER]}, "AUDIENCE_MISMATCH"),
        ({"aud": "https://a.example/zones/mall"}, "AUDIENCE_MISMATCH"),
        ({"exp": None}, "MANDATE_MALFORMED"),
        ({"iat": None}, "MANDATE_MALFORMED"),
        ({"sub": None}, "MANDATE_MALFORMED"),
        ({"sub": "pod"}, "MANDATE_MALFORMED"),
        ({"sub": "system:serviceaccount:shop:other"}, "MANDATE_MALFORMED"),
        ({"sub": "system:serviceaccount:mall:pod"}, "MANDATE_MALFORMED"),
        ({"sub": "system:node:shop:pod"}, "MANDATE_MALFORMED"),
        ({"kubernetes.io": None}, "MANDATE_MALFORMED"),
        ({"kubernetes.io": "shop"}, "MANDATE_MALFORMED"),
        ({"kubernetes.io": []}, "MANDATE_MALFORMED"),
        ({"kubernetes.io": {"namespace": "shop"}}, "MANDATE_MALFORMED"),
        ({"kubernetes.io": {"serviceaccount": ACCOUNT}}, "MANDATE_MALFORMED"),
        (
            {"kubernetes.io": {"namespace": "shop", "serviceaccount": "pod"}},
            "MANDATE_MALFORMED",
        ),
        (
            {"kubernetes.io": {"namespace": ["shop"], "serviceaccount": ACCOUNT}},
            "MANDATE_MALFORMED",
        ),
        (
            {"kubernetes.io": {"namespace": "mall", "serviceaccount": ACCOUNT}},
            "MANDATE_MALFORMED",
        ),
    ],
)
async def test_wrong_claim_is_refused(mesh: Mesh, changes: dict[str, Any], cause: str) -> None:
    """Each, however good the others are."""
    assert await mesh.cause("pod", assertion=mesh.account(**changes)) == cause


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"exp": -LEEWAY}, "MANDATE_EXPIRED"),
        ({"iat": LEEWAY + 1, "nbf": 0}, "MANDATE_NOT_YET_VALID"),
        ({"nbf": LEEWAY + 1}, "MANDATE_NOT_YET_VALID"),
        ({"iat": -600 - LEEWAY - 1}, "MANDATE_LIFETIME_EXCEEDED"),
    ],
)
async def test_wrong_time_is_refused(mesh: Mesh, changes: dict[str, int], cause: str) -> None:
    """Whatever its `exp`, it is no older than the zone lets it be: times are seconds from now."""
    zone = mesh.zone()
    zone["workload_issuers"][1]["max_age_seconds"] = 600
    await mesh.rig.apply(zone)
    now = int(mesh.rig.clock.now())
    token = mesh.account(**{name: now + each for name, each in changes.items()})
    assert await mesh.cause("pod", assertion=token) == cause


async def test_token_of_a_secret_is_refused(mesh: Mesh) -> None:
    """It has no audience, no end, and flat claims: it is of no kind that we know."""
    claims = {
        "iss": "kubernetes/serviceaccount",
        "sub": "system:serviceaccount:shop:pod",
        "kubernetes.io/serviceaccount/namespace": "shop",
        "kubernetes.io/serviceaccount/service-account.name": "pod",
    }
    token = mesh.cluster.token(claims, typ=None)
    assert await mesh.cause("pod", assertion=token) == "MANDATE_MALFORMED"
    assert (await mesh.rig.last()).details["method"] == "assertion"


async def test_account_of_another_cluster_is_another(mesh: Mesh) -> None:
    """Of the same name; each cluster has its own keys."""
    eve = ForeignSigner.generate("RS256", "eve", number=1)
    zone = mesh.zone()
    other = {"name": "eve", "issuer": "https://eve.example", "jwks": keys(eve)}
    zone["workload_issuers"].append(other)
    await mesh.rig.apply(zone)
    own = eve.token(mesh.account_claims(iss="https://eve.example"), typ=None)
    assert await mesh.cause("pod", assertion=own) == ""
    forged = eve.token(mesh.account_claims(), typ=None)
    assert await mesh.cause("pod", assertion=forged) == "KEY_UNKNOWN"


async def test_names_do_not_run_into_each_other(mesh: Mesh) -> None:
    """A colon in one of them makes no other account."""
    said = {"namespace": "shop:pod", "serviceaccount": {"name": "x"}}
    subject = "system:serviceaccount:shop:pod:x"
    token = mesh.account(sub=subject, **{"kubernetes.io": said})
    assert await mesh.cause("pod", assertion=token) == ""


async def test_keys_by_discovery(mesh: Mesh) -> None:
    """As OpenID Connect has it, which clusters have, too."""
    async with identity_provider(mesh.rig.clock.now, mesh.cluster) as cluster:
        await mesh.rig.apply(discovered(mesh, cluster.issuer))
        token = mesh.account(iss=cluster.issuer)
        assert await mesh.authenticate("pod", assertion=token)
        assert (await mesh.authenticate("pod", assertion=token)).peer.kubernetes == POD
        assert cluster.web.count(KEYS) == 1


async def test_keys_that_cannot_be_had(mesh: Mesh) -> None:
    """ISSUER_UNAVAILABLE, and others go on."""
    async with identity_provider(mesh.rig.clock.now) as cluster:
        gone = cluster.issuer
    await mesh.rig.apply(discovered(mesh, gone))
    with refused(Reason.ISSUER_UNAVAILABLE):
        await mesh.exchange("pod", assertion=mesh.account(iss=gone))
    assert await mesh.exchange("web", assertion=mesh.svid())


def discovered(mesh: Mesh, issuer: str) -> dict[str, Any]:
    """The zone, whose cluster tells its keys by discovery."""
    zone = mesh.zone()
    zone["workload_issuers"][1] = {"name": "cluster", "issuer": issuer}
    return zone
