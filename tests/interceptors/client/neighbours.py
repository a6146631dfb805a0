"""Interceptors of other people, for all four cardinalities of either stack."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import grpc.aio

TAG = ("x-tag", "theirs")

_BASES: dict[str, Any] = {
    "unary_unary": grpc.aio.UnaryUnaryClientInterceptor,
    "unary_stream": grpc.aio.UnaryStreamClientInterceptor,
    "stream_unary": grpc.aio.StreamUnaryClientInterceptor,
    "stream_stream": grpc.aio.StreamStreamClientInterceptor,
}
_CALLS: dict[str, Any] = {
    "unary_unary": grpc.aio.UnaryUnaryCall,
    "unary_stream": grpc.aio.UnaryStreamCall,
    "stream_unary": grpc.aio.StreamUnaryCall,
    "stream_stream": grpc.aio.StreamStreamCall,
}


def around_aio(behave: Callable[..., Any]) -> tuple[Any, ...]:
    """Four interceptors of `grpc.aio` that do as `behave(kind, continuation, details, request)`."""

    def made(kind: str) -> Any:
        async def intercept(_: Any, continuation: Any, details: Any, request: Any) -> Any:
            return await behave(kind, continuation, details, request)

        return type(f"Their_{kind}", (_BASES[kind],), {f"intercept_{kind}": intercept})()

    return tuple(made(kind) for kind in _BASES)


async def retrying(kind: str, continuation: Any, details: Any, request: Any) -> Any:
    """Makes the call again, once, when its service is not there; keeps what it is to send."""
    if kind.startswith("stream"):
        request = [each async for each in request] if hasattr(request, "__aiter__") else [*request]

    async def call() -> Any:
        return await continuation(details, _each(request) if kind.startswith("stream") else request)

    first = await call()
    if kind.endswith("stream"):
        return _retried(first, call)
    return await call() if await first.code() is grpc.StatusCode.UNAVAILABLE else first


async def _each(requests: list[Any]) -> AsyncIterator[Any]:
    for request in requests:
        yield request


async def _retried(first: Any, call: Callable[[], Any]) -> AsyncIterator[Any]:
    try:
        async for response in first:
            yield response
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        async for response in await call():
            yield response


class Logging:
    """Awaits each call, and notes how it ended."""

    def __init__(self) -> None:
        self.seen: list[grpc.StatusCode] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __call__(self, kind: str, continuation: Any, details: Any, request: Any) -> Any:
        """Of one response inside the chain, of several beside it."""
        call = await continuation(details, request)
        if kind.endswith("stream"):
            self._tasks.append(asyncio.create_task(self._note(call)))
            return call
        try:
            await call
        finally:
            await self._note(call)
        return call

    async def ended(self) -> None:
        """Returns when all that it waits for has ended."""
        await asyncio.gather(*self._tasks)

    async def _note(self, call: Any) -> None:
        self.seen.append(await call.code())


async def tagging(_: str, continuation: Any, details: Any, request: Any) -> Any:
    """Puts a plain tuple in the place of the metadata."""
    metadata = (*(details.metadata or ()), TAG)
    return await continuation(details._replace(metadata=metadata), request)


async def wrapping(kind: str, continuation: Any, details: Any, request: Any) -> Any:
    """Gives back a call object of its own."""
    return _wrapped(kind, await continuation(details, request))


def _wrapped(kind: str, call: Any) -> Any:
    base = _CALLS[kind]

    def passed_on(name: str) -> Callable[..., Any]:
        return lambda _, *what: getattr(call, name)(*what)

    methods = {name: passed_on(name) for name in base.__abstractmethods__}
    return type(f"Wrapped_{kind}", (base,), methods)()


class _Sync(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    def __init__(self, behave: Callable[..., Any]) -> None:
        self._behave = behave

    def intercept_unary_unary(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        return self._behave("unary_unary", continuation, client_call_details, request)

    def intercept_unary_stream(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        return self._behave("unary_stream", continuation, client_call_details, request)

    def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return self._behave("stream_unary", continuation, client_call_details, request_iterator)

    def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return self._behave("stream_stream", continuation, client_call_details, request_iterator)


def around_sync(behave: Callable[..., Any]) -> tuple[Any, ...]:
    """An interceptor of synchronous channels that does as `behave`."""
    return (_Sync(behave),)


def retrying_sync(kind: str, continuation: Any, details: Any, request: Any) -> Any:
    """As `retrying`."""
    sent = [*request] if kind.startswith("stream") else request

    def call() -> Any:
        return continuation(details, iter(sent) if kind.startswith("stream") else sent)

    if kind.endswith("stream"):
        return _retried_sync(call)
    first = call()
    return call() if first.code() is grpc.StatusCode.UNAVAILABLE else first


def _retried_sync(call: Callable[[], Any]) -> Iterator[Any]:
    try:
        yield from call()
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        yield from call()


class LoggingSync:
    """Notes how each call ended, from a callback."""

    def __init__(self) -> None:
        self.seen: list[grpc.StatusCode] = []

    def __call__(self, kind: str, continuation: Any, details: Any, request: Any) -> Any:
        """Waits for one response, and not for several."""
        call = continuation(details, request)
        if kind.endswith("unary"):
            call.exception()
        call.add_done_callback(lambda ended: self.seen.append(ended.code()))
        return call


def tagging_sync(_: str, continuation: Any, details: Any, request: Any) -> Any:
    """With details that hold only what gRPC asks for."""
    tagged: Any = grpc.ClientCallDetails()
    tagged.method = details.method
    tagged.timeout = details.timeout
    tagged.metadata = (*(details.metadata or ()), TAG)
    return continuation(tagged, request)


class _Wrapped:
    """Somebody's call object: like the one within, but another."""

    def __init__(self, call: Any) -> None:
        self._inner = call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self._inner)


def wrapping_sync(_: str, continuation: Any, details: Any, request: Any) -> Any:
    """Gives back a call object of its own."""
    return _Wrapped(continuation(details, request))
