"""Channels to the authority: TLS, mutual TLS, or plaintext to loopback, as the profile says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import grpc

from caracal_grpc.interceptors.profile import Profile

_MAX_RECEIVE: Final = 4 << 20
"""Bytes. The largest message of the authority is a part of the feed's snapshot, under 1 MiB."""

_MAX_SEND: Final = 256 << 10

_OPTIONS: Final[tuple[tuple[str, Any], ...]] = (
    ("grpc.max_receive_message_length", _MAX_RECEIVE),
    ("grpc.max_send_message_length", _MAX_SEND),
    # A dead peer shows within 30 s even when the network swallows everything; the feed's own
    # heartbeat is faster. Only while a call runs: an idle client must not annoy the server.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 0),
    # After an outage the authority is found again within seconds, not after gRPC's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 2_000),
    ("grpc.max_reconnect_backoff_ms", 3_000),
    # A connection of its own: nobody else's channel options or back-off decide about this one.
    ("grpc.use_local_subchannel_pool", 1),
)


def aio_channel(
    profile: Profile,
    interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
    extra: Sequence[tuple[str, Any]] = (),
) -> grpc.aio.Channel:
    """An asyncio channel to the authority of `profile`, for the running loop.

    `extra` are channel options that win over the usual ones, for callers with larger messages.
    Raises `FIELD_INVALID` when a file of the profile cannot be read.
    """
    target, options = profile.authority, list(dict([*_options(profile), *extra]).items())
    if profile.plaintext:
        return grpc.aio.insecure_channel(target, options=options, interceptors=interceptors)
    credentials = _credentials(profile)
    return grpc.aio.secure_channel(target, credentials, options=options, interceptors=interceptors)


def sync_channel(profile: Profile) -> grpc.Channel:
    """A channel to the authority of `profile` for threads; raises as `aio_channel`."""
    options = _options(profile)
    if profile.plaintext:
        return grpc.insecure_channel(profile.authority, options=options)
    return grpc.secure_channel(profile.authority, _credentials(profile), options=options)


def _options(profile: Profile) -> list[tuple[str, Any]]:
    options = list(_OPTIONS)
    if profile.server_name:
        options.append(("grpc.ssl_target_name_override", profile.server_name))
    if profile.plaintext:  # the authority is on loopback, where no proxy of the environment leads
        options.append(("grpc.enable_http_proxy", 0))
    return options


def _credentials(profile: Profile) -> grpc.ChannelCredentials:
    certificate, key = profile.client_certificate() or (None, None)
    return grpc.ssl_channel_credentials(profile.root_certificates(), key, certificate)
