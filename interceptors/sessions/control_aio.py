"""Calls of an edge to its own authority, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import grpc
from tenacity import AsyncRetrying

from caracal_grpc.interceptors.client.aio.interceptors import aio_error
from caracal_grpc.interceptors.client.attachment import Metadata, attach
from caracal_grpc.interceptors.client.exchange import Attempts, edge_closed
from caracal_grpc.interceptors.client.tokens import ExchangeError
from caracal_grpc.interceptors.sessions.control import CONTROL_TIMEOUT, Control
from caracal_grpc.interceptors.sessions.methods import Method


class AioControl(Control):
    """Over a channel of `grpc.aio`, with mandates out of `AioTokens`."""

    async def call(self, method: Method, request: Any, timeout: float = CONTROL_TIMEOUT) -> Any:
        """The answer, within `timeout` seconds; raises `grpc.aio.AioRpcError`."""
        try:
            return await self.answer(method, request, timeout)
        except ExchangeError as error:
            raise aio_error(error.status) from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise aio_error(edge_closed().status) from error  # the channel was closed meanwhile
        except grpc.aio.UsageError as error:  # how grpc.aio says that it is closed
            raise aio_error(edge_closed().status) from error

    async def responses(
        self, method: Method, request: Any, timeout: float
    ) -> AsyncGenerator[Any, None]:
        """The stream of answers; raises as `call`."""
        try:
            token = await self._tokens.get(self.ask(method), timeout)
        except ExchangeError as error:
            raise aio_error(error.status) from error
        call = self._callable(method)(request, timeout=timeout, metadata=attach(None, token))
        try:
            async for response in call:
                yield response
        except grpc.RpcError as error:
            self._is_over(method, error, token)
            raise
        finally:
            call.cancel()

    async def answer(self, method: Method, request: Any, timeout: float) -> Any:
        """As `call`; raises `ExchangeError` when there is no mandate to be had for it."""
        attempts, ask = Attempts(timeout, method.attempts), self.ask(method)
        token = await self._tokens.get(ask, attempts.remaining())
        try:
            return await self._send(method, request, attach(None, token), attempts)
        except grpc.RpcError as error:
            if not self._is_over(method, error, token):
                raise
        token = await self._tokens.get(ask, attempts.remaining())
        return await self._send(method, request, attach(None, token), attempts)

    async def _send(
        self, method: Method, request: Any, metadata: Metadata, attempts: Attempts
    ) -> Any:
        send = self._callable(method)
        async for attempt in AsyncRetrying(**attempts.arguments()):
            with attempt:
                answer = await send(request, timeout=attempts.remaining(), metadata=metadata)
        return answer
