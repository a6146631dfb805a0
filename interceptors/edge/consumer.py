"""Single use over the wire: an edge has its authority consume the mandates that it is shown.

It does so as the application that it is, with a mandate of its own. An answer that was lost is
asked for again with the same request id, hence for the same use.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any, Final

import grpc
from tenacity import AsyncRetrying, Retrying

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import REQUEST
from caracal_grpc.core.limits import AUTHORITY_RESOURCE
from caracal_grpc.core.ports import Ids
from caracal_grpc.interceptors.client.attachment import Metadata, attach
from caracal_grpc.interceptors.client.exchange import Attempts
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError
from caracal_grpc.interceptors.client.tries import is_renewable
from caracal_grpc.interceptors.guard.consumer import unconsumed
from caracal_grpc.interceptors.guard.gate import Admission
from caracal_grpc.interceptors.status import from_rpc_error
from caracal_grpc.v1 import token_service_pb2, token_service_pb2_grpc

_log: Final = logging.getLogger("caracal.guard")

CONSUME_ASK: Final = Ask(AUTHORITY_RESOURCE, frozenset({"caracal:mandates:consume"}))

_MAX_ATTEMPTS: Final = 3
_ABOUT_THE_CALLER: Final = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})


class _Consumer:
    """What both have in common."""

    def __init__(self, channel: Any, tokens: Any, ids: Ids, zone: str, binding: str | None) -> None:
        self._stub: Any = token_service_pb2_grpc.TokenServiceStub(channel)
        self._tokens = tokens
        self._ids = ids
        self._zone = zone
        self._ask = replace(CONSUME_ASK, binding=binding)

    def _request(self, admission: Admission) -> token_service_pb2.ConsumeRequest:
        return token_service_pb2.ConsumeRequest(
            zone=self._zone,
            mandate=admission.token,
            request_id=self._ids.new(REQUEST),
            method=admission.method,
        )

    def _is_over(self, error: grpc.RpcError, token: str) -> bool:
        """Whether `token`, which is this edge's own, was refused and is worth replacing."""
        raised: Any = error
        if _about_the_caller(error) or not is_renewable(raised.code(), raised.trailing_metadata()):
            return False
        return bool(self._tokens.drop(self._ask, token))


class AioConsumer(_Consumer):
    """Consumes over a channel of `grpc.aio`, with mandates out of `AioTokens`."""

    async def __call__(self, admission: Admission, timeout: float) -> None:
        """See `guard.consumer.AioConsumer`."""
        try:
            await self._consume(self._request(admission), Attempts(timeout, _MAX_ATTEMPTS))
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise _refusal(error, admission) from error  # the channel was closed
        except Exception as error:
            raise _refusal(error, admission) from error

    async def _consume(self, request: Any, attempts: Attempts) -> None:
        for last in (False, True):
            token = await self._tokens.get(self._ask, attempts.remaining())
            try:
                await self._send(request, attach(None, token), attempts)
            except grpc.RpcError as error:
                if last or not self._is_over(error, token):
                    raise
            else:
                return

    async def _send(self, request: Any, metadata: Metadata, attempts: Attempts) -> None:
        async for attempt in AsyncRetrying(**attempts.arguments()):
            with attempt:
                await self._stub.Consume(request, timeout=attempts.remaining(), metadata=metadata)


class SyncConsumer(_Consumer):
    """Consumes over a synchronous channel, in the thread of the call, with `SyncTokens`."""

    def __call__(self, admission: Admission, timeout: float) -> None:
        """See `guard.consumer.SyncConsumer`."""
        try:
            self._consume(self._request(admission), Attempts(timeout, _MAX_ATTEMPTS))
        except Exception as error:
            raise _refusal(error, admission) from error

    def _consume(self, request: Any, attempts: Attempts) -> None:
        for last in (False, True):
            token = self._tokens.get(self._ask, attempts.remaining())
            try:
                self._send(request, attach(None, token), attempts)
            except grpc.RpcError as error:
                if last or not self._is_over(error, token):
                    raise
            else:
                return

    def _send(self, request: Any, metadata: Metadata, attempts: Attempts) -> None:
        for attempt in Retrying(**attempts.arguments()):
            with attempt:
                self._stub.Consume(request, timeout=attempts.remaining(), metadata=metadata)


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
