"""Two authorities over one etcd and one PostgreSQL: one ledger, whoever decides, whoever dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from caracal_grpc.core.reason import Reason
from tests.stories.support import Child, child, client, require_verified
from tests.support.authority import Client, eventually, reason_of, serve_values
from tests.support.etcd import EtcdProcess
from tests.support.postgres import PASSWORD, PostgresProcess
from tests.support.shop import ORDERS, shop

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass
class Pair:
    """Two replicas in processes of their own, and callers of each. `issued` are the ids of the
    mandates that were issued.
    """

    children: list[Child]
    callers: list[Client]
    issued: list[str] = field(default_factory=list)

    async def issue(self, replica: int, count: int) -> None:
        """Mandates of a replica, each asked for until it comes."""
        for _ in range(count):
            answer = await self.callers[replica].exchange("agent", ORDERS, "orders:place")
            self.issued.append(answer.jti)

    async def require_recorded(self, replica: int) -> None:
        """The ledger verifies, and has each issued mandate once."""
        entries = await require_verified(self.callers[replica])
        told = [each.jti for each in entries if each.type == "exchange" and each.jti]
        assert set(self.issued) <= set(told)
        assert len(told) == len(set(told))

    async def health(self, replica: int, name: str) -> int:
        """What the health service of a replica says."""
        stub = health_pb2_grpc.HealthStub(self.callers[replica].channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
        return int(answer.status)


@pytest.fixture
async def two(
    tmp_path: Path, etcd: EtcdProcess, fresh_postgres: PostgresProcess
) -> AsyncIterator[Pair]:
    """Both over one ledger, whose password is in a file."""
    secret = tmp_path / "ledger-password"
    secret.write_text(PASSWORD)
    secret.chmod(0o600)
    values = serve_values(tmp_path, etcd, ledger=fresh_postgres.tcp_url("postgres"))
    values["ledger_password_file"] = secret
    async with AsyncExitStack() as closing:
        pair = Pair([], [])
        for _ in range(2):
            replica = await closing.enter_async_context(child(values))
            known = pair.callers[0] if pair.callers else None
            caller = await closing.enter_async_context(client(replica, known))
            if known is None:
                await caller.apply(shop())
            pair.children.append(replica)
            pair.callers.append(caller)
        yield pair


async def test_both_decide_and_one_is_killed(two: Pair) -> None:
    """Every mandate is in the one ledger, which verifies from either side."""
    # 1. Both issue at once, in one zone.
    await asyncio.gather(*(two.issue(replica, 40) for replica in (0, 1, 0, 1)))
    await two.require_recorded(0)
    await two.require_recorded(1)
    # 2. One is killed in the middle of it; the other one goes on.
    first = asyncio.create_task(two.issue(0, 10_000))
    await two.issue(1, 40)
    two.children[0].kill()
    with pytest.raises(grpc.aio.AioRpcError):
        await first
    await two.issue(1, 40)
    await two.require_recorded(1)
    # 3. It comes back, and both go on in the same ledger.
    await two.children[0].stop()
    await two.children[0].start()
    async with client(two.children[0], two.callers[1]) as again:
        two.callers[0] = again
        await asyncio.gather(two.issue(0, 20), two.issue(1, 20))
        await two.require_recorded(0)


async def test_no_mandate_without_the_database(two: Pair, fresh_postgres: PostgresProcess) -> None:
    """While it is away nothing is issued, zones are not ready, and revoking works all the same."""
    await two.issue(0, 3)
    assert await two.health(0, "zones/shop") == SERVING
    fresh_postgres.stop()
    request = two.callers[0].request("agent", ORDERS, "orders:place")
    refused = two.callers[0].stubs.tokens.Exchange(request)
    assert await reason_of(refused) is Reason.AUDIT_UNAVAILABLE
    assert await two.callers[0].revoke(two.issued[0]) > 0
    for replica in range(2):
        await eventually(lambda replica=replica: _is(two, replica, NOT_SERVING))
        assert await two.health(replica, "") == SERVING
    fresh_postgres.start()
    for replica in range(2):
        await eventually(lambda replica=replica: _is(two, replica, SERVING))
        await two.issue(replica, 3)
    await two.require_recorded(1)


async def _is(two: Pair, replica: int, status: int) -> bool:
    return await two.health(replica, "zones/shop") == status
