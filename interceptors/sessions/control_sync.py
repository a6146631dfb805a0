"""Calls of an edge to its own authority, for threads."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import grpc
from tenacity import Retrying

from caracal_grpc.interceptors.client.attachment import Metadata, attach
from caracal_grpc.interceptors.client.exchange import Attempts, edge_closed
from caracal_grpc.interceptors.client.sync.renewing import FailedCall
from caracal_grpc.interceptors.client.tokens import ExchangeError
from caracal_grpc.interceptors.sessions.control import CONTROL_TIMEOUT, Control
from caracal_grpc.interceptors.sessions.methods import Method


class SyncControl(Control):
    """Over a synchronous channel, in the thread that asks, with mandates out of `SyncTokens`."""

    def call(self, method: Method, request: Any, timeout: float = CONTROL_TIMEOUT) -> Any:
        """The answer, within `timeout` seconds; raises `grpc.RpcError`."""
        try:
            return self.answer(method, request, timeout)
        except ExchangeError as error:
            raise FailedCall(error.status) from error
        except ValueError as error:  # how grpc says that the channel is closed
            raise FailedCall(edge_closed().status) from error

    def responses(self, method: Method, request: Any, timeout: float) -> Generator[Any, None, None]:
        """The stream of answers; raises as `call`."""
        try:
            token = self._tokens.get(self.ask(method), timeout)
            call = self._callable(method)(request, timeout=timeout, metadata=attach(None, token))
        except ExchangeError as error:
            raise FailedCall(error.status) from error
        except ValueError as error:
            raise FailedCall(edge_closed().status) from error
        try:
            yield from call
        except grpc.RpcError as error:
            self._is_over(method, error, token)
            raise
        finally:
            call.cancel()

    def answer(self, method: Method, request: Any, timeout: float) -> Any:
        """As `call`; raises `ExchangeError` when there is no mandate to be had for it."""
        attempts, ask = Attempts(timeout, method.attempts), self.ask(method)
        token = self._tokens.get(ask, attempts.remaining())
        try:
            return self._send(method, request, attach(None, token), attempts)
        except grpc.RpcError as error:
            if not self._is_over(method, error, token):
                raise
        token = self._tokens.get(ask, attempts.remaining())
        return self._send(method, request, attach(None, token), attempts)

    def _send(self, method: Method, request: Any, metadata: Metadata, attempts: Attempts) -> Any:
        send = self._callable(method)
        for attempt in Retrying(**attempts.arguments()):
            with attempt:
                answer = send(request, timeout=attempts.remaining(), metadata=metadata)
        return answer
