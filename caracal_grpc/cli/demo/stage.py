"""The stage of the demo: etcd, an authority, the zone of the shop, its services, an agent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc.aio

from caracal_grpc.cli.connection import CALL_TIMEOUT, connected
from caracal_grpc.cli.context import Target
from caracal_grpc.cli.demo import process, shop
from caracal_grpc.cli.demo.agent import Agent
from caracal_grpc.cli.demo.process import last_words
from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.cli.manifest import Manifest
from caracal_grpc.cli.profile.folder import Folder
from caracal_grpc.cli.serving.devdir import PUBLIC_URL, DevDir
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import AUTHORITY_ZONE
from caracal_grpc.interceptors.edge.aio import connect
from caracal_grpc.interceptors.profile import PROFILE_VARIABLE, Profile
from caracal_grpc.server import Server
from caracal_grpc.settings.serve import ServeSettings
from caracal_grpc.store.embedded import EmbeddedEtcd
from caracal_grpc.v1 import zone_service_pb2
from caracal_grpc.v1.zone_service_pb2_grpc import ZoneServiceStub

MAX_STALENESS: Final = 4
"""Seconds that the guards serve without news, and that a new key is published before it signs: no
longer than this may an edge be ignorant of a key, so that the two go together. The defaults are 10
and 15; the demo is in a hurry."""

ANY_PORT: Final = "127.0.0.1:0"
"""On which each part listens: all is on this machine."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the services are, as their callers see them; those of the CRM are empty without one."""

    orders: str
    payments: str
    gateway: str = ""
    crm: str = ""


@dataclass(frozen=True, slots=True)
class Opening:
    """What services start with, once their zone is declared; `stack` ends what it is given."""

    stack: AsyncExitStack
    goods: shop.Shop
    zone: str
    operator: grpc.aio.Channel
    profiles: Mapping[str, Path]
    folder: Path

    async def serve(self, script: Path, settings: Mapping[str, str]) -> str:
        """Starts a service on a free port, under the profile of its name; its address."""
        name = script.stem
        own = {f"SHOP_{name.upper()}": ANY_PORT, "SHOP_MAX_STALENESS": str(MAX_STALENESS)}
        if name in self.profiles:
            own[PROFILE_VARIABLE] = str(self.profiles[name])
        log = self.folder / f"{name}.log"
        started = process.running(script, {**own, **settings}, log)
        return await self.stack.enter_async_context(started)


Open = Callable[[Opening], Awaitable[Places]]
"""How the services are started."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that the flows use. `names` are those of the applications, by id; `profiles` are
    theirs, by name.
    """

    zone: str
    operator: grpc.aio.Channel
    agent: Agent
    names: Mapping[str, str]
    profiles: Mapping[str, Profile]
    folder: Path
    places: Places

    def name(self, application: str) -> str:
        """The name of an application, for people."""
        return self.names.get(application, application)


async def guarded(opening: Opening) -> Places:
    """The two services of the shop, each with its guard."""
    folder = opening.goods.folder
    payments = await opening.serve(folder / "payments.py", {})
    orders = await opening.serve(folder / "orders.py", {"SHOP_PAYMENTS": payments})
    return Places(orders, payments)


@asynccontextmanager
async def staged(
    folder: Path, example: str = "shop", services: Open = guarded
) -> AsyncIterator[Stage]:
    """Sets all of it up below `folder`, and takes it down, whatever happens.

    `example` is the one whose zone is declared. Raises `CaracalError` or `CliError` when a part
    cannot start, saying which and why.
    """
    goods = shop.load()
    async with AsyncExitStack() as stack:
        target = await _authority(stack, DevDir(folder))
        manifest = Manifest.read(goods.folder.parent / example / "zone.yaml")
        operator = await stack.enter_async_context(connected(target))
        profiles = await _declare(operator, target, manifest, folder)
        agent = Profile.load(profiles["agent"])
        zone = manifest.shape.zone
        places = await services(Opening(stack, goods, zone, operator, profiles, folder))
        edge = await stack.enter_async_context(connect(agent))
        meeting = Agent.meeting(edge, goods, places.orders, places.payments)
        yield Stage(
            zone=zone,
            operator=operator,
            agent=await stack.enter_async_context(meeting),
            names=_names({"operator": target.path, **profiles}),
            profiles={name: Profile.load(path) for name, path in profiles.items()},
            folder=folder,
            places=places,
        )


def _names(profiles: Mapping[str, Path]) -> dict[str, str]:
    return {Profile.load(path).application_id: name for name, path in profiles.items()}


async def _authority(stack: AsyncExitStack, place: DevDir) -> Target:
    """Starts etcd and an authority over it; the operator's way to it."""
    place.prepare()
    etcd = await _etcd(stack, place)
    settings = {
        "listen": ANY_PORT,
        "public_url": PUBLIC_URL,
        "etcd_endpoints": [etcd.endpoint],
        "kek_file": place.kek,
        "ledger": place.ledger,
        "bootstrap_profile": place.profile,
        "max_staleness": MAX_STALENESS,
        "drain_seconds": 1.0,
    }
    server = Server(ServeSettings.load(settings))
    await server.start()
    stack.push_async_callback(server.stop)
    return Target(Profile.load(place.profile), AUTHORITY_ZONE, place.profile)


async def _etcd(stack: AsyncExitStack, place: DevDir) -> EmbeddedEtcd:
    etcd = EmbeddedEtcd(place.etcd)
    try:
        return await stack.enter_async_context(etcd)
    except CaracalError as error:
        if not etcd.log.exists():  # there is no binary, as the error says
            raise
        # Its log goes with the folder of the demo.
        text = f"the private etcd does not start; the last that it said: {last_words(etcd.log)}"
        raise CliError(ExitCode.UNAVAILABLE, text) from error


async def _declare(
    operator: grpc.aio.Channel, target: Target, manifest: Manifest, folder: Path
) -> dict[str, Path]:
    """Applies the manifest, with our time for keys, and writes the profile of each application."""
    zone = manifest.message()
    zone.settings.key_publish_seconds = MAX_STALENESS
    stub: Any = ZoneServiceStub(operator)
    request = zone_service_pb2.ZoneServiceApplyRequest(zone=zone)
    applied = await stub.Apply(request, timeout=CALL_TIMEOUT)
    profiles = Folder(folder, zone.name)
    return {
        each.application_name: profiles.write(target, applied.issuer, each)
        for each in applied.credentials
    }
