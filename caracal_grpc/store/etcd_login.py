"""Who we are to etcd: a token by user name and password, renewed before use.

There is no task that refreshes the token, so none can die: every call, and a watch beats each
second, comes through `ready`, which logs in again when the token is old or was refused.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from grpc import StatusCode

from caracal_grpc.core.ports import Clock
from caracal_grpc.store.etcd_channel import Member, Members
from caracal_grpc.store.etcd_fault import DRIVER_ERRORS, rpc_of
from caracal_grpc.store.etcd_settings import EtcdSettings

_log = logging.getLogger(__name__)

RENEW_AFTER: Final = 240.0
"""Seconds after which a token is replaced: four fifths of etcd's default `--auth-token-ttl`."""


class Login:
    """The token of one store, shared by all its calls; one log-in is under way at a time."""

    def __init__(self, settings: EtcdSettings, members: Members, clock: Clock) -> None:
        if settings.username is not None and not settings.tls:
            _log.warning(
                "the password of etcd travels in the clear, use TLS outside of one machine"
            )
        self._username = settings.username
        self._password = settings.password
        self._timeout = settings.timeout
        self._members = members
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token: str | None = None
        self._since = 0.0

    async def ready(self, member: Member) -> str | None:
        """The token that the next call will carry; logs in through `member` when it must.

        Raises the driver's errors.
        """
        if self._username is None or self._fresh():
            return self._token
        async with self._lock:
            if not self._fresh():
                await self._renew(member)
        return self._token

    def refused(self, token: str | None) -> None:
        """Forgets `token`, which etcd refused, unless another call has replaced it already."""
        if token == self._token:
            self._token = None

    def _fresh(self) -> bool:
        age = self._clock.monotonic() - self._since
        return self._token is not None and age < RENEW_AFTER

    async def _renew(self, member: Member) -> None:
        started = self._clock.monotonic()
        self._token = await self._authenticate(member)
        self._since = started
        self._members.set_token(self._token)

    async def _authenticate(self, member: Member) -> str:
        try:
            answer = await member.auth.authenticate(
                self._username or "", self._password or "", timeout=self._timeout, max_attempts=1
            )
        except DRIVER_ERRORS as error:
            if not _auth_is_off(error):
                raise
            _log.warning("etcd has a user name for us but its authentication is not enabled")
            return ""
        return str(answer.token)


def _auth_is_off(error: BaseException) -> bool:
    rpc = rpc_of(error)
    return (
        rpc is not None
        and rpc.code() is StatusCode.FAILED_PRECONDITION
        and "not enabled" in (rpc.details() or "")
    )
