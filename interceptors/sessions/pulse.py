"""The heartbeat of a service session: when, and what is made of an answer."""

from __future__ import annotations

import logging
from typing import Any, Final

import grpc

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors.sessions.facts import seconds
from caracal_grpc.interceptors.sessions.fate import is_final
from caracal_grpc.interceptors.status import from_rpc_error
from caracal_grpc.v1 import session_service_pb2

_log: Final = logging.getLogger("caracal.sessions")

SHARE: Final = 1 / 3
"""Of a lease, between two heartbeats: one may be lost, and the next is in time."""

_JITTER: Final = 0.1
_LONGEST: Final = 10.0


class Beats:
    """The heartbeats of the holder of the service `session`, as the authority told of it."""

    def __init__(self, zone: str, session: Any) -> None:
        self.request = session_service_pb2.SessionServiceHeartbeatRequest(
            zone=zone, id=session.id, generation=session.lease.generation
        )
        self._seconds = seconds(session.lease.duration)

    def pause(self, random: float) -> float:
        """Seconds to the next one; `random`, from 0 to 1, keeps a fleet from beating at once."""
        return self._seconds * SHARE * (1 + _JITTER * (2 * random - 1))

    @property
    def timeout(self) -> float:
        """Seconds that one may take."""
        return min(self._seconds * SHARE, _LONGEST)

    def verdict(self, error: grpc.RpcError) -> CaracalError | None:
        """Why the session is lost, after a heartbeat that failed so; `None` to try the next."""
        refusal = from_rpc_error(error)
        if is_final(refusal):
            _log.warning("the session %s is lost: %s", self.request.id, refusal)
            return refusal
        _log.warning("a heartbeat of the session %s failed: %s", self.request.id, told(error))
        return None


def told(error: grpc.RpcError) -> str:
    """What a failure says, for the log."""
    raised: Any = error
    return str(from_rpc_error(error) or f"{raised.code().name}: {raised.details()}")
