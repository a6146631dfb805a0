"""Thumbprints are those of RFC 8705."""

from __future__ import annotations

import base64
import datetime
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.crypto.thumbprint import x5t_s256


def certificate(name: str) -> x509.Certificate:
    """A self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
    builder = builder.public_key(key.public_key()).serial_number(7)
    builder = builder.not_valid_before(start).not_valid_after(start + datetime.timedelta(days=1))
    return builder.sign(key, hashes.SHA256())


FIRST, SECOND = certificate("first"), certificate("second")
DER, PEM = FIRST.public_bytes(Encoding.DER), FIRST.public_bytes(Encoding.PEM)


def test_every_form_has_the_one_thumbprint() -> None:
    """PEM as bytes and text, DER, and the first of a chain: base64url of SHA-256 over the DER."""
    expected = base64.urlsafe_b64encode(hashlib.sha256(DER).digest()).rstrip(b"=").decode()
    chain = PEM + SECOND.public_bytes(Encoding.PEM)
    assert {x5t_s256(form) for form in (DER, PEM, PEM.decode(), chain)} == {expected}


def test_certificates_differ() -> None:
    """Another certificate has another thumbprint."""
    assert x5t_s256(SECOND.public_bytes(Encoding.DER)) != x5t_s256(DER)


@pytest.mark.parametrize(
    "raw", [b"", b"junk", "junk", "é", PEM[:-60], DER[:-1], b"-----BEGIN CERTIFICATE-----"]
)
def test_other_content_is_refused(raw: bytes | str) -> None:
    """What is no certificate has no thumbprint."""
    with pytest.raises(CaracalError, match="certificate"):
        x5t_s256(raw)
