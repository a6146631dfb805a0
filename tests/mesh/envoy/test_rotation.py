"""Keys are rotated while requests come: none that is good is refused."""

from __future__ import annotations

import asyncio

import pytest

from caracal_grpc.crypto.header import kid_of
from caracal_grpc.v1 import key_service_pb2
from tests.mesh.envoy.conftest import Granted
from tests.support.authority import Running, eventually
from tests.support.mesh import Sidecar
from tests.support.shop import shop

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_rotation_refuses_nothing(
    orders: Sidecar, served: Running, granted: Granted
) -> None:
    """Neither mandates of the key before nor those of the one after, from its first on."""
    await served.apply(shop(settings={"key_publish_seconds": 2}))
    tokens: list[str] = []
    kids: list[str] = []

    async def load() -> None:
        while True:
            tokens.append(await granted())
            kids.append(kid_of(tokens[-1].partition(".")[0]))
            await orders.call(tokens[-1])
            await orders.call(tokens[0])
            assert (await orders.http(tokens[-1], "GET", "/orders/o-1")).status == 200

    async with asyncio.TaskGroup() as group:
        running = group.create_task(load())
        for rotation in range(1, 3):
            request = key_service_pb2.RotateKeyRequest(zone="shop")
            answer = await served.stubs.keys.RotateKey(request, metadata=await served.operator())

            async def signs(kid: str = answer.key.public.kid) -> bool:
                return kids.count(kid) > 5

            await eventually(signs)
            assert len(set(kids)) == rotation + 1
        running.cancel()
