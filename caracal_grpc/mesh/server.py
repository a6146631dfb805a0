"""The process beside a proxy: it answers what the proxy asks, as an edge of its authority.

It knows what every guard knows, keys and revocations as the feed tells them. When it has not heard
from the authority for too long it refuses, and goes on by itself once it has.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import grpc
import grpc.aio
from envoy.service.auth.v3.external_auth_pb2 import DESCRIPTOR
from envoy.service.auth.v3.external_auth_pb2_grpc import add_AuthorizationServicer_to_server
from grpc_health.v1 import health, health_pb2_grpc

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.interceptors import Edge, Recording, Rules, connect
from caracal_grpc.interceptors.edge.settings import SYSTEM
from caracal_grpc.mesh.certificates import Certificates
from caracal_grpc.mesh.check import CheckServicer
from caracal_grpc.mesh.clients import Clients, ClientsOnly
from caracal_grpc.mesh.socket_place import SocketPlace
from caracal_grpc.mesh.ways import Ways
from caracal_grpc.settings.document import within
from caracal_grpc.settings.mesh import UNIX, MeshSettings, Tls

SERVICE: Final = DESCRIPTOR.services_by_name["Authorization"].full_name
"""The service's full name, which health is asked for, too."""

_log: Final = logging.getLogger("caracal.mesh")

_MAX_QUESTION: Final = 1 << 20
"""Bytes: headers and a certificate; a proxy that sends bodies along is refused."""

_MAX_QUESTIONS: Final = 4096
"""At once; further ones are failures, on which a proxy lets nothing through."""

_OPTIONS: Final = (
    # Without this a second server would share the port and take half of the questions.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", _MAX_QUESTION),
    # A proxy that is gone, however silently, is let go of within a minute.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.http2.ping_timeout_ms", 20_000),
    # Proxies ping to learn quickly that we are gone; without this that would be called abuse.
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


class MeshServer:
    """What answers a proxy: `start`, then use it, then `stop`."""

    def __init__(self, settings: MeshSettings) -> None:
        self.settings = settings
        self._closing = contextlib.AsyncExitStack()

    async def start(self) -> str:
        """Serves, before the authority has been heard of; returns where, as in `listen`.

        Raises `FIELD_INVALID` naming what of the settings is wrong; nothing stays open then.
        """
        try:
            return await self._start()
        except BaseException:
            await self._closing.aclose()
            raise

    async def stop(self) -> None:
        """Takes no new question, answers those that were accepted, closes everything."""
        await self._closing.aclose()

    async def _start(self) -> str:
        edge = await self._closing.enter_async_context(self._edge())
        ways, record = await Ways(edge, self._closing).of(self.settings)
        address = await self._serve(edge, CheckServicer(ways, record))
        _log.info("answers on %s, for zone %s", address, edge.profile.zone)
        return address

    def _edge(self) -> Edge:
        settings = self.settings
        record = Recording(settings.record.sampling_rate, spill=settings.record.spill)
        return within(
            "profile",
            lambda: connect(
                settings.profile,
                rules=Rules(),
                max_staleness=settings.max_staleness,
                telemetry=settings.telemetry,
                record=record,
            ),
            str(settings.profile),
        )

    async def _serve(self, edge: Edge, servicer: CheckServicer) -> str:
        server = grpc.aio.server(
            interceptors=_interceptors(self.settings.tls),
            options=_OPTIONS,
            maximum_concurrent_rpcs=_MAX_QUESTIONS,
        )
        add_AuthorizationServicer_to_server(servicer, server)
        reporter = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(reporter, server)
        await edge.report_health(reporter, ("", SERVICE), records=("caracal.audit",))
        address = self._bind(server)
        await server.start()
        self._closing.push_async_callback(server.stop, self.settings.drain_seconds)
        return address

    def _bind(self, server: grpc.aio.Server) -> str:
        listen, tls = self.settings.listen, self.settings.tls
        try:
            if (path := self.settings.socket) is not None:
                place = SocketPlace(path)
                self._closing.callback(place.close)
                server.add_insecure_port(f"{UNIX}{quote(str(path))}")
                place.close_to_others()
                return f"{UNIX}{path}"
            if tls is None:
                port = server.add_insecure_port(listen)
            else:
                port = server.add_secure_port(listen, Certificates(tls).credentials())
        except RuntimeError as error:
            raise field_invalid("listen", f"{listen} cannot be bound; is it in use?") from error
        return f"{listen.rpartition(':')[0]}:{port}"


def _interceptors(tls: Tls | None) -> list[grpc.aio.ServerInterceptor]:
    return [ClientsOnly(Clients(tls.clients, SYSTEM))] if tls is not None else []


async def serve(settings: MeshSettings, ready: Callable[[str], None]) -> None:
    """Answers until SIGTERM or SIGINT, then ends; `ready` gets the address.

    A signal that comes before it is ready ends its start.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = MeshServer(settings)
    starting = asyncio.create_task(server.start(), name="start")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            ready(starting.result())
            await stopping
    finally:
        starting.cancel()
        stopping.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)
        await server.stop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
