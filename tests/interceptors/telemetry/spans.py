"""What tests of the spans of calls share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from opentelemetry.sdk.trace import ReadableSpan

from caracal_grpc.interceptors import Edge
from tests.interceptors.support import RESOURCE

MADE = {
    "zone": "shop",
    "application": "app_1",
    "resource": RESOURCE,
    "audit_id": "aud_1",
    "hops": 0,
}
ALLOWED = MADE | {"decision": "allowed"}


@asynccontextmanager
async def guarded(edge: Edge, handlers: grpc.GenericRpcHandler) -> AsyncIterator[str]:
    """A server behind a guard of `edge`; its address."""
    server = grpc.aio.server(interceptors=[await edge.guard()])
    server.add_generic_rpc_handlers([handlers])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await edge.ready(5)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def path(name: str) -> str:
    """The full path of a method."""
    return f"/echo.v1.Echo/{name}"


def inside(span: ReadableSpan, parent: ReadableSpan) -> bool:
    """Whether one span is a child of the other."""
    return span.parent is not None and span.parent.span_id == parent.context.span_id


def traceparent(span: ReadableSpan) -> str:
    """What names the span on the wire."""
    context = span.context
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
