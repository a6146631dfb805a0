"""What a certificate says of itself, and when it is to be renewed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.crypto.certificate import CertificateFacts, Renewal, certificate_facts
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
