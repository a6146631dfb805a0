"""Channels to the authority and to services: TLS, mutual TLS, or plaintext to loopback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import grpc

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.limits import MAX_SHORT_REQUEST
from caracal_grpc.crypto.thumbprint import x5t_s256
from caracal_grpc.interceptors.client.authentication import client_authentication
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.target import require_loopback

_MAX_RECEIVE: Final = 4 << 20
"""Bytes. The largest message of the authority is a part of the feed's snapshot, under 1 MiB."""

_SERVICE_CONFIG: Final = '{"loadBalancingConfig":[{"pick_first":{"shuffleAddressList":true}}]}'

_OPTIONS: Final[tuple[tuple[str, Any], ...]] = (
    ("grpc.max_receive_message_length", _MAX_RECEIVE),
    ("grpc.max_send_message_length", MAX_SHORT_REQUEST),
    # An authority that is frozen or cut off, with every connection open, is left within 6 s: so
    # another replica feeds the edge before its view is stale. The time to wait for the answer to a
    # ping is its own setting; gRPC's is a minute, whatever `keepalive_timeout_ms` says. Only while
    # a call runs: an idle client must not annoy the server.
    ("grpc.keepalive_time_ms", 2_000),
    ("grpc.keepalive_timeout_ms", 4_000),
    ("grpc.http2.ping_timeout_ms", 4_000),
    ("grpc.keepalive_permit_without_calls", 0),
    # After an outage the authority is found again within seconds, not after gRPC's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5_000),  # the time that one attempt may take
    ("grpc.max_reconnect_backoff_ms", 3_000),
    ("grpc.dns_min_time_between_resolutions_ms", 3_000),
    # Of several replicas one at a time, each edge another: it sees its own writes, and the load is
    # spread. When that one goes, the others are tried.
    ("grpc.service_config", _SERVICE_CONFIG),
    # A connection of its own: nobody else's channel options or back-off decide about this one.
    ("grpc.use_local_subchannel_pool", 1),
)


Options = Sequence[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class Identity:
    """What a process trusts and shows on its connections, read from the files of a profile once.

    A mandate that is bound to the certificate of one connection is good on every other that is made
    of the same identity, whatever becomes of the files meanwhile.
    """

    profile: Profile
    roots: bytes | None
    certificate: bytes | None
    key: bytes | None = field(repr=False)
    bound: bool | None = None

    @classmethod
    def of(cls, profile: Profile, bound: bool | None = None) -> Identity:
        """The identity of `profile`; raises `FIELD_INVALID` when a file of it cannot be used.

        `bound` is whether mandates are bound to its certificate where a call does not say; `None`
        is yes when there is one.
        """
        certificate, key = profile.client_certificate() or (None, None)
        client_authentication(profile)  # so that a file of no use shows at the start
        return cls(profile, profile.root_certificates(), certificate, key, bound)

    def binding(self, bound: bool | None = None) -> str | None:
        """The thumbprint of the client certificate when mandates are to be bound to it.

        Raises `FIELD_INVALID` when there is none and must be one.
        """
        bound = self.bound if bound is None else bound
        if bound is False or (bound is None and self.certificate is None):
            return None
        if self.certificate is None:
            raise field_invalid("bound", "needs cert_file and key_file in the profile")
        return x5t_s256(self.certificate)

    def credentials(self, roots: bytes | None = None) -> grpc.ChannelCredentials:
        """The credentials of a channel that trusts `roots` in PEM, those of the profile if none."""
        return grpc.ssl_channel_credentials(roots or self.roots, self.key, self.certificate)

    def aio(
        self, interceptors: Sequence[grpc.aio.ClientInterceptor] = (), extra: Options = ()
    ) -> grpc.aio.Channel:
        """An asyncio channel to the authority, for the running loop."""
        target, options = self.profile.authority, _options(self.profile, extra)
        if self.profile.plaintext:
            return grpc.aio.insecure_channel(target, options=options, interceptors=interceptors)
        return grpc.aio.secure_channel(
            target, self.credentials(), options=options, interceptors=interceptors
        )

    def sync(self) -> grpc.Channel:
        """A channel to the authority for threads."""
        target, options = self.profile.authority, _options(self.profile)
        if self.profile.plaintext:
            return grpc.insecure_channel(target, options=options)
        return grpc.secure_channel(target, self.credentials(), options=options)

    def aio_service(
        self,
        target: str,
        interceptors: Sequence[grpc.aio.ClientInterceptor],
        roots: bytes | None,
        options: Options,
    ) -> grpc.aio.Channel:
        """An asyncio channel to a service: mutual TLS with a certificate, TLS without, plaintext
        when the profile is; then raises `FIELD_INVALID` unless `target` is on loopback.
        """
        if not self._is_plaintext(target, roots):
            credentials = self.credentials(roots)
            return grpc.aio.secure_channel(target, credentials, options, None, interceptors)
        return grpc.aio.insecure_channel(target, options, None, interceptors)

    def sync_service(self, target: str, roots: bytes | None, options: Options) -> grpc.Channel:
        """As `aio_service`, for threads."""
        if not self._is_plaintext(target, roots):
            return grpc.secure_channel(target, self.credentials(roots), options)
        return grpc.insecure_channel(target, options)

    def _is_plaintext(self, target: str, roots: bytes | None) -> bool:
        if not self.profile.plaintext or roots is not None:
            return False
        require_loopback("target", target)
        return True


def aio_channel(
    profile: Profile,
    interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
    extra: Options = (),
) -> grpc.aio.Channel:
    """An asyncio channel to the authority of `profile`, for the running loop.

    `extra` are channel options that win over the usual ones, for callers with larger messages.
    Raises `FIELD_INVALID` when a file of the profile cannot be used.
    """
    return Identity.of(profile).aio(interceptors, extra)


def sync_channel(profile: Profile) -> grpc.Channel:
    """A channel to the authority of `profile` for threads; raises as `aio_channel`."""
    return Identity.of(profile).sync()


def _options(profile: Profile, extra: Options = ()) -> list[tuple[str, Any]]:
    options: dict[str, Any] = dict(_OPTIONS)
    if profile.server_name:
        options["grpc.ssl_target_name_override"] = profile.server_name
    if profile.plaintext:  # the authority is on loopback, where no proxy of the environment leads
        options["grpc.enable_http_proxy"] = 0
    return [*(options | dict(extra)).items()]
