"""The composition root: the one place that knows every room, and puts them together.

A call passes the interceptors in this order: telemetry, which sees everything; the status map,
which turns what is raised into what is answered; the guard, so that nothing behind it runs without
a mandate; what the caller may spend; what reads long requests; then the servicer.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_reflection.v1alpha import reflection

from caracal_grpc.authority.authority import Authority
from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.keys.signers import Signers
from caracal_grpc.authority.state.places import UNMIRRORED
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.workloads.peers import Peers
from caracal_grpc.authority.zones.bootstrap import is_made
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.limits import MAX_RECEIVED, MAX_TOKEN_BYTES
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.key_encryption import Keks
from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.crypto.system import SystemClock, SystemIds
from caracal_grpc.deciding import engines
from caracal_grpc.first_start import make_operator, require_matching_kek, require_possible
from caracal_grpc.health import Health
from caracal_grpc.http_port import Around, open_port
from caracal_grpc.interceptors.telemetry.refusal_log import log_refusal
from caracal_grpc.ledger.sql import SqlLedger
from caracal_grpc.outbound.http import HttpOutbound
from caracal_grpc.services.costs import CostInterceptor
from caracal_grpc.services.drain import Drain
from caracal_grpc.services.errors import StatusInterceptor
from caracal_grpc.services.guard import own_guard
from caracal_grpc.services.long_requests import LongRequestInterceptor
from caracal_grpc.services.register import SERVICES, add_services
from caracal_grpc.settings.files import read_certificates
from caracal_grpc.settings.serve import ServeSettings
from caracal_grpc.store.etcd import EtcdStore
from caracal_grpc.store.etcd_release import ADVICE, is_leaky
from caracal_grpc.store.mirror import Mirror
from caracal_grpc.store.port import Store
from caracal_grpc.telemetry import server_interceptors

_log = logging.getLogger("caracal.server")

_LAST_WORDS = 0.5
"""Seconds for answers on their way, and for health watches, which never end by themselves."""

_OPTIONS = (
    # Without this a second server would share the port and take half of the calls.
    ("grpc.so_reuseport", 0),
    ("grpc.max_metadata_size", 4 * MAX_TOKEN_BYTES),
    ("grpc.max_receive_message_length", MAX_RECEIVED),
    # An edge that is gone, however silently, is let go of within a minute. See `client.channel` for
    # the second of these.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.http2.ping_timeout_ms", 20_000),
    # Edges ping every 2 s while they wait for an answer; without this that would be called abuse.
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
)


Ready = Callable[[str, str], None]
"""Is told the address of the gRPC port, and that of the HTTP port, empty when there is none."""


class Server:
    """A running authority: `start`, then `wait` or use it, then `stop`."""

    def __init__(self, settings: ServeSettings) -> None:
        self.settings = settings
        self._clock = SystemClock()
        self._ids = SystemIds()
        self._peers = Peers(self._clock, settings.trusted_proxies)
        self._closing = contextlib.AsyncExitStack()
        self._health = Health(service.full_name for service in SERVICES)
        self._drain = Drain()
        self._certificate: bytes | None = None
        self._store: EtcdStore | None = None
        self._server: grpc.aio.Server | None = None
        self._authority: Authority | None = None
        self.http_address = ""

    async def start(self) -> str:
        """Opens everything, makes the first operator if need be, and serves; returns `host:port`.

        Raises `FIELD_INVALID` naming a setting, `STORE_UNAVAILABLE`, `AUDIT_UNAVAILABLE`; nothing
        stays open then.
        """
        try:
            return await self._start()
        except BaseException:
            await self._closing.aclose()
            raise

    async def wait(self) -> None:
        """Returns when the server has stopped."""
        if self._server:
            await self._server.wait_for_termination()

    async def judge_etcd(self) -> None:
        """Warns of an etcd that may lose a revocation; raises `STORE_UNAVAILABLE`."""
        version = await self._store.release() if self._store else ""
        if is_leaky(version):
            _log.warning("etcd %s may lose writes or watch events; %s", version, ADVICE)

    async def stop(self) -> None:
        """Takes no new work, finishes what was accepted in the drain time, closes everything."""
        await self._closing.aclose()

    async def _start(self) -> str:
        keks = await asyncio.to_thread(self.settings.open_keks)
        self._closing.callback(keks.close)
        store = EtcdStore(self.settings.etcd(), self._clock)
        self._closing.push_async_callback(store.close)
        self._store = store
        authority = await self._open(store, keks)
        await authority.start()
        server = self._build(authority)
        port = self._bind(server)
        host = self.settings.listen.rpartition(":")[0]
        address = f"{host}:{port}"
        await self._health.tell(serving=False)
        # Before what may fail, since only a started server lets go of its port.
        await server.start()
        self._closing.push_async_callback(server.stop, _LAST_WORDS)
        if self.settings.http_listen:
            around = Around(self._clock, self._peers, self._drain, self._health)
            http = open_port(self.settings, authority, around)
            self.http_address = await http.start()
            self._closing.push_async_callback(http.stop, _LAST_WORDS)
        self._closing.push_async_callback(self._drain.done, self.settings.drain_seconds)
        self._closing.push_async_callback(authority.feed.close)
        self._closing.push_async_callback(authority.approvals.close)
        self._closing.callback(authority.propagation.drain)
        self._closing.callback(authority.trials.replays.drain)
        self._closing.callback(authority.reading.drain)
        self._closing.callback(self._drain.close)
        await make_operator(self.settings, authority, address)
        ready = authority.proving.sweeping.ready
        following = self._health.follow(authority.state, self.settings.max_staleness, ready)
        self._own(following, "health")
        return address

    async def _open(self, store: Store, keks: Keks) -> Authority:
        mirror = Mirror(store, self._clock, without=UNMIRRORED)
        self._closing.push_async_callback(mirror.close)
        await mirror.start(self.settings.max_staleness)
        state = State(mirror, self._clock, self.settings.max_staleness)
        self._closing.callback(state.close)
        await self._first_beat(state)
        keyring = Keyring(state, keks, self._clock)
        self._closing.push_async_callback(keyring.close)
        await keyring.start()
        require_matching_kek(keyring, state, self.settings.kek_setting)
        ledger = await SqlLedger.open(
            self.settings.ledger,
            Signers(state, keyring),
            verify_ed25519,
            password=self.settings.ledger_password(),
        )
        self._closing.push_async_callback(ledger.close)
        await require_possible(self.settings, state, ledger, partial(is_made, store))
        deciding, local = engines(self.settings, self._clock)
        self._closing.push_async_callback(deciding.close)
        authority = Authority(
            store,
            state,
            keyring,
            ledger,
            local,
            self._clock,
            self._ids,
            self.settings.public_url,
            self._outbound(),
            lambda: self._certificate,
            deciding,
            self.settings.witness_keys(),
        )
        self._closing.push_async_callback(authority.close)
        return authority

    def _outbound(self) -> HttpOutbound:
        ca = read_certificates("egress_ca_file", self.settings.egress_ca_file)
        outbound = HttpOutbound(self.settings.egress_networks(), ca=ca)
        self._closing.push_async_callback(outbound.close)
        return outbound

    async def _first_beat(self, state: State) -> None:
        """Waits until etcd has proven that its watch delivers: a server that starts stale lies."""
        deadline = self._clock.monotonic() + 2 * self.settings.max_staleness
        while state.age() > self.settings.max_staleness:
            if self._clock.monotonic() > deadline:
                raise CaracalError(
                    Reason.STORE_UNAVAILABLE,
                    "etcd answers but does not deliver changes; check that it accepts writes",
                )
            await asyncio.sleep(0.02)

    def _build(self, authority: Authority) -> grpc.aio.Server:
        guard = own_guard(
            authority.view, self._peers, self._clock, self.settings.max_staleness, log_refusal
        )
        self._closing.push_async_callback(guard.close)
        telemetry = server_interceptors(enabled=self.settings.telemetry)
        behind = CostInterceptor(self._clock), LongRequestInterceptor()
        passed = [*telemetry, StatusInterceptor(self._drain), guard, *behind]
        server = grpc.aio.server(interceptors=passed, options=_OPTIONS)
        self._add_services(server, authority)
        self._server, self._authority = server, authority
        return server

    def _add_services(self, server: grpc.aio.Server, authority: Authority) -> None:
        add_services(server, authority, self._peers)
        self._health.add_to(server)
        if self.settings.reflection:
            names = [service.full_name for service in SERVICES]
            reflection.enable_server_reflection([*names, HEALTH, reflection.SERVICE_NAME], server)

    def _bind(self, server: grpc.aio.Server) -> int:
        address = self.settings.listen
        try:
            if not self.settings.tls:
                return server.add_insecure_port(address)
            return server.add_secure_port(address, self._credentials())
        except RuntimeError as error:
            raise field_invalid(
                "listen", f"{address} cannot be bound; is the port in use?"
            ) from error

    def _credentials(self) -> grpc.ServerCredentials:
        settings = self.settings
        pair = settings.key_pair()
        self._certificate = pair[1]
        ca = read_certificates("tls_client_ca_file", settings.tls_client_ca_file)
        return grpc.ssl_server_credentials([pair], ca, require_client_auth=ca is not None)

    def _own(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Runs a coroutine as a task that ends, awaited, when the server stops."""
        task = asyncio.create_task(work, name=name)

        async def end() -> None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        self._closing.push_async_callback(end)


async def serve(settings: ServeSettings, ready: Ready) -> None:
    """Runs an authority until SIGTERM or SIGINT, then drains it; `ready` gets its addresses.

    A signal that comes before it is ready ends its start.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = Server(settings)
    starting = asyncio.create_task(_start(server, ready), name="start")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await stopping
    finally:
        starting.cancel()
        stopping.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)
        await server.stop()
        gc.unfreeze()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _start(server: Server, ready: Ready) -> None:
    address = await server.start()
    await server.judge_etcd()
    # What was read of the store lives on. A full collection would go through all of it each time,
    # and hold up every call meanwhile, a third of a second for twenty thousand applications.
    gc.collect()
    gc.freeze()
    ready(address, server.http_address)
