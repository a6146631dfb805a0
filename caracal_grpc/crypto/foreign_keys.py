"""The public keys of another issuer, out of the JWK set that it publishes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from caracal_grpc.core.limits import MAX_JWKS_BYTES
from caracal_grpc.crypto import foreign_algorithms, strict_json
from caracal_grpc.crypto.foreign_algorithms import CHECKS, PublicKey
from caracal_grpc.crypto.header import is_kid

MAX_KEYS: Final = 64

_SECRET: Final = frozenset({"d", "k"})
_USES: Final = frozenset({"sig", "jwt-svid"})
"""RFC 7517 section 4.2; the other one is what a trust domain of SPIFFE signs JWT-SVIDs with, beside
keys for certificates in the same set (SPIFFE Trust Domain and Bundle, section 4.2.2)."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """One key; `kid` is empty when it has none, `algorithm` unless it is for a single one."""

    kid: str
    algorithm: str
    _public: PublicKey = field(repr=False, compare=False)

    def fits(self, algorithm: str, kid: str) -> bool:
        """Whether a token with this header can be of this key; any `kid` will do without one."""
        check = CHECKS.get(algorithm)
        kind = check is not None and isinstance(self._public, check.kind)
        return kind and self.algorithm in {"", algorithm} and kid in {"", self.kid}

    def verifies(self, algorithm: str, data: bytes, signature: bytes) -> bool:
        """Whether `signature` over `data` is this key's by `algorithm`."""
        return foreign_algorithms.verifies(algorithm, self._public, data, signature)


@dataclass(frozen=True, slots=True)
class ForeignKeys:
    """The keys of a set that are of use, in its order."""

    keys: tuple[ForeignKey, ...] = ()

    @classmethod
    def from_jwks(cls, raw: bytes) -> ForeignKeys:
        """The set in an RFC 7517 section 5 document; raises `ValueError` when it is none.

        A key that is of no use, for whatever reason, is left out: an issuer may publish keys for
        others beside those for us. So is one that is no public key.
        """
        if len(raw) > MAX_JWKS_BYTES:
            raise ValueError(f"a key set is of at most {MAX_JWKS_BYTES} bytes")
        entries = strict_json.read_object(raw).get("keys")
        if not isinstance(entries, list) or len(entries) > MAX_KEYS:
            raise ValueError(f"a key set holds a list of at most {MAX_KEYS} keys")
        found = (read_jwk(entry) for entry in entries if isinstance(entry, dict))
        return cls(tuple(key for key in found if key is not None))

    def find(self, algorithm: str, kid: str) -> ForeignKey | None:
        """The one key that a token with this header can be of; `None` for none and for several."""
        fitting = [key for key in self.keys if key.fits(algorithm, kid)]
        return fitting[0] if len(fitting) == 1 else None


def read_jwk(jwk: Mapping[str, Any]) -> ForeignKey | None:
    """The key in an RFC 7517 object; `None` for one that is of no use here, for whatever reason."""
    kid, algorithm = jwk.get("kid", ""), jwk.get("alg", "")
    named = kid == "" or is_kid(kid)
    if not named or not isinstance(algorithm, str) or not _signs(jwk):
        return None
    try:
        return ForeignKey(kid, algorithm, foreign_algorithms.read_key(jwk))
    except ValueError:
        return None


def _signs(jwk: Mapping[str, Any]) -> bool:
    """Whether a key is public and for signatures, as far as it says (RFC 7517 section 4)."""
    operations = jwk.get("key_ops", ["verify"])
    usable = isinstance(operations, list) and "verify" in operations
    use = jwk.get("use", "sig")
    return usable and isinstance(use, str) and use in _USES and _SECRET.isdisjoint(jwk)
