"""Mandates on calls, chosen by the test: no rule is asked and nothing is renewed."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio

Metadata = tuple[tuple[str, str], ...]


def bearing(mandate: str) -> Metadata:
    """The metadata of a call that carries `mandate`, `metadata=bearing(mandate)`."""
    return (("authorization", f"Bearer {mandate}"),)


def aio_bearers(mandate: str) -> list[grpc.aio.ClientInterceptor]:
    """The interceptors of a `grpc.aio` channel whose every call carries `mandate`."""
    # grpc.aio files an interceptor under the first of the four base classes that it matches.
    return [_UnaryUnary(mandate), _UnaryStream(mandate), _StreamUnary(mandate), _Duplex(mandate)]


class _Bearer:
    def __init__(self, mandate: str) -> None:
        self._entries = bearing(mandate)

    def _details(self, details: Any) -> Any:
        metadata = (*(details.metadata or ()), *self._entries)
        return details._replace(metadata=grpc.aio.Metadata(*metadata))


class _UnaryUnary(_Bearer, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        return await continuation(self._details(client_call_details), request)


class _UnaryStream(_Bearer, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        return await continuation(self._details(client_call_details), request)


class _StreamUnary(_Bearer, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await continuation(self._details(client_call_details), request_iterator)


class _Duplex(_Bearer, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await continuation(self._details(client_call_details), request_iterator)


class SyncBearer(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Lets every call of a synchronous channel carry `mandate`."""

    def __init__(self, mandate: str) -> None:
        self._entries = bearing(mandate)

    def _carry(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        metadata = (*(client_call_details.metadata or ()), *self._entries)
        return continuation(client_call_details._replace(metadata=metadata), request)

    intercept_unary_unary: Any = _carry
    intercept_unary_stream: Any = _carry
    intercept_stream_unary: Any = _carry
    intercept_stream_stream: Any = _carry
