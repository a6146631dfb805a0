"""A proxy asks again about one request: that is one use of its mandate."""

from __future__ import annotations

from contextlib import AsyncExitStack

import grpc
import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.status import from_rpc_error
from tests.mesh.envoy.conftest import Granted
from tests.stories.support import profile_of
from tests.support.authority import Running
from tests.support.envoy import Configuration
from tests.support.mesh import ONCE, Sidecar, sidecar
from tests.support.proxy import Proxy, proxy

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANSWER = 200
"""Bytes: fewer than an answer has, more than the frames by which HTTP/2 keeps itself alive."""


async def refused(stage: Sidecar, token: str) -> Reason | None:
    """Why one more use is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stage.call(token, ONCE)
    refusal = from_rpc_error(caught.value)
    return None if refusal is None else refusal.reason


async def test_an_answer_that_is_lost_has_not_used_up_the_mandate(
    served: Running, granted: Granted, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The request that is asked about again goes on, another one under its mandate does not."""
    ways: list[Proxy] = []
    configuration = Configuration("sidecar.yaml")
    for cluster in configuration.value["static_resources"]["clusters"]:
        cluster["connect_timeout"] = "20s"
    async with AsyncExitStack() as closing:

        async def asked(address: str) -> str:
            ways.append(await closing.enter_async_context(proxy(address)))
            return ways[0].address

        stage = await closing.enter_async_context(
            sidecar(
                tmp_path_factory.mktemp("repeated"),
                profile_of(served, "orders"),
                configuration=configuration,
                check=asked,
                listen="127.0.0.1:0",
                max_staleness=30,
            )
        )
        await stage.eventually_passes(await granted())
        before, token = ways[0].accepted, await granted()
        ways[0].reset_after(ANSWER)
        assert await stage.call(token, ONCE) == b"tea"
        assert ways[0].accepted == before + 1
        assert await refused(stage, token) is Reason.MANDATE_REPLAYED
        assert len(stage.service.seen) == 2
