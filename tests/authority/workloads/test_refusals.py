"""Refusals of clients: one text, whatever was wrong, recorded, limited."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.authority.state.bucket import Bucket, Buckets
from caracal_grpc.authority.workloads.proof import Proof
from caracal_grpc.core.peer import Peer
from caracal_grpc.core.reason import Reason
from tests.authority.workloads.mesh import DOMAIN, WEB, Mesh, certificate, require_silent
from tests.support.idp import KEYS, identity_provider
from tests.support.refusals import refused
from tests.support.shop import ORDERS

NOBODY = "app_01h455vb4pex5vsknk084sn02q"
WAYS = ("secret", "own_key", "jwt_svid", "kubernetes", "certificate", "assertion")


def shown(mesh: Mesh) -> dict[str, dict[str, Any]]:
    """One thing of each kind."""
    return {
        "secret": {"secret": "guess"},
        "own_key": {"assertion": mesh.own_assertion()},
        "jwt_svid": {"assertion": mesh.svid()},
        "kubernetes": {"assertion": mesh.account()},
        "certificate": certificate(spiffe_id=WEB),
        "assertion": {"assertion": "a.b.c"},
    }


@pytest.mark.parametrize("method", WAYS)
async def test_nobody_can_be_told_from_another(mesh: Mesh, method: str) -> None:
    """Unknown application, one of another zone, disabled, and simply not the one: all the same."""
    await mesh.rig.authority.revocations.revoke(
        mesh.rig.operator, "shop", mesh.application("stranger"), "bad"
    )
    others = (NOBODY, mesh.application("operator", "caracal"), mesh.application("stranger"))
    for application in (*others, mesh.application("agent")):
        request = mesh.rig.request("agent", ORDERS)
        proof = {"secret": None, **shown(mesh)[method]}
        with refused(Reason.CLIENT_AUTH_FAILED) as seen:
            await mesh.rig.authority.exchange.issue(
                request_of(request, application=application, **proof)
            )
        require_silent(seen)
        entry = await mesh.rig.last()
        assert (entry.type, entry.decision, entry.details["method"]) == ("exchange", "deny", method)
        assert entry.application == ""


async def test_unknown_zone_has_no_ledger(mesh: Mesh) -> None:
    """So that nothing is recorded, whatever was shown."""
    for method, proof in shown(mesh).items():
        request = mesh.rig.request("agent", ORDERS)
        asked = request_of(request, zone="nowhere", **{"secret": None, **proof})
        with refused(Reason.CLIENT_AUTH_FAILED) as seen:
            await mesh.rig.authority.exchange.issue(asked)
        assert seen.metadata == {}, method


def request_of(request: Any, **changes: Any) -> Any:
    """A request with changes."""
    return replace(request, **changes)


async def test_revoked_application_keeps_nothing_to_authenticate_by(mesh: Mesh) -> None:
    """So that what it was is free for the application that takes its place."""
    for name in ("web", "signer"):
        await mesh.rig.authority.revocations.revoke(
            mesh.rig.operator, "shop", mesh.application(name), "bad"
        )
        found = mesh.rig.state.application("shop", mesh.application(name))
        assert found is not None
        assert (found.credentials, found.identities, found.jwks) == ((), (), "")


async def test_unclear_peer_authenticates_by_nothing(mesh: Mesh) -> None:
    """Not even by a good secret: who knows what is between."""
    unclear = {"peer": Peer("ipv4:10.0.0.7:1", unclear=True)}
    secret = mesh.rig.credentials["shop", "agent"].secret
    await mesh.cause("agent", secret=secret, **unclear)
    await mesh.cause("web", assertion=mesh.svid(), **unclear)
    await mesh.cause("signer", assertion=mesh.own_assertion(), **unclear)
    await mesh.cause("web", **unclear)
    assert await mesh.exchange("signer", assertion=mesh.own_assertion())


def few(mesh: Mesh, burst: int) -> None:
    """Lets so many authentications of a zone fail at once."""
    mesh.rig.authority.clients._failures = Buckets(lambda: Bucket(mesh.rig.clock, 1, burst, "many"))


@pytest.mark.parametrize("way", [*WAYS, "both", "unclear", "unknown issuer", "replayed"])
async def test_every_way_to_fail_counts(mesh: Mesh, way: str) -> None:
    """One failure is one of those that a zone may have, however it came about."""
    used = {"assertion": mesh.own_assertion()}
    await mesh.exchange("signer", **used)
    ways = shown(mesh) | {
        "both": {"secret": "guess", "assertion": mesh.svid()},
        "unclear": {"peer": Peer("ipv4:10.0.0.7:1", unclear=True)},
        "unknown issuer": {"assertion": mesh.svid("spiffe://other.example/x")},
        "replayed": used,
    }
    name = "signer" if way == "replayed" else "named"
    few(mesh, 1)
    await mesh.cause(name, **ways[way])
    before = len(await mesh.rig.entries())
    with refused(Reason.RATE_LIMITED):
        await mesh.exchange(name, **ways[way])
    assert len(await mesh.rig.entries()) == before


async def test_issuer_without_keys_locks_nobody_out(mesh: Mesh) -> None:
    """What fails for want of its keys counts, as each is an entry; who authenticates never does."""
    async with identity_provider(mesh.rig.clock.now) as gone:
        url = f"{gone.web.url}{KEYS}"
    zone = mesh.zone()
    zone["workload_issuers"].append(
        {"name": "gone", "issuer": "spiffe://gone.example", "jwks_uri": url}
    )
    await mesh.rig.apply(zone)
    few(mesh, 2)
    flood = {"assertion": mesh.svid("spiffe://gone.example/ns/shop/sa/web")}
    for _ in range(2):
        with refused(Reason.ISSUER_UNAVAILABLE):
            await mesh.exchange("web", **flood)
    before = len(await mesh.rig.entries())
    for _ in range(3):
        with refused(Reason.RATE_LIMITED):
            await mesh.exchange("web", **flood)
    assert len(await mesh.rig.entries()) == before
    for name, good in {
        "agent": {"secret": mesh.rig.credentials["shop", "agent"].secret},
        "signer": {"assertion": mesh.own_assertion()},
        "web": {"assertion": mesh.svid()},
        "pod": {"assertion": mesh.account()},
        "any": certificate(spiffe_id=f"{DOMAIN}/ns/shop/sa/worker"),
    }.items():
        assert await mesh.exchange(name, **good)


async def test_failures_of_every_kind_are_limited_together(mesh: Mesh) -> None:
    """RATE_LIMITED, of which nothing is recorded; who authenticates is not held up by it."""
    few(mesh, 2)
    bad = {"assertion": mesh.svid(aud="https://other.example")}
    await mesh.cause("web", **bad)
    await mesh.cause("web", **certificate(spiffe_id=f"{WEB}2"))
    before = len(await mesh.rig.entries())
    with refused(Reason.RATE_LIMITED):
        await mesh.exchange("web", **bad)
    assert len(await mesh.rig.entries()) == before
    assert await mesh.exchange("web", assertion=mesh.svid())


async def test_what_is_shown_is_kept_nowhere(mesh: Mesh, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in an entry nor in the store, a log line or what is printed of a request."""
    caplog.set_level(logging.DEBUG)
    tokens = [mesh.own_assertion(), mesh.svid(), mesh.account()]
    for name, token in zip(("signer", "web", "pod"), tokens, strict=True):
        await mesh.exchange(name, assertion=token)
        await mesh.cause("named", assertion=token)
    kept = [str(entry) for entry in await mesh.rig.entries()]
    kept += [str(record) for record in (await mesh.rig.store.list()).records]
    kept += [caplog.text, repr(mesh.rig.request("agent", ORDERS, assertion=tokens[0]))]
    kept.append(repr(mesh.rig.request("agent", ORDERS, assertion=tokens[0]).proof))
    signatures = [token.rpartition(".")[2] for token in tokens]
    assert [text for text in kept if any(each in text for each in signatures)] == []


