"""Spans of guarded calls, made by OpenTelemetry's own gRPC instrumentation, with what was decided.

A span that is being recorded for the call already, by an interceptor of the service's own, serves
instead: the decision is written on it, and no second one is made.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc
from opentelemetry.instrumentation.grpc import aio_server_interceptor, server_interceptor
from opentelemetry.trace import Span, SpanKind, TracerProvider, get_current_span

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors.guard.gate import Admission
from caracal_grpc.interceptors.guard.plan import FACTORIES, Style, style_of
from caracal_grpc.interceptors.telemetry.apart import apart


class Spans:
    """Makes spans around handlers, and writes on them."""

    def __init__(self, zone: str, provider: TracerProvider | None) -> None:
        self._zone = zone
        self._aio: Any = aio_server_interceptor(provider)
        self._sync: Any = server_interceptor(provider)

    def allowed(self, admission: Admission) -> Span:
        """Writes on the span of the running call that it was let in; the span."""
        span = get_current_span()
        if span.is_recording():
            span.set_attributes(self._attributes(admission) | {"caracal.decision": "allowed"})
        return span

    def refused(self, admission: Admission, error: CaracalError) -> None:
        """Writes on the span of the running call why it was refused."""
        span = get_current_span()
        if span.is_recording():
            span.set_attributes(self._attributes(admission) | _no("refused", error))

    def cut(self, span: Span, error: CaracalError) -> None:
        """Writes on the span of a call why it is ended, unless it has ended."""
        if span.is_recording():
            span.set_attributes(_no("cut", error))

    def _attributes(self, admission: Admission) -> dict[str, str | int]:
        """Who asks for what. Of a token that does not read, nothing is said."""
        said: dict[str, str | int] = {"caracal.zone": self._zone}
        if admission.rule is not None:
            said["caracal.resource"] = admission.rule.resource
        mandate = admission.mandate
        if mandate is not None:
            said["caracal.application"] = mandate.application
            said["caracal.hops"] = mandate.hops
            said["caracal.audit_id"] = mandate.audit_id
        return said

    async def wrap_aio(self, handler: Any, details: grpc.HandlerCallDetails) -> Any:
        """`handler` of an asyncio server within a span, in the style that it is written in.

        OpenTelemetry's asyncio interceptor knows two styles: coroutines that answer, and async
        generators. One that writes through its context is shown to it as one that answers, and a
        plain function to the interceptor of sync servers.
        """
        name, factory = FACTORIES[handler.request_streaming, handler.response_streaming]
        function = getattr(handler, name)
        style = style_of(function)
        if style is Style.SYNC:
            return self.wrap_sync(handler, details)
        if style is Style.ASYNC_GENERATOR:
            traced = getattr(await self._aio.intercept_service(_later(handler), details), name)
            return _rebuilt(handler, factory, _generator(function, traced))
        shown: Any = grpc.unary_unary_rpc_method_handler(function)
        traced = (await self._aio.intercept_service(_later(shown), details)).unary_unary
        return _rebuilt(handler, factory, _coroutine(function, traced))

    def wrap_sync(self, handler: Any, details: grpc.HandlerCallDetails) -> Any:
        """`handler`, a plain function, within a span."""
        name, factory = FACTORIES[handler.request_streaming, handler.response_streaming]
        function = getattr(handler, name)
        traced = getattr(self._sync.intercept_service(lambda _: handler, details), name)

        def either(request: Any, context: Any) -> Any:
            return (function if _has_span() else traced)(request, context)

        return _rebuilt(handler, factory, either)


def _coroutine(function: Any, traced: Any) -> Any:
    async def either(request: Any, context: Any) -> Any:
        return await (function if _has_span() else traced)(request, context)

    return either


def _generator(function: Any, traced: Any) -> Any:
    async def either(request: Any, context: Any) -> AsyncIterator[Any]:
        spanned = _has_span()
        handler: AsyncGenerator[Any, None] = (
            function(request, context) if spanned else apart(traced(request, context))
        )
        async with aclosing(handler) as responses:
            async for response in responses:
                yield response

    return either


def _later(handler: Any) -> Callable[[Any], Awaitable[Any]]:
    """A continuation that answers `handler`."""

    async def continuation(_: Any) -> Any:
        return handler

    return continuation


def _rebuilt(handler: Any, factory: Callable[..., Any], function: Any) -> Any:
    return factory(
        function,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def _has_span() -> bool:
    """Whether a span of this call is being recorded already."""
    span = get_current_span()
    return span.is_recording() and getattr(span, "kind", None) is SpanKind.SERVER


def _no(decision: str, error: CaracalError) -> dict[str, str | int]:
    return {"caracal.decision": decision, "caracal.reason": error.reason.name}
