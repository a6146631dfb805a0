"""SIGTERM: what was accepted is answered, what comes after is sent elsewhere, the end is clean."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.status import from_rpc_error
from caracal_grpc.v1 import audit_pb2, revocation_service_pb2
from tests.stories.support import child, client, require_verified
from tests.support.authority import Client, reason_of, serve_values
from tests.support.etcd import EtcdProcess
from tests.support.shop import ORDERS, shop


async def traffic(caller: Client, answered: list[str]) -> Reason:
    """Exchanges until it is refused; returns why."""
    while True:
        try:
            answered.append((await caller.exchange("agent", ORDERS)).jti)
        except grpc.aio.AioRpcError as error:
            refusal = from_rpc_error(error)
            assert refusal is not None, f"an untyped refusal: {error!r}"
            return refusal.reason


async def test_no_accepted_call_is_lost(tmp_path: Path, etcd: EtcdProcess) -> None:
    """Every call is answered, or refused as one that was never accepted; exit code 0."""
    values = serve_values(tmp_path, etcd)
    async with child(values) as authority:
        async with client(authority) as caller:
            await caller.apply(shop())
            # 1. A feed and a health watch are open, and 64 clients exchange without pause.
            metadata = await caller.caller("agent")
            request = revocation_service_pb2.RevocationServiceWatchRequest(zone="shop")
            feed = caller.stubs.revocations.Watch(request, metadata=metadata)
            await feed.read()
            health = health_pb2_grpc.HealthStub(caller.channel).Watch(  # type: ignore[no-untyped-call]
                health_pb2.HealthCheckRequest()
            )
            assert (await health.read()).status == health_pb2.HealthCheckResponse.SERVING
            answered: list[str] = []
            tasks = [asyncio.create_task(traffic(caller, answered)) for _ in range(64)]
            await asyncio.sleep(0.5)
            # 2. SIGTERM in the middle of it.
            authority.terminate()
            reasons = await asyncio.gather(*tasks)
            # 3. No call broke off: the last of each client was never accepted, and says so.
            assert set(reasons) == {Reason.DRAINING}
            # 4. Who watched health was told, and who watched the feed was sent elsewhere.
            assert (await health.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
            assert await reason_of(_drained(feed)) is Reason.DRAINING
            health.cancel()
        code, errors = await authority.ended()
        assert code == 0, errors
        assert "Traceback" not in errors
        # 5. After a restart the ledger has every mandate that was answered, and no other.
        await authority.start()
        async with client(authority, caller) as again:
            entries = await require_verified(again)
            recorded = [each for each in entries if each.resource == ORDERS]
            assert {each.decision for each in recorded} == {audit_pb2.AUDIT_DECISION_ALLOW}
            assert sorted(each.jti for each in recorded) == sorted(answered)


async def _drained(feed: Any) -> None:
    while await feed.read() is not grpc.aio.EOF:
        pass


async def test_second_start_on_the_same_ledger_is_refused(
    tmp_path: Path, etcd: EtcdProcess
) -> None:
    """Two processes never write one ledger."""
    values = serve_values(tmp_path, etcd)
    async with child(values):
        try:
            async with child(values):
                raise AssertionError("it started")
        except AssertionError as refusal:
            assert "AUDIT_UNAVAILABLE" in str(refusal)
