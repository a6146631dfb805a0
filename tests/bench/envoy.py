"""A call through a real Envoy that asks us, through one that asks nobody, and straight through."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc.aio

from tests.bench.check import CHECK, bearer, judges
from tests.bench.child import ECHO
from tests.bench.row import Row, median, percentile
from tests.bench.scale import Scale
from tests.bench.world import World, child
from tests.mesh import asking
from tests.support.envoy import Configuration, Envoy, envoy

ASKED = ("inbound", "everything", "nobody")
"""The listeners, by whom they ask: us, a Check that allows everything, or nobody."""


async def measure(world: World, scale: Scale) -> list[Row]:
    """Latency of one caller, in turns, so that all three have the same machine."""
    taken: dict[str, list[float]] = {name: [] for name in ASKED}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        up = await stack.enter_async_context(child("checks", world.service_profile))
        metadata = (("authorization", await bearer(world)),)
        question = asking.envoy(ECHO, metadata).SerializeToString()
        async with grpc.aio.insecure_channel(up["ours"]) as channel:
            await judges(channel.unary_unary(CHECK), question)
        proxy = await stack.enter_async_context(envoy(folder, _configuration(up)))
        calls = [await _call(stack, proxy, name) for name in ASKED]
        for turn in range(scale.rounds + 1):
            for name, call in zip(ASKED, calls, strict=True):
                measured = await _latencies(call, metadata, scale.samples)
                taken[name] += measured if turn else []  # the first turn warms up
    return _rows(*taken.values())


def _configuration(up: dict[str, str]) -> Configuration:
    """The sidecar of the examples three times over."""
    made = Configuration("sidecar.yaml")
    resources = made.value["static_resources"]
    (listener,) = resources["listeners"]
    (manager,) = made.all("HttpConnectionManager")
    (host,) = manager["route_config"]["virtual_hosts"]
    del host["routes"][1:]
    host["routes"][0]["match"] = {"prefix": "/"}
    (check,) = (each for each in resources["clusters"] if each["name"] == "caracal_check")
    everything = deepcopy(check) | {"name": "everything"}
    everything["load_assignment"]["cluster_name"] = "everything"
    resources["clusters"].append(everything)
    resources["listeners"] = [_asking(listener, name) for name in ASKED]
    made.cluster("caracal_check", up["ours"]).cluster("everything", up["everything"])
    return made.cluster("service_grpc", up["service"]).patience(20.0)


def _asking(listener: dict[str, Any], name: str) -> dict[str, Any]:
    made = deepcopy(listener) | {"name": name}
    manager = made["filter_chains"][0]["filters"][0]["typed_config"]
    for each in list(manager["http_filters"]):
        if each["name"].endswith("ext_authz") and name == "nobody":
            manager["http_filters"].remove(each)
        elif each["name"].endswith("ext_authz") and name == "everything":
            each["typed_config"]["grpc_service"]["envoy_grpc"]["cluster_name"] = name
    return made


async def _call(stack: AsyncExitStack, proxy: Envoy, name: str) -> Any:
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(proxy.address(name)))
    return channel.unary_unary(ECHO)


async def _latencies(call: Any, metadata: Any, count: int) -> list[float]:
    """Milliseconds of each of so many calls, one after the other."""
    taken = []
    for _ in range(count):
        begin = time.perf_counter()
        await call(b"x", metadata=metadata)
        taken.append((time.perf_counter() - begin) * 1e3)
    return taken


def _rows(ours: Sequence[float], everything: Sequence[float], nobody: Sequence[float]) -> list[Row]:
    name = "call through Envoy with Check / without ext_authz"
    return [
        _row(f"{name}, p50", *(median(each) for each in (ours, everything, nobody))),
        _row(f"{name}, p99", *(percentile(each, 0.99) for each in (ours, everything, nobody))),
    ]


def _row(name: str, ours: float, everything: float, nobody: float) -> Row:
    detail = f"{ours:.2f} ms against {nobody:.2f}; with a Check that allows all {everything:.2f}"
    return Row(name, ours / nobody, "x", 3.0, "at most", detail)
