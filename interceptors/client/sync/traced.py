"""The layers around the client interceptor of sync channels whose calls are observed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import grpc

from caracal_grpc.interceptors.client.sync.details import Details
from caracal_grpc.interceptors.client.tracing import Tracing, Watched, pending, taken

_Run = Callable[[Any, Any, Any], Any]


def traced(interceptors: list[Any], tracing: Tracing | None) -> list[Any]:
    """`interceptors`, observed when somebody does."""
    if tracing is None:
        return interceptors
    return [_Interceptor(partial(_outer, tracing)), *interceptors, *traced_tie(tracing)]


def traced_tie(tracing: Tracing | None) -> list[Any]:
    """The interceptors of a channel to the authority."""
    return [] if tracing is None else [_Interceptor(partial(_inner, tracing))]


def _outer(tracing: Tracing, continuation: Any, details: Any, request: Any) -> Any:
    call = tracing.begin(details.method, request)
    if call is None:
        return continuation(details, request)
    with pending(tracing, call) as waiting:
        try:
            made = continuation(_carrying(call, details), request)
        except BaseException as error:
            _failed(call, error)
            raise
    if waiting:  # it ended before it was made
        _watched(call, made)
    return made


def _inner(tracing: Tracing, continuation: Any, details: Any, request: Any) -> Any:
    call = taken(tracing)
    if call is not None:
        # The outer layer is on this call's way out, and hears of what is raised.
        call.sent(details.metadata)
        return _watched(call, continuation(details, request))
    call = tracing.begin(details.method, request)
    if call is None:
        return continuation(details, request)
    with call.current():
        try:
            details = _carrying(call, details)
            call.sent(details.metadata)
            made = continuation(details, request)
        except BaseException as error:
            _failed(call, error)
            raise
    return _watched(call, made)


def _failed(call: Watched, error: BaseException) -> None:
    status: Any = error
    if isinstance(error, grpc.RpcError):
        call.ended(status.code(), status.trailing_metadata())
    else:
        call.ended(grpc.StatusCode.UNKNOWN, ())


def _watched(call: Watched, made: Any) -> Any:
    """`made`, whose end `call` hears of."""
    if hasattr(made, "add_done_callback"):
        made.add_done_callback(lambda _: call.ended(made.code(), made.trailing_metadata()))
    else:  # another's interceptor answered by itself
        call.ended(grpc.StatusCode.OK, ())
    return made


def _carrying(call: Watched, details: Any) -> Details:
    read = Details.of(details)
    return read._replace(metadata=call.carried(read.metadata))


class _Interceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    def __init__(self, run: _Run) -> None:
        self._run = run

    def intercept_unary_unary(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        return self._run(continuation, client_call_details, request)

    def intercept_unary_stream(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        return self._run(continuation, client_call_details, request)

    def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return self._run(continuation, client_call_details, request_iterator)

    def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return self._run(continuation, client_call_details, request_iterator)
