"""Sessions and delegations that one edge begins and ends, for asyncio."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import grpc

from caracal_grpc.interceptors.context.session import placed
from caracal_grpc.interceptors.sessions.control import END_TIMEOUT
from caracal_grpc.interceptors.sessions.control_aio import AioControl
from caracal_grpc.interceptors.sessions.facts import (
    Delegated,
    OpenSession,
    delegation_facts,
    session_facts,
)
from caracal_grpc.interceptors.sessions.fate import AioLost
from caracal_grpc.interceptors.sessions.fates import Fates
from caracal_grpc.interceptors.sessions.methods import DELEGATE, REVOKE, START, TERMINATE, Method
from caracal_grpc.interceptors.sessions.pulse import Beats, told
from caracal_grpc.interceptors.sessions.service_aio import AioPulse, ServiceSession
from caracal_grpc.v1 import delegation_service_pb2, session_service_pb2

_log: Final = logging.getLogger("caracal.sessions")


@dataclass(frozen=True, slots=True)
class Delegation(Delegated):
    """A delegation that was made here, to be revoked here."""

    _sessions: AioSessions = field(repr=False, compare=False)

    async def revoke(self, reason: str = "") -> int:
        """Kills it and everything below it, and nothing beside it; again is no error.

        The revision at which it is dead. Raises `grpc.aio.AioRpcError`.
        """
        return await self._sessions.revoke(self.id, reason)


class AioSessions:
    """The sessions of `application` that its edge began. `close` ends their heartbeats."""

    def __init__(self, control: AioControl, zone: str, application: str, fates: Fates) -> None:
        self._control = control
        self._fates = fates
        self._zone = zone
        self._application = application
        self._pulses: set[AioPulse] = set()

    @asynccontextmanager
    async def task(self, request: Any) -> AsyncIterator[OpenSession]:
        """The session that `request` starts, acted in and then ended."""
        begun = (await self._control.call(START, request)).session
        try:
            with placed((session := self._opened(begun)).place):
                yield session
        finally:
            await self._end(begun.id)

    @asynccontextmanager
    async def service(
        self, method: Method, request: Any, *, keep: bool
    ) -> AsyncIterator[ServiceSession]:
        """The service that `request` of `method` begins, acted in, kept alive and then ended.

        With `keep` it is left to its lease.
        """
        begun = (await self._control.call(method, request)).session
        lost = AioLost()
        facts = session_facts(begun, self._application, lost)
        pulse = AioPulse(self._control, Beats(self._zone, begun), lost)
        place = facts["place"]
        self._pulses.add(pulse)
        self._fates.add(place, lost)
        pulse.start()
        try:
            with placed(place):
                yield ServiceSession(**facts, lost=lost)
        finally:
            await pulse.stop()
            self._pulses.discard(pulse)
            self._fates.remove(place)
            # Whoever took it over meanwhile goes on in the same session.
            if not keep and await pulse.is_held():
                await self._end(begun.id)

    async def delegate(self, request: Any) -> Delegation:
        """The delegation that `request` makes."""
        made = (await self._control.call(DELEGATE, request)).delegation
        return Delegation(**delegation_facts(made), _sessions=self)

    async def revoke(self, delegation: str, reason: str) -> int:
        """The revision at which `delegation` is dead."""
        request = delegation_service_pb2.DelegationServiceRevokeRequest(
            zone=self._zone, id=delegation, reason=reason
        )
        return int((await self._control.call(REVOKE, request)).revision)

    async def close(self) -> None:
        """Ends every heartbeat; the sessions end with their leases."""
        for pulse in list(self._pulses):
            await pulse.stop()

    def _opened(self, message: Any) -> OpenSession:
        return OpenSession(**session_facts(message, self._application))

    async def _end(self, session: str) -> None:
        """Ends `session`. Whoever leaves it is not held up by trouble: it ends with its time."""
        request = session_service_pb2.SessionServiceTerminateRequest(zone=self._zone, id=session)
        try:
            await self._control.call(TERMINATE, request, END_TIMEOUT)
        except grpc.RpcError as error:
            _log.warning(
                "the session %s was left, and could not be ended: %s", session, told(error)
            )
