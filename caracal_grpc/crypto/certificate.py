"""What a certificate says of itself: its life and its names. Nothing is verified here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.crypto.thumbprint import x5t_s256

_MONTH: Final = 30 * 86_400.0
_WEEK: Final = 7 * 86_400.0


class Renewal(Enum):
    """How urgent it is to renew a certificate."""

    LATER = auto()
    SOON = auto()
    NOW = auto()
    OVERDUE = auto()


_PEM_START = b"-----BEGIN CERTIFICATE-----"
_UNREADABLE: Final = (
    ValueError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises of certificates that it cannot read; all but one are no ValueError."""


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """Times in seconds since the Unix epoch; `names` are DNS names and addresses."""

    begins: float
    ends: float
    names: tuple[str, ...]
    issuer: str

    def renewal(self, now: float) -> Renewal:
        """How urgent it is at `now` to renew it.

        Soon is a month before its end, now is a week; of a short life a third and a tenth, since
        one of a day is not renewed a month before.
        """
        left, life = self.ends - now, self.ends - self.begins
        if left <= 0:
            return Renewal.OVERDUE
        if left < min(_WEEK, life / 10):
            return Renewal.NOW
        return Renewal.SOON if left < min(_MONTH, life / 3) else Renewal.LATER


@dataclass(frozen=True, slots=True)
class ClientNames:
    """By what a certificate names its holder, and between which times, in seconds since the epoch.

    `is_authority` is that it signs other certificates, and so names nobody.
    """

    thumbprint: str
    uris: tuple[str, ...]
    dns_names: tuple[str, ...]
    begins: float
    ends: float
    is_authority: bool


@lru_cache(maxsize=1024)
def client_names(raw: bytes) -> ClientNames:
    """The names in a certificate in PEM (the first of a chain) or DER; raises `FIELD_INVALID`.

    They are remembered, since a connection shows one certificate on every call.
    """
    try:
        found = _read(raw)
        names = _alternatives(found)
        return ClientNames(
            x5t_s256(raw),
            tuple(names.get_values_for_type(x509.UniformResourceIdentifier)) if names else (),
            tuple(names.get_values_for_type(x509.DNSName)) if names else (),
            found.not_valid_before_utc.timestamp(),
            found.not_valid_after_utc.timestamp(),
            _is_authority(found),
        )
    except _UNREADABLE as exc:
        raise field_invalid("certificate", "must be an x.509 certificate in pem or der") from exc


def certificate_facts(raw: bytes) -> CertificateFacts:
    """The facts of a certificate in PEM (the first of a chain) or DER; raises `FIELD_INVALID`."""
    try:
        found = _read(raw)
        return CertificateFacts(
            found.not_valid_before_utc.timestamp(),
            found.not_valid_after_utc.timestamp(),
            _names(found),
            _common_name(found.issuer),
        )
    except _UNREADABLE as exc:
        raise field_invalid("certificate", "must be an x.509 certificate in pem or der") from exc


def _read(raw: bytes) -> x509.Certificate:
    is_pem = _PEM_START in raw
    return (x509.load_pem_x509_certificate if is_pem else x509.load_der_x509_certificate)(raw)


def _alternatives(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    found = _alternatives(certificate)
    if found is None:
        return ()
    addresses = found.get_values_for_type(x509.IPAddress)
    return (*found.get_values_for_type(x509.DNSName), *map(str, addresses))


def _common_name(name: x509.Name) -> str:
    named = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(named[0].value) if named else name.rfc4514_string()
