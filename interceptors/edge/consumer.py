"""Single use over the wire: an edge has its authority consume the mandates that it is shown.

It does so as the application that it is, with a mandate of its own. An answer that was lost is
asked for again with the same request id, hence for the same use.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

import grpc

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import REQUEST
from caracal_grpc.core.ports import Ids
from caracal_grpc.interceptors.client.tokens import ExchangeError
from caracal_grpc.interceptors.guard.consumer import unconsumed
from caracal_grpc.interceptors.guard.gate import Admission
from caracal_grpc.interceptors.sessions.control_aio import AioControl
from caracal_grpc.interceptors.sessions.control_sync import SyncControl
from caracal_grpc.interceptors.sessions.methods import CONSUME
from caracal_grpc.interceptors.status import from_rpc_error
from caracal_grpc.v1 import token_service_pb2

_log: Final = logging.getLogger("caracal.guard")

_ABOUT_THE_CALLER: Final = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})


class AioConsumer:
    """Consumes over the connection of an asyncio edge to its authority."""

    def __init__(self, control: AioControl, ids: Ids, zone: str) -> None:
        self._control = control
        self._ids = ids
        self._zone = zone

    async def __call__(self, admission: Admission, timeout: float) -> None:
        """See `guard.consumer.AioConsumer`."""
        try:
            await self._control.answer(CONSUME, _request(self._zone, self._ids, admission), timeout)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise _refusal(error, admission) from error  # the channel was closed
        except Exception as error:
            raise _refusal(error, admission) from error


class SyncConsumer:
    """Consumes over the connection of an edge for threads, in the thread of the call."""

    def __init__(self, control: SyncControl, ids: Ids, zone: str) -> None:
        self._control = control
        self._ids = ids
        self._zone = zone

    def __call__(self, admission: Admission, timeout: float) -> None:
        """See `guard.consumer.SyncConsumer`."""
        try:
            self._control.answer(CONSUME, _request(self._zone, self._ids, admission), timeout)
        except Exception as error:
            raise _refusal(error, admission) from error


def _request(zone: str, ids: Ids, admission: Admission) -> token_service_pb2.ConsumeRequest:
    return token_service_pb2.ConsumeRequest(
        zone=zone,
        mandate=admission.token,
        request_id=admission.use or ids.new(REQUEST),
        method=admission.method,
    )


def _about_the_caller(error: BaseException) -> CaracalError | None:
    """The refusal of the caller's mandate, which is recorded; `None` for one of our own."""
    refusal = from_rpc_error(error) if isinstance(error, grpc.RpcError) else None
    if refusal is None or refusal.code not in _ABOUT_THE_CALLER:
        return None
    return refusal if "audit_id" in refusal.metadata else None


def _refusal(error: BaseException, admission: Admission) -> CaracalError:
    """What the call is refused with; of trouble with the authority only the log knows more."""
    refusal = _about_the_caller(error)
    if refusal is not None:
        return refusal
    _log.warning("no mandate can be consumed for %s: %s", admission.method, _told(error))
    return unconsumed()


def _told(error: BaseException) -> str:
    if isinstance(error, grpc.RpcError):
        raised: Any = error
        return f"{raised.code().name}: {raised.details()}"
    return str(error) if isinstance(error, ExchangeError) else repr(error)
