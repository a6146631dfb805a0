"""What goes out and through a gateway while the authority or the mesh process fails: nothing wrong.

Never the mandate that a caller showed, and never a request that shows nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from caracal_grpc.interceptors.status import from_rpc_error
from caracal_grpc.v1 import upstream_service_pb2
from tests.mesh.envoy.ways import LENT, Leaving, Lending, leaving, lending
from tests.stories.support import Child, child, client, profile_of
from tests.support.authority import Client, eventually, serve_values
from tests.support.etcd import EtcdProcess
from tests.support.mutual import claims
from tests.support.proxy import Proxy, proxy
from tests.support.raw_http import Answered
from tests.support.shop import CARACAL, ORDERS, PAYMENTS, shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "hunter2-and-so-on"
ANSWERED = ""
STALE = "AUTHORITY_STALE"
SILENCE = "nothing was said"
"""What the proxy makes of no answer to its question."""

TENANTS = "resource://tenants/*"
ROUTE = {
    "path": "/tenants/{id}",
    "hosts": [LENT],
    "methods": ["GET"],
    "upstream": "tenants",
    "resource": "resource://tenants/{id}",
    "scopes": ["tenants:read"],
}
PATIENCE, MAX_STALENESS = 8.0, 2


@dataclass
class Place:
    """A workload whose requests go out, and a gateway; their authority is in another process."""

    authority: Child
    operator: Client
    ways: tuple[Proxy, ...]
    """To the authority, of the mesh processes and of the operator."""
    orders: Leaving
    tenants: Lending
    shown: set[str] = field(default_factory=set)
    """Every mandate that a caller showed."""
    answered: int = 0

    async def shows(self, tenant: str) -> dict[str, str]:
        """Mandates of the agent that nobody has seen, by what they are for."""
        tokens = {
            each: str((await self.operator.exchange("agent", each, scope)).mandate)
            for each, scope in (
                (ORDERS, "orders:place"),
                (f"resource://tenants/{tenant}", "tenants:read"),
            )
        }
        self.shown |= set(tokens.values())
        return tokens

    async def ask(self, tokens: dict[str, str]) -> list[str]:
        """What one request each way ends with."""
        (out, (resource, through)) = tokens[ORDERS], list(tokens.items())[1]
        path = f"/tenants/{resource.rpartition('/')[2]}"
        ended = [
            await _ended(self.orders.call(out)),
            _told(await self.tenants.http(through, path)),
        ]
        self.answered += ended.count(ANSWERED)
        return ended

    async def ends(self, tokens: dict[str, str], *reasons: str) -> None:
        """Returns once both ways end so."""

        async def both() -> bool:
            return set(await self.ask(tokens)) <= set(reasons)

        await eventually(both, timeout=60)

    async def grants(self) -> None:
        """Returns once the authority grants: one that was frozen has to look at its store first."""

        async def granted() -> bool:
            try:
                await self.operator.exchange("agent", ORDERS, "orders:place")
            except grpc.aio.AioRpcError:
                return False
            return True

        await eventually(granted, timeout=60)

    @property
    def reached(self) -> int:
        """How many requests got to what they were for."""
        return len(self.orders.service.seen) + len(self.tenants.web.requests)

    def require_honest(self) -> None:
        """Fails unless each that got there was answered, and had there what it should."""
        assert self.reached == self.answered
        for seen in self.orders.service.seen:
            (said,) = seen.all("authorization")
            token = str(said).removeprefix("Bearer ")
            assert token not in self.shown
            assert claims(token)["aud"] == [PAYMENTS]
        for request in self.tenants.web.requests:
            assert request.headers["x-api-key"] == SECRET
            assert "authorization" not in request.headers

    async def start_authority(self) -> None:
        """Starts it anew; whoever knew the one before finds it."""
        address = await self.authority.start()
        for way in self.ways:
            way.target = address


async def _ended(call: Awaitable[Any]) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.UNAVAILABLE, error
        refusal = from_rpc_error(error)
        return SILENCE if refusal is None else str(refusal.reason.value)
    return ANSWERED


def _told(answered: Answered) -> str:
    if answered.status == 200:
        return ANSWERED
    assert answered.status == 503, answered
    return str(answered.problem["reason"]) if answered.header("content-type") else SILENCE


Fault = Callable[[Place], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def authority_killed(at: Place) -> AsyncIterator[None]:
    """SIGKILL, and another one in its place."""
    at.authority.kill()
    await at.authority.ended()
    yield
    await at.start_authority()


@asynccontextmanager
async def authority_frozen(at: Place) -> AsyncIterator[None]:
    """SIGSTOP: its connections stay open."""
    at.authority.freeze()
    yield
    at.authority.thaw()


@asynccontextmanager
async def authority_unreachable(at: Place) -> AsyncIterator[None]:
    """Nothing passes, and nothing is reset."""
    way = at.ways[0]
    way.partition()
    yield
    way.heal()


@asynccontextmanager
async def mesh_killed(at: Place) -> AsyncIterator[None]:
    """SIGKILL of both, and others in their places."""
    both = at.orders.mesh, at.tenants.mesh
    for each in both:
        await each.kill()
    yield
    for each in both:
        await each.start()


@asynccontextmanager
async def mesh_frozen(at: Place) -> AsyncIterator[None]:
    """SIGSTOP of both."""
    both = at.orders.mesh, at.tenants.mesh
    for each in both:
        await each.freeze()
    yield
    for each in both:
        each.thaw()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(etcd: EtcdProcess, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """What fails, again and again."""
    async with AsyncExitStack() as closing:
        yield await _place(tmp_path_factory.mktemp("place"), etcd, closing)


async def _place(folder: Path, etcd: EtcdProcess, closing: AsyncExitStack) -> Place:
    enter = closing.enter_async_context
    authority = await enter(child(serve_values(folder, etcd)))
    way, office = [await enter(proxy(authority.address)) for _ in range(2)]
    operator = await enter(client(Child(authority.values, address=office.address)))
    await operator.apply(_zone())
    header = {"name": "x-api-key", "value": SECRET}
    upstream = {"name": "tenants", "resource": TENANTS, "header": header}
    request = upstream_service_pb2.UpstreamServiceCreateRequest(zone="shop", upstream=upstream)
    await operator.stubs.upstreams.Create(request, metadata=await operator.operator())
    bounds: dict[str, Any] = {"patience": PATIENCE, "max_staleness": MAX_STALENESS}
    folders = [folder / "out", folder / "through"]
    for each in folders:
        each.mkdir()
    orders, gateway = (profile_of(operator, name, way.address) for name in ("orders", "gateway"))
    out = await enter(leaving(folders[0], orders, **bounds))
    through = await enter(lending(folders[1], gateway, gateway={"routes": [ROUTE]}, **bounds))
    return Place(authority, operator, (way, office), out, through)


def _zone() -> dict[str, Any]:
    zone = shop()
    zone["applications"].append({"name": "gateway"})
    zone["resources"].append({"name": TENANTS, "scopes": ["tenants:read"]})
    lends = ["caracal:upstreams:use", "caracal:feed:watch", "caracal:audit:record"]
    zone["policy"]["grants"] += [
        {"application": "gateway", "resource": CARACAL, "scopes": lends},
        {"application": "agent", "resource": TENANTS, "scopes": ["tenants:read"]},
    ]
    return zone


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (authority_killed, STALE),
        (authority_frozen, STALE),
        (authority_unreachable, STALE),
        (mesh_killed, SILENCE),
        (mesh_frozen, SILENCE),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
async def test_what_cannot_be_swapped_or_lent_does_not_go_on(
    at: Place, fault: Fault, reason: str
) -> None:
    """What nothing is kept for is refused at once, the rest when the authority was not heard of for
    too long; both pass again afterwards, without a restart of the proxy.
    """
    name = getattr(fault, "__name__", "")
    kept, unseen = await at.shows(f"kept-{name}"), await at.shows(f"unseen-{name}")
    await at.ends(kept, ANSWERED)
    async with fault(at):
        assert ANSWERED not in await at.ask(unseen)
        await at.ends(kept, reason)
        before = at.reached
        for tokens in (kept, unseen):
            assert await at.ask(tokens) == [reason] * 2
        assert at.reached == before
    await at.grants()
    again = await at.shows(f"again-{name}")
    await at.ends(again, ANSWERED)
    at.require_honest()