async def test_refusal_of_what_is_no_exchange_is_recorded(mesh: Mesh) -> None:
    """Under its own type, with the method and the cause, and never what was shown."""
    clients = mesh.rig.authority.clients
    bad = mesh.svid(aud="https://other.example")
    peer = Peer("ipv4:10.0.0.7:1", dns_names=("a.test",))
    with refused(Reason.CLIENT_AUTH_FAILED) as seen:
        await clients.admit(
            "shop", mesh.application("web"), Proof(assertion=bad, peer=peer), "token.introspect"
        )
    require_silent(seen)
    entry = await mesh.rig.last()
    assert (entry.id, entry.type) == (seen.metadata["audit_id"], "token.introspect")
    assert (entry.decision, entry.reason) == ("deny", "CLIENT_AUTH_FAILED")
    assert entry.peer == peer.address
    assert entry.details == {
        "method": "jwt_svid",
        "proof_cause": "AUDIENCE_MISMATCH",
        "dns_names": ("a.test",),
    }
    with refused(Reason.CLIENT_AUTH_FAILED) as seen:
        await clients.admit("nowhere", NOBODY, Proof(secret="x"), "token.introspect")
    assert seen.metadata == {}
    good = Proof(assertion=mesh.svid())
    assert await clients.admit("shop", mesh.application("web"), good, "token.introspect")
    assert (await mesh.rig.last()).id == entry.id
