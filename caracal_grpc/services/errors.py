"""The one place where what the authority raises becomes the status that a caller sees."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn, TypeAlias

import grpc
import grpc.aio

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors.status import to_status

_log = logging.getLogger("caracal.services")

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class StatusInterceptor(grpc.aio.ServerInterceptor):
    """Turns refusals into their statuses, and anything unforeseen into INTERNAL without a cause.

    The services answer unary requests only, with one message or with a stream of them.
    """

    def __init__(self) -> None:
        self._wrapped: dict[int, tuple[Handler, Handler]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The handler with its errors mapped; each handler is wrapped once."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return handler
        known = self._wrapped.get(id(handler))
        if known is None or known[0] is not handler:
            known = (handler, _wrap(handler))
            if len(self._wrapped) < 1024:
                self._wrapped[id(handler)] = known
        return known[1]


def _wrap(handler: Handler) -> Handler:
    serialisers = {
        "request_deserializer": handler.request_deserializer,
        "response_serializer": handler.response_serializer,
    }
    if handler.response_streaming:
        stream = _stream(handler.unary_stream)
        return grpc.unary_stream_rpc_method_handler(stream, **serialisers)
    return grpc.unary_unary_rpc_method_handler(_unary(handler.unary_unary), **serialisers)


def _unary(behavior: Any) -> Any:
    async def mapped(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            return await behavior(request, context)
        except CaracalError as refusal:
            await _abort(context, refusal)
        except (grpc.aio.AbortError, grpc.aio.BaseError):
            raise
        except Exception:  # noqa: BLE001 - a fault of ours must not tell its cause to a stranger
            await _fail(context)

    return mapped


def _stream(behavior: Any) -> Any:
    async def mapped(
        request: Any, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[Any]:
        try:
            async for message in behavior(request, context):
                yield message
        except CaracalError as refusal:
            await _abort(context, refusal)
        except (grpc.aio.AbortError, grpc.aio.BaseError):
            raise
        except Exception:  # noqa: BLE001 - the same
            await _fail(context)

    return mapped


async def _abort(context: grpc.aio.ServicerContext[Any, Any], refusal: CaracalError) -> NoReturn:
    if refusal.__cause__ is not None:
        _log.warning("%s", refusal.reason, exc_info=refusal.__cause__)
    status = to_status(refusal)
    await context.abort(status.code, status.details, status.trailing_metadata)
    raise refusal  # abort has raised already; this line is for readers and type checkers


async def _fail(context: grpc.aio.ServicerContext[Any, Any]) -> NoReturn:
    _log.exception("a call failed unforeseen")
    await context.abort(grpc.StatusCode.INTERNAL, "internal error; the authority's log has it")
    raise AssertionError
