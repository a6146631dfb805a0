"""What lasts: a stream ends with its mandate, and a revocation is known at the next request."""

from __future__ import annotations

import asyncio
import math
import time

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from caracal_grpc.core.limits import LEEWAY, MIN_TTL
from caracal_grpc.core.reason import Reason
from tests.mesh.envoy.conftest import Granted
from tests.support.authority import Running, bearer, eventually, reason_of
from tests.support.mesh import FOLLOW, PLACE, Sidecar
from tests.support.mutual import claims

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_stream_ends_with_its_mandate(orders: Sidecar, granted: Granted) -> None:
    """Though nobody asks about it again, and however long the caller would go on."""
    token = await granted(ttl=Duration(seconds=MIN_TTL))
    call = orders.channel.unary_stream(FOLLOW)(b"all", metadata=bearer(token), timeout=100)
    assert await call.read() == b"all"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.time() >= claims(token)["exp"]

    async def ended() -> bool:
        return orders.service.ended == [FOLLOW]

    await eventually(ended)
    assert await reason_of(orders.call(token)) is Reason.MANDATE_EXPIRED


@pytest.mark.parametrize("content_type", ["text/plain", "application/json"])
async def test_a_stream_ends_with_its_mandate_whatever_it_says_that_it_is(
    orders: Sidecar, granted: Granted, content_type: str
) -> None:
    """A server of gRPC serves it by its path, for as long as nobody ends it."""
    token = await granted(ttl=Duration(seconds=MIN_TTL))
    before, ended = orders.reached, len(orders.service.ended)
    said = (("Content-Type", content_type), ("TE", "trailers"), ("Grpc-Timeout", "99999999H"))
    asking = asyncio.create_task(orders.http(token, "POST", FOLLOW, said, b"\0\0\0\0\3all"))

    async def follows() -> bool:
        return orders.reached > before

    async def over() -> bool:
        return len(orders.service.ended) > ended

    try:
        await eventually(follows)
        remaining = orders.service.seen[-1].remaining
        assert remaining is not None
        assert remaining < MIN_TTL + LEEWAY + 30, "gRPC rounds deadlines up"
        await eventually(over, timeout=60)
        assert time.time() >= claims(token)["exp"]
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


async def test_the_deadline_of_a_call_is_the_nearer_one(orders: Sidecar, granted: Granted) -> None:
    """The caller's own, or the rest of the life of its mandate."""
    token = await granted()
    call = orders.channel.unary_unary(PLACE)
    left = []
    for timeout in (30, None, 3000):
        await call(b"tea", metadata=bearer(token), timeout=timeout)
        left.append(orders.service.seen[-1].remaining or math.inf)
    life = claims(token)["exp"] + LEEWAY - claims(token)["iat"]
    assert left[0] < 60, "gRPC rounds deadlines up, so that no bound here is a sharp one"
    assert 60 < left[1] < life + 30
    assert 60 < left[2] < life + 30


async def test_a_revocation_reaches_the_sidecar(
    orders: Sidecar, served: Running, granted: Granted
) -> None:
    """Of one mandate, others go on."""
    kept, token = await granted(), await granted()
    assert claims(kept)["jti"] != claims(token)["jti"]
    assert await orders.call(token) == b"tea"
    await served.revoke(claims(token)["jti"])

    async def refused() -> bool:
        return await reason_of(orders.call(token)) is Reason.MANDATE_REVOKED

    await eventually(refused)
    answer = await orders.http(token, "GET", "/orders/o-1")
    assert (answer.status, answer.problem["reason"]) == (401, "MANDATE_REVOKED")
    assert await orders.call(kept) == b"tea"
