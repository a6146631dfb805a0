"""What a certificate says of itself, and when it is to be renewed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.crypto.certificate import (
    CertificateFacts,
    Renewal,
    certificate_facts,
    client_names,
)
from caracal_grpc.crypto.thumbprint import x5t_s256
from tests.support.etcd_tls import CertificateAuthority

DAY = 86_400.0


def test_facts_are_read_of_pem_and_of_der() -> None:
    """Names and addresses, and who signed it."""
    pem, _ = CertificateAuthority("a test").issue("server", ("a.example", "127.0.0.1"))
    facts = certificate_facts(pem)
    assert facts.names == ("a.example", "127.0.0.1")
    assert facts.issuer == "a test"
    assert facts.ends - facts.begins == timedelta(days=1, hours=1).total_seconds()
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    assert certificate_facts(der) == facts


def test_a_certificate_may_have_no_names() -> None:
    """It is read all the same."""
    pem, _ = CertificateAuthority().issue("server")
    assert certificate_facts(pem).names == ()


@pytest.mark.parametrize("raw", [b"", b"-----BEGIN CERTIFICATE-----\nAA==", b"\x30\x82"])
def test_what_is_none_is_refused(raw: bytes) -> None:
    """By a refusal, whatever the bytes are."""
    with pytest.raises(CaracalError, match="must be an x"):
        certificate_facts(raw)


def _odd(*extensions: tuple[str, bytes]) -> bytes:
    """A certificate in DER with extensions that nobody has looked at."""
    pem, key = CertificateAuthority().issue("server")
    own = x509.load_pem_x509_certificate(pem)
    signer = load_pem_private_key(key, None)
    builder = (
        x509.CertificateBuilder()
        .subject_name(own.subject)
        .issuer_name(own.subject)
        .public_key(own.public_key())
        .serial_number(1)
        .not_valid_before(own.not_valid_before_utc)
        .not_valid_after(own.not_valid_after_utc)
    )
    for oid, value in extensions:
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(signer, SHA256()).public_bytes(Encoding.DER)  # type: ignore[arg-type]


def test_certificate_that_says_one_thing_twice_is_refused() -> None:
    """RFC 5280 section 4.2: whoever reads it otherwise than we do sees another certificate."""
    twins = _odd(("1.2.3.4.5", b"a"), ("1.2.3.4.6", b"b"))
    first, second = (bytes((0x06, 4, 0x2A, 3, 4, last)) for last in (5, 6))
    with pytest.raises(CaracalError, match="must be an x"):
        client_names(twins.replace(second, first))


def test_certificate_with_a_kind_of_name_that_nobody_reads_is_refused() -> None:
    """Such as an EDI party name; the others beside it are none, either."""
    with pytest.raises(CaracalError, match="must be an x"):
        client_names(_odd(("2.5.29.17", b"\x30\x02\xa5\x00")))


def test_certificate_of_a_strange_version_is_refused() -> None:
    """Wherever one is read: its names, its facts and its thumbprint."""
    plain = bytes((0xA0, 3, 2, 1, 2))
    strange = _odd().replace(plain, plain[:-1] + b"\x05", 1)
    for read in (client_names, certificate_facts, x5t_s256):
        with pytest.raises(CaracalError, match="must be an x"):
            read(strange)


@pytest.mark.parametrize(
    ("life", "left", "renewal"),
    [
        (365, 31, Renewal.LATER),
        (365, 29, Renewal.SOON),
        (365, 6, Renewal.NOW),
        (365, 0, Renewal.OVERDUE),
        (365, -1, Renewal.OVERDUE),
        (1, 0.5, Renewal.LATER),
        (1, 0.3, Renewal.SOON),
        (1, 0.05, Renewal.NOW),
    ],
)
def test_renewal_is_more_urgent_the_less_is_left(
    life: float, left: float, renewal: Renewal
) -> None:
    """A month and a week, or a third and a tenth of a short life; in days."""
    facts = CertificateFacts(0, life * DAY, (), "")
    assert facts.renewal((life - left) * DAY) is renewal
