"""Who is at the other end of a connection: what TLS has proven, or a trusted proxy vouches for."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.forwarded import Forwarded, nearest
from caracal_grpc.core.peer import Peer
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.spiffe import is_spiffe_id
from caracal_grpc.crypto import base64url
from caracal_grpc.crypto.certificate import client_names

MAX_NAMES: Final = 16
"""DNS names of a certificate that are looked at; one with more shows none."""

_log = logging.getLogger("caracal.peers")


class Peers:
    """Tells peers apart; `trusted` are the proxies that may vouch, by SPIFFE id or thumbprint."""

    def __init__(self, clock: Clock, trusted: Collection[str] = ()) -> None:
        self._clock = clock
        self._trusted = frozenset(trusted)

    def peer(self, address: str, certificate: bytes | None, forwarded: Sequence[str] = ()) -> Peer:
        """The peer at `address` whose connection shows `certificate` (PEM or DER), if any.

        `forwarded` are the `x-forwarded-client-cert` headers of its call. From a trusted proxy they
        say who is behind it, and nobody is when there is none: a proxy does not lend its callers
        what it is itself. From everybody else they mean nothing.
        """
        own = self._shown(address, certificate) if certificate else Peer(address)
        if not self._vouches(own):
            return own
        if not forwarded:
            return Peer(address)
        try:
            (header,) = forwarded
            return _vouched(address, nearest(header))
        except ValueError as exc:
            _log.warning("a trusted proxy at %s sent what nobody can read: %s", address, exc)
            return Peer(address, unclear=True)

    def _vouches(self, peer: Peer) -> bool:
        return not self._trusted.isdisjoint({peer.spiffe_id, peer.thumbprint} - {""})

    def _shown(self, address: str, certificate: bytes) -> Peer:
        """What TLS has verified, while it is good: a connection may outlive its certificate."""
        try:
            names = client_names(certificate)
        except CaracalError:
            return Peer(address)
        if names.is_authority or not names.begins <= self._clock.now() <= names.ends:
            return Peer(address)
        uri = names.uris[0] if len(names.uris) == 1 else ""
        return Peer(address, _spiffe_id(uri), _few(names.dns_names), names.thumbprint)


def _vouched(address: str, said: Forwarded) -> Peer:
    thumbprint = base64url.encode(said.digest)
    return Peer(address, _spiffe_id(said.uri), _few(said.dns_names), thumbprint)


def _spiffe_id(uri: str) -> str:
    return uri if is_spiffe_id(uri) else ""


def _few(names: Sequence[str]) -> tuple[str, ...]:
    """Names in lower case, in one order: a certificate that is renewed may list them in another."""
    return tuple(sorted({each.lower() for each in names})) if len(names) <= MAX_NAMES else ()
