"""What is done with a request behind the guard, which has let it in, and before the servicer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import grpc
import grpc.aio

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Step: TypeAlias = Callable[[Any], Any]
"""Gives what goes on in place of a request; raises the refusal of one that does not."""


class BehindInterceptor(ABC, grpc.aio.ServerInterceptor):
    """Changes the handlers of some methods, whose requests are no streams."""

    def __init__(self) -> None:
        self._changed: dict[str, tuple[Handler, Handler]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The handler, the same one for every call: the guard remembers it."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not self.concerns(method):
            return handler
        known = self._changed.get(method)
        if known is None or known[0] is not handler:
            known = self._changed[method] = handler, self.changed(method, handler)
        return known[1]

    @abstractmethod
    def concerns(self, method: str) -> bool:
        """Whether the handler of this method is to be changed."""

    @abstractmethod
    def changed(self, method: str, handler: Handler) -> Handler:
        """What stands in the place of `handler`."""


def stepping(handler: Handler, step: Step, read: Callable[[bytes], Any] | None) -> Handler:
    """`handler` with a `step` before it; `read` makes the request of what was sent."""
    write = handler.response_serializer
    if handler.response_streaming:
        stream = _stream(handler.unary_stream, step)
        return grpc.unary_stream_rpc_method_handler(stream, read, write)
    return grpc.unary_unary_rpc_method_handler(_unary(handler.unary_unary, step), read, write)


def _unary(behavior: Any, step: Step) -> Any:
    async def stepped(request: Any, context: Context) -> Any:
        return await behavior(step(request), context)

    return stepped


def _stream(behavior: Any, step: Step) -> Any:
    async def stepped(request: Any, context: Context) -> AsyncIterator[Any]:
        async for message in behavior(step(request), context):
            yield message

    return stepped
