"""What workload issuers say: JWT-SVIDs of trust domains, and service accounts of Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from caracal_grpc.authority.issuers.claims import (
    KUBERNETES_CLAIM,
    made_at,
    require_current,
    require_times,
)
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.spiffe import trust_domain_of
from caracal_grpc.core.workload import KubernetesIdentity, Shown
from caracal_grpc.crypto.foreign_token import malformed

_SVID_ALGORITHMS: Final = frozenset({"RS256", "PS256", "ES256"})
"""Those of ours that a JWT-SVID may have (JWT-SVID section 2.1)."""


def issuer_named(claimed: Mapping[str, Any]) -> str:
    """The issuer whose keys alone can prove what is claimed; raises `MANDATE_MALFORMED`.

    Of a JWT-SVID that is the trust domain of its `sub`, whatever `iss` says: no trust domain says
    who is in another.
    """
    subject, issuer = claimed.get("sub"), claimed.get("iss")
    if isinstance(subject, str) and subject.startswith("spiffe://"):
        domain = trust_domain_of(subject)
        if domain is None:
            raise malformed("its sub is no SPIFFE id of a workload")
        return domain
    if not isinstance(issuer, str) or issuer.startswith("spiffe://"):
        raise malformed("its iss is no issuer of service accounts")
    return issuer


def svid_algorithms(issuer: TrustedIssuer) -> TrustedIssuer:
    """A trust domain with those of its algorithms that JWT-SVIDs may have."""
    allowed = tuple(each for each in issuer.algorithms if each in _SVID_ALGORITHMS)
    return replace(issuer, algorithms=allowed)


def require_svid(claims: Mapping[str, Any], issuer: TrustedIssuer, now: float) -> Shown:
    """The workload that a JWT-SVID is of (JWT-SVID sections 3 and 4), for `issuer.audience` alone.

    One for several audiences could be shown to us by any of the others. `iat` is optional; without
    it the token must not live for longer than `issuer.max_age`. Raises `ISSUER_MISMATCH` and what
    `require_times` raises.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or trust_domain_of(subject) != issuer.issuer:
        raise CaracalError(Reason.ISSUER_MISMATCH, "the token is of another trust domain")
    _require_audience(claims, issuer.audience)
    require_times(claims, made_at(claims, issuer.max_age), issuer.max_age, now)
    return Shown(spiffe_id=subject)


def require_account(claims: Mapping[str, Any], issuer: TrustedIssuer, now: float) -> Shown:
    """The service account that a projected token of Kubernetes is of, for `issuer.audience` alone.

    A token that is kept in a Secret has neither an audience nor an end, nor these claims. Raises
    `MANDATE_MALFORMED` and what `require_current` raises.
    """
    require_current(claims, issuer, now)
    said = claims.get(KUBERNETES_CLAIM)
    account = said.get("serviceaccount") if isinstance(said, Mapping) else None
    name = account.get("name") if isinstance(account, Mapping) else None
    namespace = said.get("namespace") if isinstance(said, Mapping) else None
    if not isinstance(name, str) or not isinstance(namespace, str):
        raise malformed(f"its {KUBERNETES_CLAIM} names no service account")
    if claims.get("sub") != f"system:serviceaccount:{namespace}:{name}":
        raise malformed("its sub is another service account than it says")
    return Shown(kubernetes=KubernetesIdentity(issuer.name, namespace, name))


def _require_audience(claims: Mapping[str, Any], audience: str) -> None:
    if claims.get("aud") not in (audience, [audience]):
        text = "the token is not for this zone alone; its audience is the zone's issuer URL"
        raise CaracalError(Reason.AUDIENCE_MISMATCH, text)
