"""What to know about an etcd cluster before the first call; checked when it is made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from caracal_grpc.core.errors import CaracalError, field_invalid

_PREFIX: Final = re.compile(r"[A-Za-z0-9._-]{1,64}(/[A-Za-z0-9._-]{1,64}){0,7}")
_ENDPOINT: Final = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?/?"
)
_PORT: Final = "2379"
_MAX_ENDPOINTS: Final = 16


@dataclass(frozen=True, slots=True)
class EtcdSettings:
    """How to reach etcd, who we are there and how long to wait; raises `FIELD_INVALID`.

    An endpoint is `host:port` with a DNS name, an IPv4 or a bracketed IPv6 address, after an
    optional `http://` or `https://`; each is tried in turn when one fails, and each is verified
    under its own name. TLS is on when `ca` (PEM) is given or an endpoint says `https`; `cert` and
    `key` (PEM) are the client's; `server_name` replaces the name that certificates must hold.

    Seconds: `timeout` bounds a call with all its retries, `list_timeout` a whole listing,
    `beat_interval` is the time between proofs that a watch is current, `lease_window` the time in
    which keys of like ttl share a lease.
    """

    endpoints: Sequence[str]
    prefix: str = "caracal"
    ca: bytes | None = None
    cert: bytes | None = None
    key: bytes | None = field(default=None, repr=False)
    server_name: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = 5.0
    beat_interval: float = 1.0
    list_timeout: float = 60.0
    lease_window: int = 60

    def __post_init__(self) -> None:
        for violation in self._violations():
            raise violation
        object.__setattr__(self, "endpoints", tuple(self.endpoints))

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted and the server verified."""
        return self.ca is not None or any(e.startswith("https://") for e in self.endpoints)

    @property
    def targets(self) -> tuple[str, ...]:
        """The gRPC target of each endpoint; its `dns` resolver takes names and addresses alike."""
        matches = (_ENDPOINT.fullmatch(endpoint) for endpoint in self.endpoints)
        return tuple(f"dns:///{m['host']}:{m['port'] or _PORT}" for m in matches if m)

    def _violations(self) -> Iterator[CaracalError]:
        if isinstance(self.endpoints, str) or not 1 <= len(self.endpoints) <= _MAX_ENDPOINTS:
            yield field_invalid("endpoints", f"must list 1 to {_MAX_ENDPOINTS} endpoints")
        if not all(_ENDPOINT.fullmatch(endpoint) for endpoint in self.endpoints):
            yield field_invalid("endpoints", "must each be host:port, such as etcd.internal:2379")
        if self.tls and any(e.startswith("http://") for e in self.endpoints):
            yield field_invalid("endpoints", "must not say http:// when TLS is on, write https://")
        if not _PREFIX.fullmatch(self.prefix):
            yield field_invalid(
                "prefix", "must be names joined by slashes, such as staging/caracal"
            )
        if (self.cert is None) != (self.key is None) or (self.cert and not self.tls):
            yield field_invalid("cert", "must come with key, and with ca or https endpoints")
        if (self.username is None) != (self.password is None):
            yield field_invalid("username", "must come with password")
        if min(self.timeout, self.beat_interval, self.list_timeout, self.lease_window) <= 0:
            yield field_invalid("timeout", "must be above 0, as must every other time")
