"""The flow `rotated`: the signing key changes under traffic, and no call notices."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import Any, Final

import grpc.aio

from caracal_grpc.cli.demo.agent import TIMEOUT, Agent
from caracal_grpc.cli.demo.flow import Answer, Flow, answer, refused
from caracal_grpc.cli.demo.stage import MAX_STALENESS, Stage
from caracal_grpc.v1 import key_service_pb2
from caracal_grpc.v1.key_service_pb2_grpc import KeyServiceStub

_PAUSE: Final = 0.03
_SOME: Final = 10
"""Calls before the rotation, and under the new key: enough to be traffic."""


@dataclass(slots=True)
class _Traffic:
    """Orders placed one after the other, each under a fresh mandate, and one that was kept."""

    agent: Agent
    kept: str
    accepted: dict[str, int] = field(default_factory=dict)
    refusals: list[Answer] = field(default_factory=list)
    first: dict[str, str] = field(default_factory=dict)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    calls: int = 0

    async def flow(self) -> None:
        """Goes on until it is cancelled."""
        while True:
            await self._fresh()
            await self._count(await answer(self.agent.place(self.kept)))
            await asyncio.sleep(_PAUSE)

    async def _fresh(self) -> None:
        """A mandate and an order under it: both hops, since Orders exchanges it for its own."""
        try:
            mandate = await self.agent.exchange("orders:place")
        except grpc.aio.AioRpcError as error:
            await self._count(refused(error))
            return
        kid = _kid(mandate.mandate)
        self.first.setdefault(kid, mandate.audit_id)
        placed = await answer(self.agent.place(mandate.mandate))
        if await self._count(placed):
            async with self.news:
                self.accepted[kid] = self.accepted.get(kid, 0) + 1
                self.news.notify_all()

    async def _count(self, placed: Answer) -> bool:
        self.calls += 1
        if placed.code != "OK":
            self.refusals.append(placed)
            # A refusal must not become a storm of them.
            await asyncio.sleep(_PAUSE)
        return placed.code == "OK"

    async def reaches(self, kid: str) -> bool:
        """Whether orders are placed under mandates of `kid` within the time that this takes."""
        try:
            async with asyncio.timeout(MAX_STALENESS + TIMEOUT), self.news:
                await self.news.wait_for(lambda: self.accepted.get(kid, 0) >= _SOME)
        except TimeoutError:
            return False
        return True


async def rotated(stage: Stage, flow: Flow) -> None:
    """Rotates while orders are placed, until they are placed under mandates of the new key."""
    before = await stage.agent.exchange("orders:place")
    old = _kid(before.mandate)
    traffic = _Traffic(stage.agent, before.mandate)
    task = asyncio.create_task(traffic.flow())
    try:
        flow.expect("orders are placed one after the other", await traffic.reaches(old))
        rotation = await _rotate(stage)
        new = rotation.key.public.kid
        arrived = await traffic.reaches(new)
        kept = await answer(stage.agent.place(before.mandate))
    finally:
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled():
        task.result()
    _report(flow, traffic, (old, new), arrived=arrived, kept=kept)
    flow.recorded("the operator rotates the key", rotation.audit_id)
    flow.recorded("the first mandate of the new key", traffic.first.get(new, ""))


async def _rotate(stage: Stage) -> Any:
    stub: Any = KeyServiceStub(stage.operator)
    return await stub.RotateKey(key_service_pb2.RotateKeyRequest(zone=stage.zone), timeout=TIMEOUT)


def _report(
    flow: Flow, traffic: _Traffic, keys: tuple[str, str], *, arrived: bool, kept: Answer
) -> None:
    old, new = keys
    flow.ended(traffic.refusals[0] if traffic.refusals else kept)
    count = traffic.accepted.get(new, 0)
    flow.expect(f"{count} of them under mandates of the new key", arrived and old != new)
    flow.expect(f"a mandate of the old key is still good: {kept.text}", kept.code == "OK")
    flow.expect(
        f"{traffic.calls} calls before, during and after: {len(traffic.refusals)} refused",
        not traffic.refusals,
    )
    flow.details |= {
        "calls": traffic.calls,
        "refused": len(traffic.refusals),
        "old_key": old,
        "new_key": new,
    }


def _kid(mandate: str) -> str:
    """The key that signed a mandate, as its header says."""
    header = mandate.partition(".")[0]
    padded = header + "=" * (-len(header) % 4)
    kid: str = json.loads(base64.urlsafe_b64decode(padded))["kid"]
    return kid
