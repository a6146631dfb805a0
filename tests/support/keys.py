"""Keys and tokens as an authority would make them, and a view that a test holds in its hand."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

from caracal_grpc.core.ids import typeid
from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.core.mandate import Hop, Mandate, to_claims
from caracal_grpc.core.rule import Trust
from caracal_grpc.crypto import jws
from caracal_grpc.crypto.key_set import KeySet, VerifyingKey
from caracal_grpc.crypto.signing_key import SigningKey

ISSUER = "https://caracal.test/zones/acme"
ZONE = "acme"
RESOURCE = "resource://echo"
SCOPES = frozenset({"echo:call"})

_count = iter(range(1, 1 << 40))


def fresh_id(prefix: str) -> str:
    """A well-formed id that no other call gives."""
    return typeid(prefix, 1_790_000_000_000, next(_count).to_bytes(10, "big"))


@dataclass
class Mint:
    """One signing key of a zone and the mandates that it signs."""

    key: SigningKey = field(default_factory=lambda: SigningKey.generate(fresh_id("key")))

    @property
    def public(self) -> VerifyingKey:
        """The key as verifiers see it."""
        return VerifyingKey.from_jwk(self.key.public_jwk)

    def mandate(self, **changes: Any) -> Mandate:
        """A good mandate for the echo service as of now, with `changes` to it."""
        now = int(time.time())
        session = fresh_id("ses")
        good = Mandate(
            issuer=ISSUER,
            zone=ZONE,
            use="resource",
            resource=RESOURCE,
            scopes=SCOPES,
            subject="user-1",
            subject_type="user",
            application=fresh_id("app"),
            session=session,
            root_session=session,
            jti=fresh_id("mnd"),
            issued_at=now,
            expires_at=now + 300,
            policy_version="v1",
            audit_id=fresh_id("aud"),
            kid=self.key.kid,
        )
        return replace(good, **changes)

    def token(self, mandate: Mandate | None = None, **changes: Any) -> str:
        """The token of `mandate`, or of a good one with `changes`."""
        return jws.sign(self.key, to_claims(mandate or self.mandate(**changes)))

    def expiring(self, seconds: float) -> dict[str, int]:
        """The times of a mandate whose leeway, too, is over in `seconds` and less than one more."""
        now = time.time()
        return {"issued_at": int(now) - 60, "expires_at": math.ceil(now + seconds) - LEEWAY}


def chain(hops: int) -> dict[str, Any]:
    """The changes that make a mandate delegated over `hops` hops."""
    parts = tuple(
        Hop(fresh_id("app"), fresh_id("ses"), fresh_id("del") if index else None)
        for index in range(hops)
    )
    return {"chain": parts, "application": parts[-1].application, "session": parts[-1].session}


@dataclass
class HeldView:
    """A `View` that changes when the test says so."""

    keys: KeySet = field(default_factory=KeySet)
    revoked: set[str] = field(default_factory=set)
    old: float = 0.0
    trusts: dict[str, Trust] = field(default_factory=dict)
    listeners: list[Callable[[AbstractSet[str]], None]] = field(default_factory=list)

    @classmethod
    def of(cls, *mints: Mint, **trust: Any) -> HeldView:
        """A fresh view that trusts each mint for the zone of the tests."""
        given = {"zone": ZONE, "issuer": ISSUER, "max_ttl": 900, "max_hops": 5} | trust
        view = cls(KeySet(mint.public for mint in mints))
        view.trusts = {mint.key.kid: Trust(**given) for mint in mints}
        return view

    def trust(self, kid: str) -> Trust | None:
        """The zone of the key."""
        return self.trusts.get(kid)

    def dead(self, zone: str) -> AbstractSet[str]:
        """What the test revoked."""
        return self.revoked if zone == ZONE else frozenset()

    def age(self) -> float:
        """What the test set."""
        return self.old

    def subscribe(self, listener: Callable[[AbstractSet[str]], None]) -> Callable[[], None]:
        """Tells `listener` of each `revoke` and `retire`."""
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def revoke(self, *anchors: str) -> None:
        """Kills `anchors` now."""
        self.revoked.update(anchors)
        self._tell(frozenset(anchors))

    def retire(self, kid: str) -> None:
        """Lets the key `kid` vanish."""
        self.keys = KeySet(key for key in self.keys.values() if key.kid != kid)
        self._tell(frozenset({kid}))

    def _tell(self, dead: AbstractSet[str]) -> None:
        for listener in tuple(self.listeners):
            listener(dead)
