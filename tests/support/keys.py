"""Mandates for the echo service, as an authority would make them."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import Any

from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.crypto.key_set import VerifyingKey
from caracal_grpc.crypto.signing_key import SigningKey
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.interceptors.testing import CannedFeed, ThrowawayAuthority

ISSUER = "https://caracal.test/zones/acme"
ZONE = "acme"
RESOURCE = "resource://echo"
SCOPES = frozenset({"echo:call"})


@dataclass
class Mint:
    """One signing key of a zone and the mandates that it signs."""

    authority: ThrowawayAuthority = field(
        default_factory=lambda: ThrowawayAuthority(ZONE, issuer=ISSUER)
    )

    @property
    def key(self) -> SigningKey:
        """The key itself, to sign what no authority would."""
        return self.authority._key

    @property
    def public(self) -> VerifyingKey:
        """The key as verifiers see it."""
        return self.authority.public

    def mandate(self, *, chain: tuple[str, ...] = (), **changes: Any) -> Mandate:
        """A good mandate for the echo service as of now, passed along the hops of `chain`, with
        `changes` to it.
        """
        passed = (SystemIds().new("app"), *chain)
        claims: Any = {"resource": RESOURCE, "scopes": SCOPES, "subject": "user-1"}
        good = self.authority.grant(**claims, chain=passed)
        return replace(good, **changes)

    def token(self, mandate: Mandate | None = None, *, forged: bool = False, **changes: Any) -> str:
        """The token of `mandate`, or of a good one with `changes`."""
        return self.authority.sign(mandate or self.mandate(**changes), forged=forged)

    def expiring(self, seconds: float) -> dict[str, int]:
        """The times of a mandate whose leeway, too, is over in `seconds` and less than one more."""
        now = time.time()
        return {"issued_at": int(now) - 60, "expires_at": math.ceil(now + seconds) - LEEWAY}


def chain(hops: int) -> dict[str, Any]:
    """The changes that make a mandate delegated over `hops` hops."""
    return {"chain": tuple(SystemIds().new("app") for _ in range(hops))}


def view_of(*mints: Mint) -> CannedFeed:
    """A fresh view that trusts each mint for the zone of the tests."""
    return CannedFeed(*(mint.authority for mint in mints))
