"""The health service of a running authority, in step with what decides calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from caracal_grpc.authority.state.state import State

_LOOK: Final = 0.25
"""Seconds between two looks."""

_STATES: Final = health_pb2.HealthCheckResponse


class Health:
    """What is told of `services`, of all together, and of each zone as `zones/<zone>`.

    `serving` is the newest of it.
    """

    def __init__(self, services: Iterable[str]) -> None:
        self._names = ("", *services)
        self._servicer = health.aio.HealthServicer()
        self._zones: dict[str, int] = {}
        self.serving = False

    def add_to(self, server: grpc.aio.Server) -> None:
        """Answers on `server`."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    async def tell(self, *, serving: bool) -> None:
        """Tells whoever asks or watches."""
        self.serving = serving
        status = _STATES.SERVING if serving else _STATES.NOT_SERVING
        for name in self._names:
            await self._servicer.set(name, status)

    async def follow(
        self, state: State, max_staleness: float, ready: Callable[[str], bool]
    ) -> None:
        """Tells whether `state` is to go by, for as long as it runs; NOT_SERVING when it ends.

        `ready` says whether a zone can be decided in, all else aside.
        """
        try:
            while True:
                serving = state.age() <= max_staleness
                await self.tell(serving=serving)
                await self._tell_zones(
                    {zone.name: serving and ready(zone.name) for zone in state.zones()}
                )
                await asyncio.sleep(_LOOK)
        finally:
            await self.tell(serving=False)
            await self._tell_zones(dict.fromkeys(self._zones, False))

    async def _tell_zones(self, serving: dict[str, bool]) -> None:
        """Tells what has changed of zones; one that is gone is unknown."""
        now = {
            name: _STATES.SERVING if is_serving else _STATES.NOT_SERVING
            for name, is_serving in serving.items()
        }
        gone = dict.fromkeys(self._zones.keys() - now.keys(), _STATES.SERVICE_UNKNOWN)
        for name, status in {**now, **gone}.items():
            if self._zones.get(name) != status:
                await self._servicer.set(f"zones/{name}", status)
        self._zones = now
