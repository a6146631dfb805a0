"""The health service of a running authority, in step with what decides calls."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from caracal_grpc.authority.state.state import State

_LOOK: Final = 0.25
"""Seconds between two looks."""


class Health:
    """What is told of `services` and of all together. `serving` is the newest of it."""

    def __init__(self, services: Iterable[str]) -> None:
        self._names = ("", *services)
        self._servicer = health.aio.HealthServicer()
        self.serving = False

    def add_to(self, server: grpc.aio.Server) -> None:
        """Answers on `server`."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    async def tell(self, *, serving: bool) -> None:
        """Tells whoever asks or watches."""
        self.serving = serving
        states = health_pb2.HealthCheckResponse
        status = states.SERVING if serving else states.NOT_SERVING
        for name in self._names:
            await self._servicer.set(name, status)

    async def follow(self, state: State, max_staleness: float) -> None:
        """Tells whether `state` is to go by, for as long as it runs; NOT_SERVING when it ends."""
        try:
            while True:
                await self.tell(serving=state.age() <= max_staleness)
                await asyncio.sleep(_LOOK)
        finally:
            await self.tell(serving=False)
