"""Peers: what a certificate proves, and what a proxy may say in the place of one."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from caracal_grpc.authority.workloads.peers import MAX_NAMES, Peers
from caracal_grpc.core.peer import Peer
from caracal_grpc.crypto import base64url
from caracal_grpc.crypto.thumbprint import x5t_s256
from tests.support.clock import FakeClock

ADDRESS = "ipv4:10.0.0.7:4711"
WEB = "spiffe://mesh.example/ns/shop/sa/web"
PROXY = "spiffe://mesh.example/ns/edge/sa/gate"
EVE = "spiffe://mesh.example/ns/eve/sa/eve"
DIGEST = bytes(range(32))
SAID = f"Hash={DIGEST.hex()};URI={WEB};DNS=web.test"

URI = x509.UniformResourceIdentifier
DNS = x509.DNSName


def certificate(
    *names: x509.GeneralName, begins: float = -3600, ends: float = 3600, ca: bool | None = None
) -> bytes:
    """A certificate with these names, good between two times: seconds from the clock's now."""
    key, now = ec.generate_private_key(ec.SECP256R1()), FakeClock().now()
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.fromtimestamp(now, UTC) + timedelta(seconds=begins))
        .not_valid_after(datetime.fromtimestamp(now, UTC) + timedelta(seconds=ends))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if ca is not None:
        constraints = x509.BasicConstraints(ca=ca, path_length=None)
        builder = builder.add_extension(constraints, critical=True)
    signed = builder.sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def peers(*trusted: str) -> Peers:
    """With these proxies."""
    return Peers(FakeClock(), trusted)


def test_certificate_shows_its_names() -> None:
    """In PEM, as gRPC has it; names of hosts in lower case and in one order."""
    shown = certificate(URI(WEB), DNS("Web.test"), DNS("a.test"), ca=False)
    found = peers().peer(ADDRESS, shown)
    assert found == Peer(ADDRESS, WEB, ("a.test", "web.test"), x5t_s256(shown))


@pytest.mark.parametrize(
    "names",
    [
        (),
        (DNS("web.test"),),
        (URI("https://example.com/web"),),
        (URI("spiffe://mesh.example"),),
        (URI("spiffe://MESH.example/web"),),
        (URI(WEB), URI(EVE)),
        (URI(WEB), URI("https://example.com")),
        (URI(WEB), URI(WEB)),
    ],
)
def test_certificate_without_exactly_one_spiffe_id(names: tuple[x509.GeneralName, ...]) -> None:
    """X509-SVID section 2: one URI, and no other; the rest of it goes on."""
    shown = certificate(*names)
    found = peers().peer(ADDRESS, shown)
    assert found.spiffe_id == ""
    assert found.thumbprint == x5t_s256(shown)


@pytest.mark.parametrize("times", [{"begins": 60}, {"ends": -60}])
def test_certificate_that_is_not_good_now(times: dict[str, float]) -> None:
    """Shows nothing, though the connection was opened with it."""
    assert peers().peer(ADDRESS, certificate(URI(WEB), **times)) == Peer(ADDRESS)


def test_certificate_of_an_authority_shows_nothing() -> None:
    """Who signs certificates is no workload (X509-SVID section 3)."""
    assert peers().peer(ADDRESS, certificate(URI(WEB), ca=True)) == Peer(ADDRESS)


@pytest.mark.parametrize("raw", [b"x", b"-----BEGIN CERTIFICATE-----", b"\x30\x00"])
def test_what_is_no_certificate_shows_nothing(raw: bytes) -> None:
    """Nobody can be told by it."""
    assert peers().peer(ADDRESS, raw) == Peer(ADDRESS)


def test_certificate_of_everybody_shows_no_names() -> None:
    """A list that long is policy's no more."""
    names = [DNS(f"h{number}.test") for number in range(MAX_NAMES + 1)]
    assert peers().peer(ADDRESS, certificate(*names)).dns_names == ()
    assert len(peers().peer(ADDRESS, certificate(*names[1:])).dns_names) == MAX_NAMES


