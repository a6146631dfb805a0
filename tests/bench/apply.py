"""How long it takes to declare many applications, beside writing as many records and no more."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.store.etcd import EtcdStore
from caracal_grpc.store.etcd_settings import EtcdSettings
from caracal_grpc.store.port import Key, Put
from caracal_grpc.v1 import application_pb2, zone_pb2, zone_service_pb2, zone_service_pb2_grpc
from tests.bench.row import Row, median
from tests.bench.scale import Scale
from tests.bench.world import World

_TOGETHER = 120
"""Records of one bare commit, as many as an apply puts into one."""
_VALUE = {"id": "x" * 30, "name": "y" * 20, "credentials": [{"digest": "z" * 64}], "labels": []}
"""About what is kept of an application, and of its session."""


async def measure(world: World, scale: Scale) -> list[Row]:
    """In turns: an apply of a new zone, and its records by themselves into the same etcd."""
    count = scale.crowd
    store = EtcdStore(EtcdSettings((world.etcd,), prefix="bare"), SystemClock())
    try:
        taken = []
        for turn in range(scale.rounds + 1):
            applied = await _seconds(lambda turn=turn: _apply(world, f"apply-{turn}", count))
            bare = await _seconds(lambda turn=turn: _commit(store, f"bare-{turn}", 2 * count))
            taken.append((applied, bare))
    finally:
        await store.close()
    ratio = median([applied / bare for applied, bare in taken[1:]])  # the first turn warms up
    seconds = median([applied for applied, _ in taken[1:]])
    detail = f"{seconds:.2f} s, with a secret for each"
    name = f"apply of {count:,} applications / bare commits of as many records, time"
    return [Row(name, ratio, "x", 5, "at most", detail)]


async def _seconds(work: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def _apply(world: World, name: str, count: int) -> None:
    applications = [application_pb2.Application(name=f"app-{number}") for number in range(count)]
    request = zone_service_pb2.ZoneServiceApplyRequest(
        zone=zone_pb2.Zone(name=name, applications=applications)
    )
    stub = zone_service_pb2_grpc.ZoneServiceStub(world.operations)
    applied = await stub.Apply(request)
    assert len(applied.credentials) == count


async def _commit(store: EtcdStore, zone: str, count: int) -> None:
    puts = [Put(Key(zone, "records", f"r-{number}"), _VALUE) for number in range(count)]
    for first in range(0, count, _TOGETHER):
        await store.commit(puts[first : first + _TOGETHER])
