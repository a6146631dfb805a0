"""Client certificates (RFC 8705 section 2), as the connection shows them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.authority.workloads.mesh import DOMAIN, THUMBPRINT, WEB, Mesh, certificate
from tests.support.rig import Rig


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("web", {"spiffe_id": WEB}),
        ("any", {"spiffe_id": f"{DOMAIN}/ns/mall/sa/worker"}),
        ("named", {"dns_names": ("named.shop.example",)}),
        ("named", {"dns_names": ("a.example", "named.shop.example", "b.example")}),
        ("printed", {"thumbprint": THUMBPRINT}),
        ("printed", {"thumbprint": THUMBPRINT, "spiffe_id": WEB, "dns_names": ("x.example",)}),
    ],
)
async def test_certificate_authenticates(mesh: Mesh, name: str, facts: dict[str, Any]) -> None:
    """By the one thing that the application is declared by; the ledger has what was shown."""
    await mesh.exchange(name, **certificate(**facts))
    entry = await mesh.rig.last()
    assert entry.details["method"] == "certificate"
    assert entry.details.get("spiffe_id", "") == facts.get("spiffe_id", "")
    assert entry.details.get("certificate", "") == facts.get("thumbprint", "")
    assert entry.details.get("dns_names", ()) == facts.get("dns_names", ())


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("web", {}),
        ("web", {"spiffe_id": f"{DOMAIN}/ns/shop/sa/web2"}),
        ("web", {"spiffe_id": "spiffe://eve.example/ns/shop/sa/web"}),
        ("web", {"dns_names": (WEB,)}),
        ("web", {"thumbprint": WEB}),
        ("any", {"spiffe_id": f"{DOMAIN}/ns/a/b/sa/worker"}),
        ("any", {"spiffe_id": f"{DOMAIN}/ns/*/sa/worker"}),
        ("named", {"dns_names": ("x.named.shop.example",)}),
        ("named", {"dns_names": ("*.shop.example",)}),
        ("named", {"dns_names": ("shop.example",)}),
        ("named", {"spiffe_id": "spiffe://named.shop.example/x"}),
        ("printed", {"thumbprint": "B" * 42 + "A"}),
        ("printed", {"spiffe_id": WEB}),
        ("agent", {"spiffe_id": WEB, "thumbprint": THUMBPRINT}),
        ("signer", {"spiffe_id": WEB}),
        ("pod", {"spiffe_id": WEB}),
    ],
)
async def test_other_certificates_do_not(mesh: Mesh, name: str, facts: dict[str, Any]) -> None:
    """Nobody is matched by halves, and an application without identities by nothing."""
    assert await mesh.cause(name, **certificate(**facts)) == ""
    assert (await mesh.rig.last()).details["method"] == "certificate"


async def test_certificate_is_no_secret(mesh: Mesh) -> None:
    """Who shows a wrong secret, or an empty one, beside a good certificate is refused."""
    for secret in ("", "guess"):
        assert await mesh.cause("web", secret=secret, **certificate(spiffe_id=WEB)) == ""
        assert (await mesh.rig.last()).details["method"] == "secret"


async def test_empty_assertion_is_an_assertion(mesh: Mesh) -> None:
    """And so refused, whatever certificate is beside it."""
    cause = await mesh.cause("web", assertion="", **certificate(spiffe_id=WEB))
    assert cause == "MANDATE_MALFORMED"


async def test_svid_of_one_on_the_connection_of_another(mesh: Mesh) -> None:
    """What is shown counts, not what carries it: a proxy's certificate is no part of it."""
    other = certificate(spiffe_id=f"{DOMAIN}/ns/mall/sa/worker")
    client = await mesh.authenticate("web", assertion=mesh.svid(), **other)
    assert client.peer.spiffe_id == WEB
    assert await mesh.cause("any", assertion=mesh.svid(), **other) == ""


async def test_identity_that_was_taken_away_authenticates_no_more(mesh: Mesh) -> None:
    """From the next exchange on."""
    await mesh.exchange("web", **certificate(spiffe_id=WEB))
    zone = mesh.zone()
    other = {"name": "web", "identities": [{"spiffe_id": f"{WEB}-2"}]}
    zone["applications"] = [
        other if each["name"] == "web" else each for each in zone["applications"]
    ]
    await mesh.rig.apply(zone)
    assert await mesh.cause("web", **certificate(spiffe_id=WEB)) == ""


async def test_disabled_application_authenticates_no_more(mesh: Mesh) -> None:
    """By whatever it is."""
    await mesh.rig.authority.revocations.revoke(
        mesh.rig.operator, "shop", mesh.application("web"), "bad"
    )
    assert await mesh.cause("web", **certificate(spiffe_id=WEB)) == ""
    assert await mesh.cause("web", assertion=mesh.svid()) == ""


async def test_secret_goes_on(rig: Rig) -> None:
    """On any connection; policy hears of the certificate beside it."""
    peer = certificate(spiffe_id=WEB)
    await rig.exchange("agent", "resource://orders", "orders:place", **peer)
    entry = await rig.last()
    assert (entry.details["method"], entry.details["spiffe_id"]) == ("secret", WEB)
