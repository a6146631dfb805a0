"""Requests that policy holds, waited for and sent again, for threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import grpc

from caracal_grpc.interceptors.client.exchange import EXCHANGE_TIMEOUT
from caracal_grpc.interceptors.client.sync.tokens import SyncExchange
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError, Granted
from caracal_grpc.interceptors.sessions.approvals import (
    Reopening,
    WaitForApprovals,
    is_decided,
    is_unanswered,
    pending_of,
)
from caracal_grpc.interceptors.sessions.control_sync import SyncControl
from caracal_grpc.interceptors.sessions.methods import WAIT
from caracal_grpc.v1 import approval_service_pb2


class SyncRelease:
    """Takes an exchange up again, once it is approved, in the thread that asks; `close` ends it."""

    def __init__(
        self, exchange: SyncExchange, control: SyncControl, zone: str, wait: WaitForApprovals
    ) -> None:
        self._exchange = exchange
        self._control = control
        self._zone = zone
        self._wait = wait
        self._closed = threading.Event()

    def __call__(self, ask: Ask, held: ExchangeError, wanted: Callable[[], bool]) -> Granted:
        """The mandate for `ask`, refused with `held`, while it is `wanted`; raises
        `ExchangeError`.

        That an approval was rejected, expired or was used by another, the authority says itself.
        """
        if ask.key == self._control.ask(WAIT).key:
            raise held
        return self._released(held.ask or ask, held, wanted)

    def close(self) -> None:
        """Lets nobody wait any longer; a stream that is open ends with its channel."""
        self._closed.set()

    def _released(self, ask: Ask, held: ExchangeError, wanted: Callable[[], bool]) -> Granted:
        """Waits for one approval, and for the next when another is needed by then."""
        end = time.monotonic() + self._wait.timeout
        done = ""
        while (pending := pending_of(ask, held)) is not None and pending.id != done:
            done = pending.id
            self._wait.tell(pending)
            if self._decided(done, end) is None or not wanted():
                break
            try:
                return self._again(replace(ask, approval=done), end)
            except ExchangeError as error:
                held = error
        raise held

    def _again(self, ask: Ask, end: float) -> Granted:
        """The same request, with its approval, until it is answered: the approval is used once."""
        reopening = Reopening()
        while True:
            try:
                return self._exchange(ask, EXCHANGE_TIMEOUT)
            except ExchangeError as error:
                pause = reopening.pause(None) or 0.0
                late = time.monotonic() + pause >= end
                if late or not is_unanswered(error) or self._closed.wait(pause):
                    raise

    def _decided(self, approval: str, end: float) -> Any | None:
        """The approval once it is no longer pending, by the monotonic time `end`."""
        request = approval_service_pb2.ApprovalServiceWaitRequest(zone=self._zone, id=approval)
        reopening = Reopening()
        while (left := end - time.monotonic()) > 0 and not self._closed.is_set():
            failure: grpc.RpcError | None = None
            try:
                with closing(self._control.responses(WAIT, request, left)) as answers:
                    for answer in answers:
                        reopening.heard()
                        if is_decided(answer.approval):
                            return answer.approval
            except grpc.RpcError as error:
                failure = error
            pause = reopening.pause(failure)
            if pause is None:
                return None
            self._closed.wait(min(pause, max(0.0, end - time.monotonic())))
        return None
