"""Sessions and delegations that one edge begins and ends, for threads."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import grpc

from caracal_grpc.interceptors.context.session import placed
from caracal_grpc.interceptors.sessions.control import END_TIMEOUT
from caracal_grpc.interceptors.sessions.control_sync import SyncControl
from caracal_grpc.interceptors.sessions.facts import (
    Delegated,
    OpenSession,
    delegation_facts,
    session_facts,
)
from caracal_grpc.interceptors.sessions.fate import SyncLost
from caracal_grpc.interceptors.sessions.fates import Fates
from caracal_grpc.interceptors.sessions.methods import DELEGATE, REVOKE, START, TERMINATE, Method
from caracal_grpc.interceptors.sessions.pulse import Beats, told
from caracal_grpc.interceptors.sessions.service_sync import SyncPulse, SyncServiceSession
from caracal_grpc.v1 import delegation_service_pb2, session_service_pb2

_log: Final = logging.getLogger("caracal.sessions")


@dataclass(frozen=True, slots=True)
class SyncDelegation(Delegated):
    """A delegation that was made here, to be revoked here."""

    _sessions: SyncSessions = field(repr=False, compare=False)

    def revoke(self, reason: str = "") -> int:
        """Kills it and everything below it, and nothing beside it; again is no error.

        The revision at which it is dead. Raises `grpc.RpcError`.
        """
        return self._sessions.revoke(self.id, reason)


class SyncSessions:
    """The sessions of `application` that its edge began. `close` ends their heartbeats."""

    def __init__(self, control: SyncControl, zone: str, application: str, fates: Fates) -> None:
        self._control = control
        self._fates = fates
        self._zone = zone
        self._application = application
        self._pulses: set[SyncPulse] = set()

    @contextmanager
    def task(self, request: Any) -> Iterator[OpenSession]:
        """The session that `request` starts, acted in and then ended."""
        begun = (self._control.call(START, request)).session
        try:
            with placed((session := self._opened(begun)).place):
                yield session
        finally:
            self._end(begun.id)

    @contextmanager
    def service(self, method: Method, request: Any, *, keep: bool) -> Iterator[SyncServiceSession]:
        """The service that `request` of `method` begins, acted in, kept alive and then ended.

        With `keep` it is left to its lease.
        """
        begun = (self._control.call(method, request)).session
        lost = SyncLost()
        facts = session_facts(begun, self._application, lost)
        pulse = SyncPulse(self._control, Beats(self._zone, begun), lost)
        place = facts["place"]
        self._pulses.add(pulse)
        self._fates.add(place, lost)
        pulse.start()
        try:
            with placed(place):
                yield SyncServiceSession(**facts, lost=lost)
        finally:
            pulse.stop()
            pulse.join()
            self._pulses.discard(pulse)
            self._fates.remove(place)
            # Whoever took it over meanwhile goes on in the same session.
            if not keep and pulse.is_held():
                self._end(begun.id)

    def delegate(self, request: Any) -> SyncDelegation:
        """The delegation that `request` makes."""
        made = (self._control.call(DELEGATE, request)).delegation
        return SyncDelegation(**delegation_facts(made), _sessions=self)

    def revoke(self, delegation: str, reason: str) -> int:
        """The revision at which `delegation` is dead."""
        request = delegation_service_pb2.DelegationServiceRevokeRequest(
            zone=self._zone, id=delegation, reason=reason
        )
        return int((self._control.call(REVOKE, request)).revision)

    def close(self) -> None:
        """Ends every heartbeat; the sessions end with their leases."""
        for pulse in list(self._pulses):
            pulse.stop()

    def join(self) -> None:
        """Waits for the last heartbeat to end, once the channel is closed, too."""
        for pulse in list(self._pulses):
            pulse.join()

    def _opened(self, message: Any) -> OpenSession:
        return OpenSession(**session_facts(message, self._application))

    def _end(self, session: str) -> None:
        """Ends `session`. Whoever leaves it is not held up by trouble: it ends with its time."""
        request = session_service_pb2.SessionServiceTerminateRequest(zone=self._zone, id=session)
        try:
            self._control.call(TERMINATE, request, END_TIMEOUT)
        except grpc.RpcError as error:
            _log.warning(
                "the session %s was left, and could not be ended: %s", session, told(error)
            )
