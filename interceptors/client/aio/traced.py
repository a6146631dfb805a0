"""The layers around the client interceptors of `grpc.aio` channels whose calls are observed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import grpc
from grpc.aio import AioRpcError, ClientCallDetails

from caracal_grpc.interceptors.client.tracing import Tracing, Watched, pending, taken

_Run = Callable[[Any, Any, Any], Awaitable[Any]]


def traced(
    interceptors: list[grpc.aio.ClientInterceptor], tracing: Tracing | None
) -> list[grpc.aio.ClientInterceptor]:
    """`interceptors`, observed when somebody does."""
    if tracing is None:
        return interceptors
    return [*_layer(partial(_outer, tracing)), *interceptors, *_layer(partial(_inner, tracing))]


def traced_tie(tracing: Tracing | None) -> list[grpc.aio.ClientInterceptor]:
    """The interceptors of a channel to the authority: exchanges are observed, the feed is not."""
    return [] if tracing is None else [_UnaryUnary(partial(_inner, tracing))]


async def _outer(tracing: Tracing, continuation: Any, details: Any, request: Any) -> Any:
    call = tracing.begin(details.method, request)
    if call is None:
        return await continuation(details, request)
    with pending(tracing, call):
        try:
            return await continuation(_carrying(call, details), request)
        except BaseException as error:
            call.ended(*_status_of(error))
            raise


async def _inner(tracing: Tracing, continuation: Any, details: Any, request: Any) -> Any:
    call = taken(tracing)
    if call is not None:
        call.sent(details.metadata)
        return _watched(call, await continuation(details, request))
    call = tracing.begin(details.method, request)
    if call is None:
        return await continuation(details, request)
    with call.current():
        try:
            details = _carrying(call, details)
            call.sent(details.metadata)
            made = await continuation(details, request)
        except BaseException as error:
            call.ended(*_status_of(error))
            raise
    return _watched(call, made)


def _watched(call: Watched, made: Any) -> Any:
    """`made`, whose end `call` hears of."""
    if made.done():  # another's interceptor awaited it; its answer takes no callback
        _end(call, made)
    else:
        made.add_done_callback(partial(_end, call))
    return made


def _end(call: Watched, made: Any) -> None:
    code = _at_once(made.code()) or grpc.StatusCode.UNKNOWN
    call.ended(code, _at_once(made.trailing_metadata()) or ())


def _at_once(asked: Coroutine[Any, Any, Any]) -> Any:
    """What `asked` answers, which a call that is over does without waiting; `None` if it waits."""
    try:
        asked.send(None)
    except StopIteration as answer:
        return answer.value
    asked.close()
    return None


def _carrying(call: Watched, details: Any) -> Any:
    return ClientCallDetails(
        details.method,
        details.timeout,
        grpc.aio.Metadata(*call.carried(details.metadata)),
        details.credentials,
        details.wait_for_ready,
    )


def _status_of(error: BaseException) -> tuple[grpc.StatusCode, Any]:
    if isinstance(error, AioRpcError):
        return error.code(), error.trailing_metadata()
    cancelled = isinstance(error, asyncio.CancelledError)
    return grpc.StatusCode.CANCELLED if cancelled else grpc.StatusCode.UNKNOWN, ()


def _layer(run: _Run) -> list[grpc.aio.ClientInterceptor]:
    return [kind(run) for kind in (_UnaryUnary, _UnaryStream, _StreamUnary, _StreamStream)]


class _Interceptor:
    def __init__(self, run: _Run) -> None:
        self._run = run


class _UnaryUnary(_Interceptor, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        return await self._run(continuation, client_call_details, request)


class _UnaryStream(_Interceptor, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        return await self._run(continuation, client_call_details, request)


class _StreamUnary(_Interceptor, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await self._run(continuation, client_call_details, request_iterator)


class _StreamStream(_Interceptor, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await self._run(continuation, client_call_details, request_iterator)
