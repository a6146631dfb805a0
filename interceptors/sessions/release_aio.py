"""Requests that policy holds, waited for and sent again, for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import grpc

from caracal_grpc.interceptors.client.aio.tokens import AioExchange
from caracal_grpc.interceptors.client.exchange import MAX_WAITS
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError, Granted
from caracal_grpc.interceptors.sessions.approvals import (
    Reopening,
    WaitForApprovals,
    is_decided,
    is_unanswered,
    pending_of,
)
from caracal_grpc.interceptors.sessions.control_aio import AioControl
from caracal_grpc.interceptors.sessions.methods import WAIT
from caracal_grpc.v1 import approval_service_pb2

Open = Callable[[float], AsyncGenerator[Any, None]]
"""Begins a stream of `ApprovalService.Wait` that lasts so many seconds at most."""


class AioRelease:
    """Takes an exchange up again, once it is approved."""

    def __init__(
        self, exchange: AioExchange, control: AioControl, zone: str, wait: WaitForApprovals
    ) -> None:
        self._exchange = exchange
        self._control = control
        self._zone = zone
        self._wait = wait
        self._waiting = 0

    async def __call__(self, ask: Ask, held: ExchangeError) -> Granted:
        """The mandate for `ask`, which was refused with `held`; raises `ExchangeError`.

        That an approval was rejected, expired or was used by another, the authority says itself.
        """
        if ask.key == self._control.ask(WAIT).key or self._waiting >= MAX_WAITS:
            raise held
        self._waiting += 1
        try:
            return await self._released(held.ask or ask, held)
        finally:
            self._waiting -= 1

    async def _released(self, ask: Ask, held: ExchangeError) -> Granted:
        """Waits for one approval, and for the next when another is needed by then."""
        end = time.monotonic() + self._wait.timeout
        done = ""
        while (pending := pending_of(ask, held)) is not None and pending.id != done:
            done = pending.id
            self._wait.tell(pending)
            if await decided(self._opening(done), end) is None:
                break
            try:
                return await self._again(replace(ask, approval=done), end)
            except ExchangeError as error:
                held = error
        raise held

    def _opening(self, approval: str) -> Open:
        request = approval_service_pb2.ApprovalServiceWaitRequest(zone=self._zone, id=approval)
        return lambda left: self._control.responses(WAIT, request, left)

    async def _again(self, ask: Ask, end: float) -> Granted:
        """The same request, with its approval, until it is answered: the approval is used once."""
        reopening = Reopening()
        while True:
            try:
                return await self._exchange(ask)
            except ExchangeError as error:
                pause = reopening.pause(None) or 0.0
                if not is_unanswered(error) or time.monotonic() + pause >= end:
                    raise
            await asyncio.sleep(pause)


async def decided(
    opened: Open, end: float, heard: Callable[[Any], None] = lambda _: None
) -> Any | None:
    """The approval once it is no longer pending, by the monotonic time `end`; `None` otherwise.

    `heard` is told each state of it. A stream that broke is begun again.
    """
    reopening = Reopening()
    while (left := end - time.monotonic()) > 0:
        failure: grpc.RpcError | None = None
        try:
            async with aclosing(opened(left)) as answers:
                async for answer in answers:
                    reopening.heard()
                    heard(answer.approval)
                    if is_decided(answer.approval):
                        return answer.approval
        except grpc.RpcError as error:
            failure = error
        pause = reopening.pause(failure)
        if pause is None:
            return None
        await asyncio.sleep(min(pause, max(0.0, end - time.monotonic())))
    return None
