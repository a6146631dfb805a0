"""What is raised becomes what is answered: typed, and without a cause."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.services.errors import StatusInterceptor
from tests.support.refusals import refused


class Service:
    """A server with two methods that raise what they are told."""

    def __init__(self, fault: BaseException) -> None:
        self.fault = fault

    async def unary(self, request: bytes, context: Any) -> bytes:
        """Raises."""
        raise self.fault

    async def stream(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        """Answers once, then raises."""
        yield b"first"
        raise self.fault


async def call(
    fault: BaseException, method: str, kind: type[Service] = Service, request: bytes = b""
) -> list[bytes]:
    """What a client gets from a method that raises `fault`, or answers; at most 100 bytes."""
    service = kind(fault)
    handlers: dict[str, Any] = {
        "unary": grpc.unary_unary_rpc_method_handler(service.unary),
        "stream": grpc.unary_stream_rpc_method_handler(service.stream),
    }
    server = grpc.aio.server(interceptors=[StatusInterceptor(max_answer=100)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.T", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            make: Callable[[str], Any] = getattr(channel, f"unary_{method}")
            answer = make(f"/t.T/{method}")(request)
            return [await answer] if method == "unary" else [each async for each in answer]
    finally:
        await server.stop(None)


METHODS = ["unary", "stream"]


@pytest.mark.parametrize("method", METHODS)
async def test_refusal_keeps_its_reason(method: str) -> None:
    """Code, reason, metadata and wait reach the caller."""
    fault = CaracalError(
        Reason.KEY_STATE_CONFLICT, "wait a little", metadata={"key": "key_1"}, retry_after=2.0
    )
    with refused(Reason.KEY_STATE_CONFLICT) as seen:
        await call(fault, method)
    assert seen.metadata == {"key": "key_1"}
    assert seen.error is not None
    assert seen.error.retry_after == 2.0


@pytest.mark.parametrize("method", METHODS)
async def test_cause_goes_to_the_log_only(method: str, caplog: pytest.LogCaptureFixture) -> None:
    """The public text never holds what a driver said."""
    caplog.set_level(logging.WARNING)
    fault = CaracalError(Reason.STORE_UNAVAILABLE, "the store is away")
    fault.__cause__ = ValueError("10.0.0.7 said no")
    with refused(Reason.STORE_UNAVAILABLE) as seen:
        await call(fault, method)
    assert "10.0.0.7" not in str(seen.error)
    assert "10.0.0.7 said no" in caplog.text


@pytest.mark.parametrize("method", METHODS)
async def test_fault_of_ours_is_internal_and_silent(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    """INTERNAL without a word of the cause, which is in the log."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(ZeroDivisionError("a secret detail"), method)
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in str(caught.value)
    assert "a secret detail" in caplog.text


@pytest.mark.parametrize("method", METHODS)
async def test_answer_that_is_too_long_is_a_typed_refusal(method: str) -> None:
    """LIMIT_EXCEEDED, saying what to ask for instead, where clients would fail to read it."""

    class Long(Service):
        async def unary(self, request: bytes, context: Any) -> bytes:
            return b"x" * int(request)

        async def stream(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
            yield b"x" * int(request)

    assert await call(CaracalError(Reason.DRAINING, ""), method, Long, b"100") == [b"x" * 100]
    with refused(Reason.LIMIT_EXCEEDED) as seen:
        await call(CaracalError(Reason.DRAINING, ""), method, Long, b"101")
    assert seen.metadata["limit"] == "100"