def test_header_of_anybody_means_nothing() -> None:
    """Neither without a certificate nor with one that no list names."""
    shown = certificate(URI(EVE))
    own = peers().peer(ADDRESS, shown)
    for known in (peers(), peers(PROXY), peers(WEB, x5t_s256(certificate()))):
        assert known.peer(ADDRESS, None, [SAID]) == Peer(ADDRESS)
        assert known.peer(ADDRESS, shown, [SAID]) == own
        assert known.peer(ADDRESS, shown, ["nonsense", "more"]) == own


@pytest.mark.parametrize("by", ["spiffe", "thumbprint"])
def test_trusted_proxy_vouches(by: str) -> None:
    """For who is behind it, and its own certificate is no part of that."""
    shown = certificate(URI(PROXY), DNS("gate.test"))
    known = peers({"spiffe": PROXY, "thumbprint": x5t_s256(shown)}[by])
    expected = Peer(ADDRESS, WEB, ("web.test",), base64url.encode(DIGEST))
    assert known.peer(ADDRESS, shown, [SAID]) == expected


def test_proxy_whose_certificate_has_ended_vouches_for_nobody() -> None:
    """Nor one with two URIs, of which one is listed."""
    for shown in (certificate(URI(PROXY), ends=-60), certificate(URI(PROXY), URI(EVE))):
        assert peers(PROXY).peer(ADDRESS, shown, [SAID]).spiffe_id == ""


@pytest.mark.parametrize(
    "names",
    [
        (DNS(PROXY),),
        (URI(f"{PROXY}/x"),),
        (URI(PROXY.upper()),),
        (URI(EVE), DNS(PROXY)),
        (URI(f"{PROXY};By={PROXY}"),),
    ],
)
def test_nobody_is_a_proxy_by_halves(names: tuple[x509.GeneralName, ...]) -> None:
    """Not by a name of another kind, nor by one that only begins like it."""
    shown = certificate(*names)
    assert peers(PROXY).peer(ADDRESS, shown, [SAID]) == peers().peer(ADDRESS, shown)


def test_hops_before_the_proxy_are_not_believed() -> None:
    """A caller may have written what comes first; the proxy adds the last."""
    forged = f"Hash={DIGEST[::-1].hex()};URI={EVE};DNS=eve.test,{SAID}"
    found = peers(PROXY).peer(ADDRESS, certificate(URI(PROXY)), [forged])
    assert found == Peer(ADDRESS, WEB, ("web.test",), base64url.encode(DIGEST))
    by_itself = f"{SAID},By={PROXY}"
    assert peers(PROXY).peer(ADDRESS, certificate(URI(PROXY)), [by_itself]).unclear


def test_proxy_lends_nobody_its_own_identity() -> None:
    """A call without the header is of somebody who showed the proxy nothing."""
    assert peers(PROXY).peer(ADDRESS, certificate(URI(PROXY))) == Peer(ADDRESS)


@pytest.mark.parametrize(
    "headers",
    [
        [SAID, SAID],
        [""],
        ["nonsense"],
        [f"URI={WEB}"],
        [f"{SAID};URI={EVE}"],
        [f"{SAID};URI={WEB}"],
        [f"{SAID};Hash={DIGEST.hex()}"],
    ],
)
def test_ambiguous_or_malformed_is_unclear(
    headers: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody authenticates from there, and the log says whose fault it is."""
    caplog.set_level(logging.WARNING)
    found = peers(PROXY).peer(ADDRESS, certificate(URI(PROXY)), headers)
    assert found == Peer(ADDRESS, unclear=True)
    assert ADDRESS in caplog.text


def test_proxy_vouches_for_what_is_no_workload() -> None:
    """A URI of another kind is none; names and thumbprint go on."""
    said = f"Hash={DIGEST.hex()};URI=https://example.com;DNS=web.test"
    found = peers(PROXY).peer(ADDRESS, certificate(URI(PROXY)), [said])
    assert (found.spiffe_id, found.dns_names) == ("", ("web.test",))
