"""The one place where what the authority raises becomes the status that a caller sees."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, NoReturn, TypeAlias

import grpc
import grpc.aio

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_ANSWER, MAX_REQUEST, MAX_SHORT_REQUEST
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.guard.plan import Style, style_of
from caracal_grpc.interceptors.status import to_status
from caracal_grpc.services.drain import Drain
from caracal_grpc.services.long_requests import LONG, parsed

_log = logging.getLogger("caracal.services")

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Reader: TypeAlias = Callable[[bytes], Any]
Writer: TypeAlias = Callable[[Any], bytes]
Around: TypeAlias = Callable[[], AbstractContextManager[None]]


class StatusInterceptor(grpc.aio.ServerInterceptor):
    """Turns refusals into their statuses, and anything unforeseen into INTERNAL without a cause.

    The services take one message each, which is read here so that one that is broken or too long is
    refused, too, but for what `LongRequestInterceptor` reads; and so is an answer of more than
    `max_answer` bytes, which is written here. `drain` counts the calls, gRPC's own services aside.
    """

    def __init__(self, drain: Drain | None = None, max_answer: int = MAX_ANSWER) -> None:
        self._drain = drain or Drain()
        self._max_answer = max_answer

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The handler with its errors mapped. The guard gives each call a handler of its own."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return handler
        method = handler_call_details.method
        infrastructure = method.startswith("/grpc.")
        return self._wrap(method, handler, nullcontext if infrastructure else self._drain.call)

    def _wrap(self, method: str, handler: Handler, around: Around) -> Handler:
        read = _reader(method, handler.request_deserializer)
        write = self._bounded(handler.response_serializer or _as_it_is)
        if not handler.response_streaming:
            unary = _unary(handler.unary_unary, read, write, around)
            return grpc.unary_unary_rpc_method_handler(unary)
        if style_of(handler.unary_stream) is Style.ASYNC_GENERATOR:
            stream = _stream(handler.unary_stream, read, write, around)
            return grpc.unary_stream_rpc_method_handler(stream)
        # gRPC's own services write to the context, where nothing is between them and gRPC.
        stream = _unary(handler.unary_stream, read, _as_it_is, around)
        return grpc.unary_stream_rpc_method_handler(
            stream, response_serializer=handler.response_serializer
        )

    def _bounded(self, write: Writer) -> Writer:
        def bounded(answer: Any) -> bytes:
            payload = write(answer)
            if len(payload) > self._max_answer:
                raise _too_long(_LONG_ANSWER, self._max_answer)
            return payload

        return bounded


def _as_it_is(payload: Any) -> Any:
    return payload


_LONG_ANSWER: Final = (
    "the answer is over {} bytes; ask for smaller pages, or for its parts by their lists"
)
_LONG_REQUEST: Final = "a request holds at most {} bytes here; make it smaller, or ask in parts"


def _too_long(text: str, most: int) -> CaracalError:
    return CaracalError(Reason.LIMIT_EXCEEDED, text.format(most), metadata={"limit": str(most)})


def _reader(method: str, read: Reader | None) -> Reader:
    """Reads a request that is no longer than those of the method may be."""
    most = MAX_REQUEST if method in LONG else MAX_SHORT_REQUEST

    def bounded(payload: bytes) -> Any:
        if len(payload) > most:
            raise _too_long(_LONG_REQUEST, most)
        return parsed(read, payload)

    return bounded


def _unary(behavior: Any, read: Reader, write: Writer, around: Around) -> Any:
    async def mapped(payload: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            with around():
                return write(await behavior(read(payload), context))
        except CaracalError as refusal:
            await _abort(context, refusal)
        except (grpc.aio.AbortError, grpc.aio.BaseError):
            raise
        except Exception:  # noqa: BLE001 - a fault of ours must not tell its cause to a stranger
            await _fail(context)

    return mapped


def _stream(behavior: Any, read: Reader, write: Writer, around: Around) -> Any:
    async def mapped(
        payload: bytes, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[Any]:
        try:
            with around():
                async for message in behavior(read(payload), context):
                    yield write(message)
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
