"""A mandate that is bound to a TLS certificate serves only its holder."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import grpc
import grpc.aio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.thumbprint import x5t_s256
from tests.support.echo_client import bearing
from tests.support.echo_server import Setup, aio_stage, sync_stage


@dataclass
class Identity:
    """A self-signed certificate and its key, in PEM."""

    certificate: bytes
    key: bytes


def identity(name: str) -> Identity:
    """A fresh identity that every peer of the test trusts as its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Identity(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


SERVER, HOLDER, THIEF = identity("server"), identity("holder"), identity("thief")


def setup(peer: Identity) -> Setup:
    """A server that asks for certificates, and a client that shows the one of `peer`."""
    roots = HOLDER.certificate + THIEF.certificate
    credentials = grpc.ssl_server_credentials([(SERVER.key, SERVER.certificate)], roots, True)
    shown = grpc.ssl_channel_credentials(SERVER.certificate, peer.key, peer.certificate)
    return Setup(
        credentials=credentials,
        channel=lambda address: grpc.aio.secure_channel(address, shown),
    )


@pytest.mark.parametrize("make", [aio_stage, sync_stage], ids=["aio", "sync"])
async def test_a_bound_mandate_serves_its_holder(make: type) -> None:
    """The thumbprint in the mandate is that of the certificate of the connection."""
    async with make(setup(HOLDER)) as stage:
        token = stage.mint.token(binding=x5t_s256(HOLDER.certificate))
        for method in ("Unary", "Expand"):
            await stage.client.call(method, bearing(token))
        assert stage.journal.ran == ["Unary", "Expand"]


@pytest.mark.parametrize("make", [aio_stage, sync_stage], ids=["aio", "sync"])
async def test_a_bound_mandate_is_of_no_use_to_a_thief(make: type) -> None:
    """Whose certificate the server trusts all the same."""
    async with make(setup(THIEF)) as stage:
        token = stage.mint.token(binding=x5t_s256(HOLDER.certificate))
        error = await stage.client.refusal("Unary", bearing(token))
        assert error.reason is Reason.BINDING_MISMATCH
        assert stage.journal.ran == []
