"""The ways out and through of real Envoys, as the examples configure them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from caracal_grpc.interceptors.profile import Profile
from tests.support.authority import bearer
from tests.support.envoy import Configuration, Envoy, envoy
from tests.support.mesh import (
    CANCEL,
    INBOUND,
    PING,
    PLACE,
    MeshProcess,
    PlainService,
    PlainWeb,
    mesh_process,
    plain_service,
    write_mesh,
)
from tests.support.raw_http import Answered, Headers, exchange
from tests.support.shop import ORDERS, PAYMENTS

PAYING = "payments.shop"
LENT = "crm.gateway"
CHARGE = {"resource": PAYMENTS, "scopes": ["payments:charge"]}
REFUND = {"resource": PAYMENTS, "scopes": ["payments:refund"]}
OUTBOUND: dict[str, Any] = {
    "serves": [ORDERS],
    "methods": {
        PLACE: CHARGE,
        CANCEL: REFUND,
        PING: {"public": True, "public_reason": "a test"},
    },
    "routes": [{"path": "/charges/{id}", "methods": ["GET"], **CHARGE}],
    "upstreams": {"payments": {"hosts": [PAYING], "resources": [PAYMENTS]}},
    "correlate": "traceparent",
}
GATEWAY: dict[str, Any] = {
    "routes": [
        {
            "path": "/contacts/{id}",
            "hosts": [LENT],
            "methods": ["*"],
            "upstream": "crm",
            "resource": ORDERS,
            "scopes": ["orders:place"],
        },
        {"path": "/status", "hosts": [LENT], "public": True, "public_reason": "a test"},
    ]
}

_PATIENT = {"max_staleness": 30}
"""What a slow machine makes stale is for other tests."""


@dataclass
class Leaving:
    """A workload whose requests go out by an Envoy, and the service that they go to."""

    service: PlainService
    web: PlainWeb
    mesh: MeshProcess
    envoy: Envoy
    channels: dict[str, grpc.aio.Channel]

    async def call(
        self, token: str = "", *more: tuple[str, str], method: str = PLACE, way: str = "outbound"
    ) -> bytes:
        """A unary call of the application, or of a caller of it when the way is `inbound`."""
        metadata = (*(bearer(token) if token else ()), *more)
        call = self.channels[way].unary_unary(method)
        answer: bytes = await call(b"tea", metadata=metadata, timeout=60)
        return answer

    async def http(
        self, token: str, target: str, *more: tuple[str, str], host: str = PAYING
    ) -> Answered:
        """A request over plain HTTP."""
        shown = (("Authorization", f"Bearer {token}"), *more) if token else more
        return await exchange(self.envoy.address("outbound"), "GET", target, shown, host=host)


@dataclass
class Lending:
    """An upstream behind a gateway."""

    web: PlainWeb
    mesh: MeshProcess
    envoy: Envoy

    async def http(
        self, token: str, target: str, headers: Headers = (), method: str = "GET"
    ) -> Answered:
        """A request of a caller."""
        shown = (("Authorization", f"Bearer {token}"), *headers) if token else headers
        return await exchange(self.envoy.address("gateway"), method, target, shown, host=LENT)


def both_ways() -> Configuration:
    """One Envoy with the listeners of both examples."""
    made, other = Configuration("outbound.yaml"), Configuration("sidecar.yaml")
    ours, theirs = (each.value["static_resources"] for each in (made, other))
    known = {each["name"] for each in ours["clusters"]}
    ours["listeners"] += theirs["listeners"]
    ours["clusters"] += [each for each in theirs["clusters"] if each["name"] not in known]
    return made


@asynccontextmanager
async def leaving(
    folder: Path,
    profile: Profile,
    *,
    patience: float | None = 20.0,
    payments: str = "",
    configuration: Configuration | None = None,
    **settings: Any,
) -> AsyncIterator[Leaving]:
    """The same services on the way in and at the end of the way out.

    Calls go out to `payments` instead, if that is an address. `patience` is how many seconds the
    proxy waits for an answer, `None` for those of the example.
    """
    async with AsyncExitStack() as closing:
        service = await closing.enter_async_context(plain_service())
        web = await _web(closing)
        ways = {"inbound": INBOUND, "outbound": OUTBOUND, **_PATIENT} | settings
        mesh = await closing.enter_async_context(
            mesh_process(write_mesh(folder / "mesh", profile, **ways))
        )
        configuration = _patient(configuration or both_ways(), patience)
        configuration.cluster("caracal_check", mesh.address)
        configuration.cluster("service_grpc", service.address)
        configuration.cluster("payments_grpc", payments or service.address)
        for name in ("service_http", "payments_http"):
            configuration.cluster(name, f"127.0.0.1:{web.port}")
        proxy = await closing.enter_async_context(envoy(folder / "envoy", configuration))
        channels = {}
        for way in ("inbound", "outbound"):
            named = (("grpc.default_authority", PAYING),)
            channels[way] = grpc.aio.insecure_channel(proxy.address(way), options=named)
            await closing.enter_async_context(channels[way])
        await mesh.judges()
        yield Leaving(service, web, mesh, proxy, channels)
        await _require_closed(proxy)


@asynccontextmanager
async def lending(
    folder: Path, profile: Profile, *, patience: float | None = 20.0, **settings: Any
) -> AsyncIterator[Lending]:
    """The gateway of the examples; its upstream is here, without TLS."""
    async with AsyncExitStack() as closing:
        web = await _web(closing)
        file = write_mesh(folder / "mesh", profile, **({"gateway": GATEWAY, **_PATIENT} | settings))
        mesh = await closing.enter_async_context(mesh_process(file))
        configuration = _patient(Configuration("gateway.yaml"), patience)
        configuration.cluster("caracal_check", mesh.address)
        configuration.cluster("crm", f"127.0.0.1:{web.port}")
        for cluster in configuration.value["static_resources"]["clusters"]:
            cluster.pop("transport_socket", None)
        proxy = await closing.enter_async_context(envoy(folder / "envoy", configuration))
        await mesh.judges()
        yield Lending(web, mesh, proxy)
        await _require_closed(proxy)


def _patient(configuration: Configuration, seconds: float | None) -> Configuration:
    """It waits for connections, too."""
    for cluster in configuration.value["static_resources"]["clusters"]:
        cluster["connect_timeout"] = "20s"
    return configuration if seconds is None else configuration.patience(seconds)


async def _web(closing: AsyncExitStack) -> PlainWeb:
    web = PlainWeb()
    await web.start()
    closing.push_async_callback(web.stop)
    return web


async def _require_closed(proxy: Envoy) -> None:
    stats = await proxy.stats()
    assert stats.get("failure_mode_allowed", 0) == 0
    assert stats.get("disabled", 0) == 0
