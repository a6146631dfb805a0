"""The connections to etcd: one channel to each endpoint, and which of them is in use.

One channel for all endpoints would be shorter, but gRPC has no target of several names, and it
would check every server's certificate against one name. So we go round the endpoints ourselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import grpc
import grpc.aio
from etcd3aio.auth import AuthService
from etcd3aio.cluster import ClusterService
from etcd3aio.kv import KVService
from etcd3aio.lease import LeaseService
from etcd3aio.maintenance import MaintenanceService
from etcd3aio.watch import WatchService

from caracal_grpc.store.etcd_settings import EtcdSettings

MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
"""The largest answer that we take: one page of a list, one batch of a watch."""

_OPTIONS: Final = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.enable_http_proxy", 0),  # an environment variable must not reroute the store
    ("grpc.service_config_disable_resolution", 1),  # DNS must not configure retries of writes
    ("grpc.use_local_subchannel_pool", 1),
)


class OneStreamWatch(WatchService):
    """A watch that ends at its first error instead of resuming by itself.

    The driver resumes from the revision of the last header, which a `created` answer carries too:
    events between our revision and that one would be skipped; and after a compaction it goes on as
    if nothing were missing. We know what we have applied, so we resume.
    """

    @staticmethod
    def _is_transient_error(exc: grpc.aio.AioRpcError) -> bool:  # noqa: ARG004
        return False


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One endpoint: its channel and the services of etcd on it."""

    channel: grpc.aio.Channel
    kv: KVService
    lease: LeaseService
    watch: WatchService
    auth: AuthService
    maintenance: MaintenanceService
    cluster: ClusterService

    def set_token(self, token: str | None) -> None:
        """Sends `token` with every later call, or none."""
        for service in (self.kv, self.lease, self.watch, self.maintenance, self.cluster):
            service.set_token(token)


class Members:
    """All endpoints in the order given, and the one in use until it fails."""

    def __init__(self, settings: EtcdSettings) -> None:
        self._all = tuple(_member(settings, target) for target in settings.targets)
        self._index = 0

    def __len__(self) -> int:
        return len(self._all)

    @property
    def all(self) -> tuple[Member, ...]:
        """Every endpoint, in the order given."""
        return self._all

    @property
    def current(self) -> Member:
        """The endpoint that the next call goes to."""
        return self._all[self._index]

    def failed(self, member: Member) -> None:
        """Turns to the next endpoint, unless another call that failed on `member` has done so."""
        if member is self.current:
            self._index = (self._index + 1) % len(self._all)

    def set_token(self, token: str | None) -> None:
        """Sends `token` to every endpoint: a token of etcd is good at each member of a cluster."""
        for member in self._all:
            member.set_token(token)

    async def close(self) -> None:
        """Closes every channel; calls under way end."""
        for member in self._all:
            await member.channel.close()


def _member(settings: EtcdSettings, target: str) -> Member:
    channel = _channel(settings, target)
    return Member(
        channel,
        KVService(channel, max_attempts=1),
        LeaseService(channel, max_attempts=1),
        OneStreamWatch(channel, max_attempts=1),
        AuthService(channel, max_attempts=1),
        MaintenanceService(channel, max_attempts=1),
        ClusterService(channel, max_attempts=1),
    )


def _channel(settings: EtcdSettings, target: str) -> grpc.aio.Channel:
    if not settings.tls:
        return grpc.aio.insecure_channel(target, options=_OPTIONS)
    options: list[tuple[str, int | str]] = list(_OPTIONS)
    if settings.server_name is not None:
        options.append(("grpc.ssl_target_name_override", settings.server_name))
    credentials = grpc.ssl_channel_credentials(settings.ca, settings.key, settings.cert)
    return grpc.aio.secure_channel(target, credentials, options=options)
