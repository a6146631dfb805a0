"""How soon an activated policy decides at the last replica, and how soon 20,000 grants do."""

from __future__ import annotations

import time
from dataclasses import dataclass

import grpc
import grpc.aio

from caracal_grpc.v1 import (
    policy_service_pb2,
    policy_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
    zone_pb2,
)
from tests.bench.exchange import request
from tests.bench.row import Row, percentile
from tests.bench.scale import Scale
from tests.bench.world import ZONE, World, child

LIVES = (60, 240)
"""Seconds of a mandate, by which an exchange shows which of two versions decided it."""


async def measure(world: World, scale: Scale) -> list[Row]:
    """Two authorities over one etcd: activated at one, asked without a pause at the other."""
    async with (
        child("replica", world.operator_profile, world.etcd) as up,
        grpc.aio.insecure_channel(up["address"]) as channel,
    ):
        other = token_service_pb2_grpc.TokenServiceStub(channel)
        small = await _activated(world, other, 1, min(scale.samples, 100))
        large = await _activated(world, other, scale.applications, min(scale.samples, 6))
    many = f"{scale.applications:,} grants"
    return [
        _row("activation acknowledged to the last of 2 replicas, p99", small, 100),
        _row(f"activation of {many} acknowledged to the last of 2 replicas, p99", large, 2_000),
    ]


@dataclass(frozen=True, slots=True)
class _Turn:
    """Seconds until the other replica decided by it, since it was acknowledged and since sent."""

    acknowledged: float
    sent: float


async def _activated(
    world: World, other: token_service_pb2_grpc.TokenServiceStub, grants: int, samples: int
) -> list[_Turn]:
    """Activates two versions in turn; the last turn leaves what any other row is granted by."""
    versions = [await _made(world, grants, life) for life in LIVES]
    turns = []
    for number in range(samples):
        life = LIVES[number % 2]
        turns.append(await _turn(world, other, versions[number % 2], life))
    return turns


async def _turn(
    world: World, other: token_service_pb2_grpc.TokenServiceStub, version: str, life: int
) -> _Turn:
    policies = policy_service_pb2_grpc.PolicyServiceStub(world.operations)
    asked = policy_service_pb2.PolicyServiceActivateRequest(zone=ZONE, version=version)
    sent = time.perf_counter()
    await policies.Activate(asked)
    acknowledged = time.perf_counter()
    while abs(await _granted(world, other) - life) > LIVES[0] / 2:
        pass
    seen = time.perf_counter()
    return _Turn(seen - acknowledged, seen - sent)


async def _granted(world: World, other: token_service_pb2_grpc.TokenServiceStub) -> int:
    """How long the mandate lives that the other replica grants, in seconds, less what it took.

    0 from a replica that has compiled for so long that it lets nobody wait any more.
    """
    try:
        issued: token_service_pb2.ExchangeResponse = await other.Exchange(request(world))
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return 0
    return int(issued.expires_in.seconds)


async def _made(world: World, grants: int, life: int) -> str:
    """A version of so many grants, of which one is the caller's, for mandates of that life."""
    grant = {"resource": "resource://echo", "scopes": ["echo:say"]}
    many = [
        zone_pb2.Grant(application="service", labels=[f"label-{number}"], **grant)
        for number in range(grants - 1)
    ]
    own = zone_pb2.Grant(application="caller", ttl_seconds=life, **grant)
    policies = policy_service_pb2_grpc.PolicyServiceStub(world.operations)
    made = await policies.Create(
        policy_service_pb2.PolicyServiceCreateRequest(
            zone=ZONE, policy=zone_pb2.Policy(grants=[*many, own])
        )
    )
    return made.version.version


def _row(name: str, turns: list[_Turn], bar: float) -> Row:
    p99 = percentile([turn.acknowledged for turn in turns], 0.99) * 1000
    sent = [turn.sent for turn in turns]
    p50, worst = percentile(sent, 0.5) * 1000, percentile(sent, 0.99) * 1000
    detail = f"since sent: p50 {p50:.1f}, p99 {worst:.1f} ms, {len(turns)} samples"
    return Row(name, p99, "ms", bar, "at most", detail)
