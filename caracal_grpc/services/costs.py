"""What calls of operators cost, and how much of it one application may have.

Exchanges have limits of their own (`authority/exchange/rates.py`), and so have new policies
(`authority/policies/catalogue.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

import grpc
import grpc.aio

from caracal_grpc.authority.state.bucket import Bucket, Buckets
from caracal_grpc.core.ports import Clock
from caracal_grpc.interceptors.context.current import current_mandate

RATE: Final = 20.0
BURST: Final = 200.0
"""What one application may spend at one replica, a second and at once."""

COSTS: Final[Mapping[str, int]] = {
    "/caracal.v1.DiagnosticsService/Diagnose": 10,
    "/caracal.v1.PolicyService/Replay": 20,
    "/caracal.v1.PolicyService/Simulate": 1,
    "/caracal.v1.ZoneService/Apply": 2,
    "/caracal.v1.ZoneService/Get": 2,
}
"""What one call of a method costs; about 10 ms of a processor each."""

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class CostInterceptor(grpc.aio.ServerInterceptor):
    """Takes what a method costs out of its caller's bucket; `RATE_LIMITED` when that is empty.

    For a further method add it to `COSTS`, and RATE_LIMITED to its comment in the proto; nothing
    else. It stands behind the guard, so that nobody spends what is another's, and a refusal costs
    neither an entry of the ledger nor any work.
    """

    def __init__(self, clock: Clock, costs: Mapping[str, int] = COSTS) -> None:
        text = "too many costly calls of the application; wait as long as it says"
        self._buckets = Buckets(lambda: Bucket(clock, RATE, BURST, text))
        self._costs = costs
        self._wrapped: dict[str, tuple[Handler, Handler]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The handler, the same one for every call: the guard remembers it."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        cost = self._costs.get(method)
        if handler is None or cost is None:
            return handler
        known = self._wrapped.get(method)
        if known is None or known[0] is not handler:
            known = self._wrapped[method] = handler, self._wrap(handler, cost)
        return known[1]

    def _wrap(self, handler: Handler, cost: int) -> Handler:
        read, write = handler.request_deserializer, handler.response_serializer
        if handler.response_streaming:
            stream = self._stream(handler.unary_stream, cost)
            return grpc.unary_stream_rpc_method_handler(stream, read, write)
        return grpc.unary_unary_rpc_method_handler(
            self._unary(handler.unary_unary, cost), read, write
        )

    def _unary(self, behavior: Any, cost: int) -> Any:
        async def counted(request: Any, context: Context) -> Any:
            self._take(cost)
            return await behavior(request, context)

        return counted

    def _stream(self, behavior: Any, cost: int) -> Any:
        async def counted(request: Any, context: Context) -> AsyncIterator[Any]:
            self._take(cost)
            async for message in behavior(request, context):
                yield message

        return counted

    def _take(self, cost: int) -> None:
        self._buckets.take(current_mandate().application, cost)
