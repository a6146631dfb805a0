"""The processes that are measured, and the caller's hands on them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import grpc.aio

from caracal_grpc.interceptors import Edge, Profile, connect
from caracal_grpc.v1 import (
    application_pb2,
    resource_pb2,
    revocation_service_pb2_grpc,
    token_service_pb2_grpc,
    zone_pb2,
    zone_service_pb2,
    zone_service_pb2_grpc,
)

ZONE = "bench"
UNLIMITED = zone_pb2.RateLimits(application_per_second=100_000, zone_per_second=1_000_000)
"""The most that a zone may be told: what is measured is not the limit."""


@dataclass(frozen=True, slots=True)
class World:
    """A running authority, a zone in it, and its two applications: a caller and a service."""

    operator: Edge
    operations: grpc.aio.Channel
    caller: Profile
    service: Profile
    service_profile: str
    echo: str
    etcd: str
    operator_profile: str

    @property
    def revocations(self) -> revocation_service_pb2_grpc.RevocationServiceStub:
        """The operator's way to revoke."""
        return revocation_service_pb2_grpc.RevocationServiceStub(self.operations)

    @property
    def tokens(self) -> token_service_pb2_grpc.TokenServiceStub:
        """The exchange."""
        return token_service_pb2_grpc.TokenServiceStub(self.operations)


@asynccontextmanager
async def child(*arguments: str) -> AsyncIterator[dict[str, str]]:
    """A measured process from its first line to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.child", *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        yield json.loads(line)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """A fresh authority with the zone `bench`; the service's profile is kept in `folder`."""
    async with AsyncExitStack() as stack:
        up = await stack.enter_async_context(child("authority"))
        profile = Profile.load(up["profile"])
        operator = await stack.enter_async_context(connect(profile))
        channel = await stack.enter_async_context(
            grpc.aio.insecure_channel(
                profile.authority, interceptors=operator.client_interceptors()
            )
        )
        stub = zone_service_pb2_grpc.ZoneServiceStub(channel)
        applied = await stub.Apply(zone_service_pb2.ZoneServiceApplyRequest(zone=_zone()))
        made = {each.application_name: each for each in applied.credentials}
        profiles = {
            name: replace(
                profile,
                zone=ZONE,
                issuer=applied.issuer,
                application_id=each.application_id,
                application_name=name,
                client_secret=each.client_secret,
            )
            for name, each in made.items()
        }
        target = folder / "service.json"
        profiles["service"].save(target)
        yield World(
            operator,
            channel,
            profiles["caller"],
            profiles["service"],
            str(target),
            up["echo"],
            up["etcd"],
            up["profile"],
        )


def _zone() -> zone_pb2.Zone:
    grants = [zone_pb2.Grant(application="caller", resource="resource://echo", scopes=["echo:say"])]
    return zone_pb2.Zone(
        name=ZONE,
        applications=[application_pb2.Application(name=name) for name in ("caller", "service")],
        resources=[resource_pb2.Resource(name="resource://echo", scopes=["echo:say"])],
        policy=zone_pb2.Policy(grants=grants),
        settings=zone_pb2.ZoneSettings(limits=UNLIMITED),
    )
