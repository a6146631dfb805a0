"""What trusted issuers say: tokens of users and proofs, verified against the issuer's own keys."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from caracal_grpc.authority.issuers.claims import require_current
from caracal_grpc.authority.issuers.discovery import fetch_keys
from caracal_grpc.authority.issuers.key_cache import KeyCache
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.ports import Clock
from caracal_grpc.crypto.foreign_token import ForeignToken
from caracal_grpc.outbound.port import Outbound


class Issuers:
    """Verifies tokens of issuers that a zone trusts."""

    def __init__(self, outbound: Outbound, clock: Clock) -> None:
        self._cache = KeyCache(partial(fetch_keys, outbound), clock)

    async def verify(
        self, zone: str, issuer: TrustedIssuer, token: str, now: float
    ) -> Mapping[str, Any]:
        """What `issuer` says in `token`: signed by it, for its audience, neither old nor expired.

        Raises `ISSUER_UNAVAILABLE` when it tells no keys, and what `ForeignToken` and
        `require_current` raise.
        """
        claims = await self.signed(zone, issuer, ForeignToken.read(token))
        require_current(claims, issuer, now)
        return claims

    async def signed(
        self, zone: str, issuer: TrustedIssuer, token: ForeignToken
    ) -> Mapping[str, Any]:
        """What `issuer` has signed; whether it is for us and of now is not judged here.

        A key that is not known is asked for once: issuers rotate their keys unannounced. Raises
        `ISSUER_UNAVAILABLE` when it tells no keys, and what `ForeignToken` raises.
        """
        token.require_algorithm(issuer.algorithms)
        keys = await self._cache.keys(zone, issuer)
        if keys.find(token.algorithm, token.kid) is None:
            keys = await self._cache.renewed(zone, issuer)
        return token.claims(keys, issuer.algorithms)

    async def close(self) -> None:
        """Ends what is under way."""
        await self._cache.close()
