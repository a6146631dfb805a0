"""Delivers what waits in an outbox, without an event loop: one owned thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import grpc
from tenacity import Retrying, retry_if_exception

from caracal_grpc.interceptors.client.attachment import attach
from caracal_grpc.interceptors.client.sync.tokens import SyncTokens
from caracal_grpc.interceptors.client.tries import is_renewable
from caracal_grpc.interceptors.records.outbox import Outbox
from caracal_grpc.interceptors.records.report import (
    CALL_TIMEOUT,
    INTERVAL,
    LAST,
    TICK,
    TOKEN_TIMEOUT,
    Sender,
)
from caracal_grpc.interceptors.records.trouble import Trouble, misplaced
from caracal_grpc.v1 import audit_service_pb2_grpc

_log: Final = logging.getLogger("caracal.records")


class SyncSender:
    """As `AioSender`, for threads."""

    def __init__(
        self, channel: grpc.Channel, tokens: SyncTokens, sender: Sender, outbox: Outbox
    ) -> None:
        self._stub: Any = audit_service_pb2_grpc.AuditServiceStub(channel)
        self._tokens = tokens
        self._sender = sender
        self._outbox = outbox
        self._trouble = Trouble()
        self._awake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to deliver; again is no error."""
        if self._thread is None:
            self._outbox.wake = self._awake.set
            self._thread = threading.Thread(target=self._run, name="caracal-records", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Delivers what it can in a few seconds; the rest goes into the file, or is dropped."""
        self._closing.set()
        self._awake.set()
        if self._thread is not None:
            self._thread.join()
        deadline = time.monotonic() + LAST
        try:
            while self._outbox.waiting and time.monotonic() < deadline:
                self._next(lambda request: self._send(request, deadline))
        except Exception as exc:  # noqa: BLE001 - what could not be delivered is kept or counted
            _log.info("the last report of this edge was not delivered: %s", type(exc).__name__)
        self._outbox.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._due()
            try:
                self._deliver()
            except _ClosingError:
                return
            except Exception:  # noqa: BLE001 - no failure may end the delivery
                _log.exception("what this edge decides could not be delivered")
                self._closing.wait(INTERVAL)

    def _due(self) -> None:
        """Waits until there is enough for a report, but not long."""
        if not self._outbox.many:
            self._awake.wait(INTERVAL)
        if not self._closing.is_set():
            self._awake.clear()

    def _deliver(self) -> None:
        """Sends what waits, as long as there is enough for whole reports."""
        while self._outbox.waiting and not self._closing.is_set():
            self._tend()
            self._next(self._send_until_taken)
            if not self._outbox.many:
                return

    def _next(self, send: Callable[[Any], None]) -> None:
        """Delivers one report by `send`, if there is one."""
        batch = self._outbox.take()
        while batch is not None and batch.decisions:
            try:
                send(self._sender.report(batch))
            except grpc.RpcError as error:
                index = misplaced(error)
                if index is None:
                    raise
                self._outbox.reject(index)
            else:
                break
        self._outbox.settle()

    def _send_until_taken(self, request: Any) -> None:
        retrying = Retrying(
            retry=retry_if_exception(_passes),
            wait=self._trouble.wait,
            sleep=self._rest,
            reraise=True,
        )
        for attempt in retrying:
            with attempt:
                self._send(request, None)
        self._trouble.over()

    def _send(self, request: Any, deadline: float | None) -> None:
        """Sends once; before `deadline`, or until the edge is closed."""
        ask = self._sender.ask
        left = CALL_TIMEOUT if deadline is None else max(0.0, deadline - time.monotonic())
        token = self._tokens.get(ask, min(left, TOKEN_TIMEOUT))
        call = self._stub.Record.future(
            request, timeout=min(left, CALL_TIMEOUT), metadata=attach(None, token)
        )
        try:
            self._outcome(call, closing=deadline is not None)
        except grpc.RpcError as error:
            raised: Any = error
            if is_renewable(raised.code(), raised.trailing_metadata()):
                self._tokens.drop(ask, token)
            raise
        finally:
            call.cancel()

    def _outcome(self, call: Any, *, closing: bool) -> None:
        """Waits for the answer; memory is moved into the file meanwhile, when it fills."""
        call.add_done_callback(lambda _: self._awake.set())
        while not call.done():
            self._awake.wait(TICK)
            if self._closing.is_set() and not closing:
                raise _ClosingError
            self._awake.clear()
            self._tend()
        call.result()

    def _rest(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._awake.wait(min(TICK, left))
            if self._closing.is_set():
                raise _ClosingError
            self._awake.clear()
            self._tend()

    def _tend(self) -> None:
        if self._outbox.crowded:
            self._outbox.spill()


class _ClosingError(Exception):
    """Ends what the thread does."""


def _passes(error: BaseException) -> bool:
    """Whether the same report may be taken later."""
    return not isinstance(error, _ClosingError) and misplaced(error) is None
