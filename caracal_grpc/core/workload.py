"""What a workload is by the word of others, and what a peer has shown to be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from caracal_grpc.core import spiffe
from caracal_grpc.core.errors import field_invalid

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAMESPACE: Final = re.compile(_LABEL)
_SUBDOMAIN: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_DNS_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DNS_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z)(?:{_DNS_LABEL}\.)*(?![0-9]+\Z){_DNS_LABEL}")
_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")


@dataclass(frozen=True, slots=True)
class KubernetesIdentity:
    """A service account of a cluster, whose issuer has the name `issuer` in the zone."""

    issuer: str
    namespace: str
    service_account: str

    def __str__(self) -> str:
        return f"{self.issuer}/{self.namespace}/{self.service_account}"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a peer has proven to be; nothing of it counts for more than that.

    `spiffe_id` is the one URI of its certificate, or the `sub` of its JWT-SVID. `dns_names` are
    those of its certificate, and `thumbprint` is the certificate's `x5t#S256`. What was not shown
    is empty.
    """

    spiffe_id: str = ""
    dns_names: frozenset[str] = frozenset()
    thumbprint: str = ""
    kubernetes: KubernetesIdentity | None = None


@dataclass(frozen=True, slots=True)
class WorkloadIdentity:
    """What authenticates a workload: exactly one of these. None of them is nobody's.

    `spiffe_id` may be a pattern (`core.spiffe`), the others say exactly whom they mean.
    """

    spiffe_id: str = ""
    dns_name: str = ""
    certificate_thumbprint: str = ""
    kubernetes: KubernetesIdentity | None = None

    def __str__(self) -> str:
        kubernetes = str(self.kubernetes) if self.kubernetes else ""
        return self.spiffe_id or self.dns_name or self.certificate_thumbprint or kubernetes

    @property
    def member(self) -> str:
        """The name of the one that it is; empty when it is none."""
        return next((name for name in self.__slots__ if getattr(self, name)), "")

    def matches(self, shown: Shown) -> bool:
        """Whether a peer that has shown this is the workload."""
        match self.member:
            case "spiffe_id":
                return spiffe.matches(self.spiffe_id, shown.spiffe_id)
            case "dns_name":
                return any(self.dns_name == each.lower() for each in shown.dns_names)
            case "certificate_thumbprint":
                return self.certificate_thumbprint == shown.thumbprint
            case "kubernetes":
                return self.kubernetes == shown.kubernetes
        return False

    def overlaps(self, other: WorkloadIdentity) -> bool:
        """Whether somebody can show one thing that is both.

        What can be told: a certificate may hold a DNS name and a SPIFFE id at once, and nobody
        knows before.
        """
        if self.spiffe_id and other.spiffe_id:
            return spiffe.overlap(self.spiffe_id, other.spiffe_id)
        return self == other

    def to_value(self) -> dict[str, Any]:
        """The JSON form for the store: the one that it is."""
        return {name: value for name, value in asdict(self).items() if value}

    @staticmethod
    def from_value(value: Mapping[str, Any]) -> WorkloadIdentity:
        """The identity that `to_value` wrote."""
        known = {name: value.get(name, "") for name in WorkloadIdentity.__slots__[:3]}
        account = value.get("kubernetes")
        return WorkloadIdentity(
            **known, kubernetes=KubernetesIdentity(**account) if account else None
        )


def identity_of(identities: Iterable[WorkloadIdentity], shown: Shown) -> WorkloadIdentity | None:
    """The first of `identities` that a peer has shown; `None` when it is none of them."""
    return next((each for each in identities if each.matches(shown)), None)


def is_thumbprint(value: str) -> bool:
    """Whether `value` is the `x5t#S256` of a certificate (RFC 8705 section 3.1)."""
    return _THUMBPRINT.fullmatch(value) is not None


def require_identity(field: str, identity: WorkloadIdentity) -> WorkloadIdentity:
    """`identity` when it is exactly one, and well-formed; raises `FIELD_INVALID` otherwise."""
    if sum(bool(getattr(identity, name)) for name in identity.__slots__) != 1:
        text = "must be one of spiffe_id, dns_name, certificate_thumbprint and kubernetes"
        raise field_invalid(field, text)
    path = f"{field}.{identity.member}"
    if identity.spiffe_id:
        spiffe.require_pattern(path, identity.spiffe_id)
    if identity.dns_name and not _DNS_NAME.fullmatch(identity.dns_name):
        raise field_invalid(path, "must be a DNS name in lower case, without * and final dot")
    thumbprint = identity.certificate_thumbprint
    if thumbprint and not is_thumbprint(thumbprint):
        raise field_invalid(
            path, "must be a SHA-256 digest in base64url without padding (x5t#S256)"
        )
    if identity.kubernetes:
        _require_account(path, identity.kubernetes)
    return identity


def _require_account(path: str, account: KubernetesIdentity) -> None:
    """As Kubernetes names them: RFC 1123 labels, and for service accounts several with dots."""
    if not _NAMESPACE.fullmatch(account.namespace):
        raise field_invalid(f"{path}.namespace", "must be 1 to 63 of a-z, 0-9 and hyphen")
    if not _SUBDOMAIN.fullmatch(account.service_account):
        text = "must be 1 to 253 of a-z, 0-9, dot and hyphen"
        raise field_invalid(f"{path}.service_account", text)
