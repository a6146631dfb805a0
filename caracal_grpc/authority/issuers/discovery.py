"""Where the keys of an issuer are, and fetching them."""

from __future__ import annotations

from typing import Final

from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.limits import MAX_JWKS_BYTES
from caracal_grpc.crypto import strict_json
from caracal_grpc.crypto.foreign_keys import ForeignKeys
from caracal_grpc.outbound.port import Outbound

_WELL_KNOWN: Final = "/.well-known/openid-configuration"


async def fetch_keys(outbound: Outbound, issuer: TrustedIssuer) -> ForeignKeys:
    """The keys that `issuer` publishes now; raises `OutboundError` or `ValueError` for none."""
    if issuer.jwks:
        return ForeignKeys.from_jwks(issuer.jwks.encode())
    if issuer.is_trust_domain and not issuer.jwks_uri:
        raise ValueError("a trust domain has no configuration to find its keys by")
    uri = issuer.jwks_uri or await _discovered(outbound, issuer.issuer)
    return ForeignKeys.from_jwks(await outbound.get(uri, MAX_JWKS_BYTES))


async def _discovered(outbound: Outbound, issuer: str) -> str:
    """The `jwks_uri` of an issuer (OpenID Connect Discovery 1.0 sections 4.1 and 4.3).

    The document must name the issuer exactly: another one's is not about it.
    """
    raw = await outbound.get(issuer.rstrip("/") + _WELL_KNOWN, MAX_JWKS_BYTES)
    document = strict_json.read_object(raw)
    if document.get("issuer") != issuer:
        raise ValueError("the configuration is that of another issuer")
    uri = document.get("jwks_uri")
    if not isinstance(uri, str):
        raise ValueError("the configuration has no jwks_uri")  # noqa: TRY004 - a wrong document
    return uri
