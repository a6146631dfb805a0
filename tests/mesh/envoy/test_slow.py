"""The authority answers later than the shipped proxies wait: they are told so before they give up.

Each refusal is by name and has its entry, instead of a failure of which nobody could tell why.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from caracal_grpc.interceptors.edge.upstreams import unreleased
from caracal_grpc.interceptors.guard.consumer import unconsumed
from caracal_grpc.interceptors.status import from_rpc_error
from caracal_grpc.v1 import upstream_service_pb2
from tests.mesh.envoy.conftest import Granted
from tests.mesh.envoy.test_ways_faults import ROUTE, TENANTS
from tests.mesh.envoy.ways import Leaving, Lending, leaving, lending
from tests.stories.support import profile_of, whole_ledger
from tests.support.authority import Running, eventually
from tests.support.mesh import ONCE
from tests.support.proxy import Proxy, proxy
from tests.support.shop import CARACAL, shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

LATE = 12.0
"""Seconds that each word is under way, both to the authority and back: none arrives meanwhile."""

LENDS = ["caracal:upstreams:use", "caracal:feed:watch", "caracal:audit:record"]


@dataclass
class Place:
    """A workload with both ways and a gateway, as the examples configure their proxies."""

    way: Proxy
    """To the authority, of the mesh processes."""
    orders: Leaving
    tenants: Lending

    async def passes(self, granted: Granted) -> bool:
        """Whether requests pass now, which the authority is asked about."""
        tenant = uuid4().hex
        token = await granted(f"resource://tenants/{tenant}", "tenants:read")
        try:
            await self.orders.call(await granted(), method=ONCE, way="inbound")
        except grpc.aio.AioRpcError:
            return False
        return (await self.tenants.http(token, f"/tenants/{tenant}")).status == 200

    @property
    def reached(self) -> int:
        """How many requests have reached what they were for."""
        return len(self.orders.service.seen) + len(self.tenants.web.requests)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(served: Running, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """What is told so."""
    zone = shop()
    zone["applications"].append({"name": "gateway"})
    zone["resources"].append({"name": TENANTS, "scopes": ["tenants:read"]})
    zone["policy"]["grants"] += [
        {"application": "gateway", "resource": CARACAL, "scopes": LENDS},
        {"application": "agent", "resource": TENANTS, "scopes": ["tenants:read"]},
    ]
    await served.apply(zone)
    upstream = {"name": "tenants", "resource": TENANTS, "bearer": {"token": "hunter2"}}
    request = upstream_service_pb2.UpstreamServiceCreateRequest(zone="shop", upstream=upstream)
    await served.stubs.upstreams.Create(request, metadata=await served.operator())
    async with AsyncExitStack() as closing:
        way = await closing.enter_async_context(proxy(served.address))
        folders = [tmp_path_factory.mktemp(name) for name in ("leaving", "lending")]
        profiles = [profile_of(served, name, way.address) for name in ("orders", "gateway")]
        told: dict[str, Any] = {"patience": None, "max_staleness": 60}
        orders = leaving(folders[0], profiles[0], **told)
        tenants = lending(folders[1], profiles[1], gateway={"routes": [ROUTE]}, **told)
        yield Place(
            way,
            await closing.enter_async_context(orders),
            await closing.enter_async_context(tenants),
        )


async def _of_grpc(call: Awaitable[bytes]) -> tuple[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    refusal = from_rpc_error(caught.value)
    if refusal is None:
        return "", ""
    return refusal.message, refusal.metadata.get("decision_id", "")


async def taken_once(place: Place, granted: Granted) -> tuple[str, str]:
    """The way in, which has a mandate consumed."""
    return await _of_grpc(place.orders.call(await granted(), method=ONCE, way="inbound"))


async def swapped(place: Place, granted: Granted) -> tuple[str, str]:
    """The way out, which has one exchanged."""
    return await _of_grpc(place.orders.call(await granted()))


async def lent(place: Place, granted: Granted) -> tuple[str, str]:
    """The gateway, which has a credential released: for a resource that it has not asked for."""
    tenant = uuid4().hex
    token = await granted(f"resource://tenants/{tenant}", "tenants:read")
    answer = await place.tenants.http(token, f"/tenants/{tenant}")
    assert answer.status == 503
    if not answer.header("content-type"):
        return "", ""
    return answer.problem["detail"], answer.problem.get("decision_id", "")


Ask = Callable[[Place, Granted], Awaitable[tuple[str, str]]]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (taken_once, unconsumed().message),
        (swapped, "no mandate could be had in time"),
        (lent, unreleased().message),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
async def test_a_slow_authority_is_told_in_time(
    place: Place, served: Running, granted: Granted, ask: Ask, message: str
) -> None:
    """With the entry of the refusal; nothing has gone on. Each time is the first of its kind, along
    connections that are well when it begins: of one that is given up for dead anybody is told.
    """
    told: list[str] = []

    async def in_time() -> bool:
        await eventually(partial(place.passes, granted), timeout=60)
        before = place.reached
        place.way.delay = LATE
        try:
            said, decision = await ask(place, granted)
        finally:
            place.way.delay = 0.0
        assert place.reached == before
        told.append(decision)
        return said.startswith(message) and decision.startswith("aud_")

    await eventually(in_time, timeout=120)

    async def recorded() -> bool:
        return told[-1] in str(await whole_ledger(served))

    await eventually(recorded, timeout=60)
