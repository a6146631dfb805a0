"""The one place where what the authority raises becomes the status that a caller sees."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NoReturn, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.interceptors.guard.plan import Style, style_of
from caracal_grpc.interceptors.status import to_status
from caracal_grpc.services.drain import Drain

_log = logging.getLogger("caracal.services")

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Reader: TypeAlias = Callable[[bytes], Any]
Around: TypeAlias = Callable[[], AbstractContextManager[None]]


class StatusInterceptor(grpc.aio.ServerInterceptor):
    """Turns refusals into their statuses, and anything unforeseen into INTERNAL without a cause.

    The services take one message each, which is read here so that a broken one is refused, too.
    `drain` counts the calls, gRPC's own services aside.
    """

    def __init__(self, drain: Drain | None = None) -> None:
        self._drain = drain or Drain()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The handler with its errors mapped. The guard gives each call a handler of its own."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return handler
        infrastructure = handler_call_details.method.startswith("/grpc.")
        return _wrap(handler, nullcontext if infrastructure else self._drain.call)


def _wrap(handler: Handler, around: Around) -> Handler:
    read = handler.request_deserializer or _as_it_is
    if handler.response_streaming:
        stream = _stream(handler.unary_stream, read, around)
        return grpc.unary_stream_rpc_method_handler(
            stream, response_serializer=handler.response_serializer
        )
    unary = _unary(handler.unary_unary, read, around)
    return grpc.unary_unary_rpc_method_handler(
        unary, response_serializer=handler.response_serializer
    )


def _as_it_is(payload: bytes) -> bytes:
    return payload


def _unary(behavior: Any, read: Reader, around: Around) -> Any:
    async def mapped(payload: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            with around():
                return await behavior(_parsed(read, payload), context)
        except CaracalError as refusal:
            await _abort(context, refusal)
        except (grpc.aio.AbortError, grpc.aio.BaseError):
            raise
        except Exception:  # noqa: BLE001 - a fault of ours must not tell its cause to a stranger
            await _fail(context)

    return mapped


def _stream(behavior: Any, read: Reader, around: Around) -> Any:
    """In the style of `behavior`: gRPC's own services write to the context, ours generate."""
    if style_of(behavior) is not Style.ASYNC_GENERATOR:
        return _unary(behavior, read, around)

    async def mapped(
        payload: bytes, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[Any]:
        try:
            with around():
                async for message in behavior(_parsed(read, payload), context):
                    yield message
        except CaracalError as refusal:
            await _abort(context, refusal)
        except (grpc.aio.AbortError, grpc.aio.BaseError):
            raise
        except Exception:  # noqa: BLE001 - the same
            await _fail(context)

    return mapped


def _parsed(read: Reader, payload: bytes) -> Any:
    """The request; gRPC itself would answer broken bytes with UNKNOWN and log a traceback."""
    try:
        return read(payload)
    except (DecodeError, ValueError):
        raise field_invalid("request", "is not a message of this method") from None


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
