"""The authority is killed after a revocation holds and before it is recorded."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration

from caracal_grpc.authority.state import places
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.store.etcd import EtcdStore
from caracal_grpc.v1 import revocation_pb2, revocation_service_pb2, session_service_pb2
from tests.stories.support import child, client, require_verified
from tests.support.authority import Client, eventually, reason_of, serve_values
from tests.support.etcd import EtcdProcess
from tests.support.shop import ORDERS, shop

Revoke = revocation_service_pb2.RevocationServiceRevokeRequest
CLOCK: Final = SystemClock()


async def started(caller: Client) -> str:
    """A session of the agent."""
    request = session_service_pb2.SessionServiceStartRequest(zone="shop", ttl=Duration(seconds=600))
    metadata = await caller.caller("agent")
    answer = await caller.stubs.sessions.Start(request, metadata=metadata)
    return str(answer.session.id)


@pytest.mark.parametrize("way", ["anchor", "filter"])
async def test_authority_killed_between_the_revocation_and_its_entry(
    tmp_path: Path, etcd: EtcdProcess, way: str
) -> None:
    """What holds, holds; the same call again records it."""
    values = serve_values(tmp_path, etcd)
    async with child(values) as authority:
        async with client(authority) as caller:
            # 1. A session is to be revoked, and its ledger takes no entry just now.
            await caller.apply(shop())
            session = await started(caller)
            wanted = revocation_pb2.SessionFilter(below=session)
            aim = {"anchor": session} if way == "anchor" else {"filter": wanted}
            request = Revoke(zone="shop", reason="a test", **aim)
            metadata = await caller.operator()
            with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                call = asyncio.create_task(_answered(caller, request, metadata))
                # 2. The revocation is in the store, and the authority is killed.
                store = EtcdStore(etcd.settings(prefix=values["etcd_prefix"]), CLOCK)

                async def is_dead() -> bool:
                    place = places.revocation_place("shop", session)
                    return await store.get(place) is not None

                await eventually(is_dead)
                await store.close()
                authority.kill()
                await authority.ended()
                assert not await call
            known = caller
        # 3. It starts again: the session is over, and nobody wrote down why.
        await authority.start()
        async with client(authority, known) as caller:
            exchange = caller.exchange("agent", ORDERS, session_id=session)
            assert await reason_of(exchange) is Reason.SESSION_NOT_ACTIVE
            entries = await require_verified(caller)
            assert [each for each in entries if each.type == "revocation"] == []
            # 4. The same call again is answered, and recorded.
            metadata = await caller.operator()
            answer = await caller.stubs.revocations.Revoke(request, metadata=metadata)
            assert answer.audit_id
            assert (answer.fallen_count, answer.revision > 0) == (0, True)
            entries = await require_verified(caller)
            assert [each.id for each in entries if each.type == "revocation"] == [answer.audit_id]


async def _answered(caller: Client, request: Revoke, metadata: tuple[tuple[str, str], ...]) -> bool:
    """Whether the call is answered at all."""
    try:
        await caller.stubs.revocations.Revoke(request, metadata=metadata)
    except grpc.aio.AioRpcError:
        return False
    return True
