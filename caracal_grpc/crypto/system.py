"""Time, ids and secrets from the operating system."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from caracal_grpc.core.ids import typeid
from caracal_grpc.core.limits import MAX_CREDENTIALS

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


def secret_matches(secret: str, digests: Collection[str]) -> bool:
    """Whether `secret` has one of the stored `digests`, at most `MAX_CREDENTIALS`.

    It takes the same time whichever it has, and however many there are: for an application that
    does not exist there is none, the work is the same and the answer is no.
    """
    bounded = secret if len(secret) <= _MAX_SECRET_CHARS else ""
    found = secret_digest(bounded).encode()
    nobodys = (MAX_CREDENTIALS - len(digests)) * (_NOBODYS_DIGEST,)
    # A list, so that every comparison is made; a generator would end with the first that matches.
    equal = [hmac.compare_digest(found, each.encode()) for each in (*digests, *nobodys)]
    return any(equal[: len(digests)])
