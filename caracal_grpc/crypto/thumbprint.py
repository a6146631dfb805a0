"""The SHA-256 thumbprint of a certificate, to which a mandate can be bound."""

from __future__ import annotations

from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.crypto import base64url

_PEM_START = b"-----BEGIN CERTIFICATE-----"


def x5t_s256(certificate: bytes | str) -> str:
    """The `x5t#S256` of a certificate in PEM (the first of a chain) or DER: RFC 8705 section 3.1.

    Raises `FIELD_INVALID` when it is no certificate.
    """
    raw = certificate.encode("utf-8", "replace") if isinstance(certificate, str) else certificate
    return _thumbprint(bytes(raw))


@lru_cache(maxsize=256)
def _thumbprint(raw: bytes) -> str:
    """The thumbprint; remembered, since a connection presents one certificate on every call."""
    try:
        if _PEM_START in raw:
            certificate = x509.load_pem_x509_certificate(raw)
        else:
            certificate = x509.load_der_x509_certificate(raw)
    except (ValueError, x509.InvalidVersion) as exc:
        raise field_invalid("certificate", "must be an x.509 certificate in pem or der") from exc
    return base64url.encode(certificate.fingerprint(SHA256()))
