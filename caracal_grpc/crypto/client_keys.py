"""The public keys of which an application signs assertions of its own (RFC 7523 section 2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from caracal_grpc.core.issuer import ALGORITHMS
from caracal_grpc.core.limits import MAX_CLIENT_JWKS, MAX_CLIENT_KEYS
from caracal_grpc.crypto import strict_json
from caracal_grpc.crypto.foreign_keys import ForeignKeys, read_jwk
from caracal_grpc.crypto.header import is_kid

_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1, RFC 8037 section 2."""


@lru_cache(maxsize=1024)
def client_keys(jwks: str) -> ForeignKeys:
    """The keys in a JWK set (RFC 7517 section 5); raises `ValueError`, which says what is wrong.

    Unlike what an issuer publishes for many, this is for us alone, so every key of it must be of
    use. A private one is refused: whoever sends it has shown it to us and to all on the way.
    """
    entries = _entries(jwks)
    for index, entry in enumerate(entries):
        wrong = _wrong(entry)
        if wrong:
            raise ValueError(f"keys[{index}] {wrong}")
    if len({entry["kid"] for entry in entries}) < len(entries):
        raise ValueError("two keys have one kid; name each differently")
    keys = (read_jwk(entry) for entry in entries)
    return ForeignKeys(tuple(key for key in keys if key is not None))


def _entries(jwks: str) -> list[Any]:
    if len(jwks) > MAX_CLIENT_JWKS:
        raise ValueError(f"must be at most {MAX_CLIENT_JWKS} characters")
    try:
        entries = strict_json.read_object(jwks.encode()).get("keys")
    except (ValueError, RecursionError) as exc:
        raise ValueError("must be a JWK set as JSON") from exc
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_CLIENT_KEYS:
        raise ValueError(f"must have 1 to {MAX_CLIENT_KEYS} keys in a list, keys")
    return entries


def _wrong(entry: Any) -> str:
    """What is wrong with one key, empty for nothing; never anything of the key itself."""
    if not isinstance(entry, dict):
        return "is no object"
    if _is_private(entry):
        return "is private; give the public key alone, and make another: this one was shown"
    if not is_kid(entry.get("kid")):
        return "has no kid, or one that cannot be a header's"
    key = read_jwk(entry)
    if key is None:
        return f"is no public key that signs by {', '.join(ALGORITHMS)}"
    if not any(key.fits(algorithm, key.kid) for algorithm in ALGORITHMS):
        return f"has an alg that does not fit it; leave it out, or write {', '.join(ALGORITHMS)}"
    return ""


def _is_private(entry: Mapping[str, Any]) -> bool:
    return entry.get("kty") == "oct" or not _PRIVATE.isdisjoint(entry)
