"""The port over an authority in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from caracal_grpc.authority.workloads.peers import Peers
from caracal_grpc.http.application import application
from caracal_grpc.http.bounds import BOUNDS, Bounds
from caracal_grpc.http.clients import UseCases
from caracal_grpc.http.health import Health
from caracal_grpc.http.metrics import Metrics
from caracal_grpc.http.published import Published
from caracal_grpc.http.server import HttpServer
from caracal_grpc.services.drain import Drain
from tests.http.port import Port
from tests.support.rig import Rig


@dataclass
class Desk:
    """The port, the authority behind it, and what tests turn."""

    rig: Rig
    port: Port
    drain: Drain
    ready: bool = True

    async def lose_sight(self) -> None:
        """Its view of the store is a minute old, and grows older."""
        await self.rig.mirror.close()
        self.rig.clock.advance(60)


@asynccontextmanager
async def open_desk(
    rig: Rig, bounds: Bounds = BOUNDS, public_url: str = "https://a.example/"
) -> AsyncIterator[Desk]:
    """Serves the rig on a free port."""
    drain = Drain()
    desk = Desk(rig, Port("", lambda zone, name: _credential(rig, zone, name)), drain)
    authority = rig.authority
    cases = UseCases(
        state=rig.state,
        exchange=authority.exchange,
        inspection=authority.inspection,
        revocations=authority.revocations,
        proofs=authority.proving.proofs,
        peers=Peers(rig.clock),
        drain=drain,
    )
    published = Published(rig.state, rig.keyring, rig.clock, certificates=False)
    health = Health(lambda: desk.ready)
    found = authority.proving.sweeping.integrities
    metrics = Metrics(
        rig.state, authority.feed, authority.recorder, drain, lambda: desk.ready, found
    )
    app = application(published, cases, health, public_url, bounds, metrics)
    server = HttpServer(app, "127.0.0.1:0", None, bounds)
    desk.port.address = await server.start()
    try:
        yield desk
    finally:
        await server.stop(1)


def _credential(rig: Rig, zone: str, name: str) -> tuple[str, str]:
    known = rig.credentials[zone, name]
    return known.application.id, known.secret
