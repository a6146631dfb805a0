"""Time, ids and secrets from the operating system."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Final

from caracal_grpc.core.ids import typeid

_NOBODYS_DIGEST: Final = hashlib.sha256(b"no secret has this digest stored").hexdigest()
_MAX_SECRET_CHARS: Final = 256


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The clocks of this process (`core.ports.Clock`)."""

    def now(self) -> float:
        """Wall-clock time in seconds since the Unix epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds from an arbitrary origin that never run backwards."""
        return time.monotonic()


@dataclass(frozen=True, slots=True)
class SystemIds:
    """Fresh TypeIDs of the present millisecond and 74 random bits (`core.ports.Ids`)."""

    def new(self, prefix: str) -> str:
        """A TypeID with `prefix`."""
        return typeid(prefix, time.time_ns() // 1_000_000, secrets.token_bytes(10))


def new_secret() -> str:
    """A fresh application secret: 256 random bits in base64url."""
    return secrets.token_urlsafe(32)


def secret_digest(secret: str) -> str:
    """The SHA-256 of `secret` in hex: what is stored in its place.

    A slow password hash would add nothing: the secrets are ours, 256 random bits each.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def secret_matches(secret: str, digest: str | None) -> bool:
    """Whether `secret` has the stored `digest`, in a time that tells neither apart.

    `None` is an application that does not exist: the work is the same and the answer is no.
    """
    bounded = secret if len(secret) <= _MAX_SECRET_CHARS else ""
    expected = _NOBODYS_DIGEST if digest is None else digest
    equal = hmac.compare_digest(secret_digest(bounded).encode(), expected.encode())
    return equal and digest is not None
