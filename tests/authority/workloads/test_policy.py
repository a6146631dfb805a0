"""The peer in policy: who asks is an input to a decision, proven, and part of what was asked."""

from __future__ import annotations

import json
from typing import Any

from caracal_grpc.core.peer import Peer
from caracal_grpc.core.reason import Reason
from tests.authority.workloads.mesh import DOMAIN, THUMBPRINT, WEB, Mesh, certificate
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, rego

NIGHT = f"{DOMAIN}/ns/night/sa/worker"
DAY = f"{DOMAIN}/ns/day/sa/worker"


async def asked(rig: Rig) -> Any:
    """The peer in the question that the newest entry has."""
    return json.loads((await rig.last()).question)["peer"]


def plain(**changes: Any) -> dict[str, Any]:
    """What policy hears of a peer of which little is known."""
    known: dict[str, Any] = {
        "address": "",
        "method": "",
        "spiffe_id": "",
        "dns_names": [],
        "thumbprint": "",
        "kubernetes": None,
    }
    return known | changes


async def test_peer_by_secret(rig: Rig) -> None:
    """Its address, and what its connection shows besides."""
    await rig.exchange("agent", ORDERS, "orders:place", peer=Peer("ipv4:10.0.0.7:1"))
    assert await asked(rig) == plain(address="ipv4:10.0.0.7:1", method="secret")
    peer = Peer("ipv4:10.0.0.7:1", WEB, ("a.test",), THUMBPRINT)
    await rig.exchange("agent", ORDERS, "orders:place", peer=peer)
    shown = {"spiffe_id": WEB, "dns_names": ["a.test"], "thumbprint": THUMBPRINT}
    assert await asked(rig) == plain(address="ipv4:10.0.0.7:1", method="secret", **shown)
    assert (await rig.last()).peer == "ipv4:10.0.0.7:1"


async def test_peer_by_each_kind(mesh: Mesh) -> None:
    """What the kind proves, and how."""
    await mesh.exchange("web", assertion=mesh.svid())
    assert await asked(mesh.rig) == plain(method="jwt_svid", spiffe_id=WEB)
    await mesh.exchange("pod", assertion=mesh.account())
    account = {"issuer": "cluster", "namespace": "shop", "service_account": "pod"}
    assert await asked(mesh.rig) == plain(method="kubernetes", kubernetes=account)
    await mesh.exchange("signer", assertion=mesh.own_assertion(), peer=Peer("ipv4:10.0.0.7:1"))
    assert await asked(mesh.rig) == plain(method="own_key", address="ipv4:10.0.0.7:1")
    await mesh.exchange("web", **certificate(spiffe_id=WEB))
    assert (await asked(mesh.rig))["method"] == "certificate"


def by_night() -> dict[str, Any]:
    """A policy that knows one workload of an application from another."""
    decision = rego('{"decision": "deny"}')
    source = (
        "package caracal.authz\n\n"
        'default result := {"decision": "deny"}\n\n'
        'result := {"decision": "allow"} if input.peer.spiffe_id == '
        f'"{NIGHT}"\n'
    )
    decision["modules"][0]["source"] = source
    return decision


async def test_policy_decides_by_the_peer(mesh: Mesh) -> None:
    """Two workloads of one application may have different rights."""
    await mesh.rig.apply(mesh.zone(policy=by_night()))
    assert await mesh.exchange("any", assertion=mesh.svid(NIGHT))
    with refused(Reason.POLICY_DENIED):
        await mesh.exchange("any", assertion=mesh.svid(DAY))


async def test_nobody_gets_by_a_request_id_what_another_peer_was_granted(mesh: Mesh) -> None:
    """CONFLICT: the same request of another workload is another request."""
    await mesh.rig.apply(mesh.zone(policy=by_night()))
    first = await mesh.exchange("any", assertion=mesh.svid(NIGHT), request_id="r-1")
    again = await mesh.exchange("any", assertion=mesh.svid(NIGHT), request_id="r-1")
    assert again.mandate.jti == first.mandate.jti
    with refused(Reason.CONFLICT):
        await mesh.exchange("any", assertion=mesh.svid(DAY), request_id="r-1")
    with refused(Reason.CONFLICT):
        await mesh.exchange("any", **certificate(spiffe_id=DAY), request_id="r-1")


async def test_simulation_knows_no_peer(mesh: Mesh) -> None:
    """Nobody is at the other end of a question that nobody asks."""
    await mesh.rig.exchange("agent", ORDERS, "orders:place")
    assert await asked(mesh.rig) is None
