"""Who follows the ledger is told what any replica recorded, and goes on when its own one dies."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc.aio
import pytest

from caracal_grpc.v1.audit_service_pb2 import ReadRequest, SearchRequest
from tests.stories.support import whole_ledger
from tests.stories.test_shared_ledger import Pair, two
from tests.support.authority import Client

__all__ = ["two"]


class Follower:
    """One who follows the shop at a replica, and remembers where it is."""

    def __init__(self) -> None:
        self.token = ""
        self.ids: list[str] = []

    async def follow(self, caller: Client, until: str) -> None:
        """Goes on until the entry of this mandate has come."""
        query = SearchRequest(zone="shop", page_token=self.token)
        request = ReadRequest(query=query, follow=True)
        call: Any = caller.stubs.audit.Read(request, metadata=await caller.operator())
        try:
            async with asyncio.timeout(30):
                async for part in call:
                    self.ids += [each.id for each in part.entries]
                    self.token = part.resume_token
                    if until in {each.jti for each in part.entries}:
                        return
        finally:
            call.cancel()


async def test_nothing_is_missed_or_repeated(two: Pair) -> None:
    """1. What the other replica records is told. 2. The follower's replica is killed while both
    record. 3. The follower goes on at the other one, behind what it was told last.
    """
    follower = Follower()
    await two.issue(1, 5)
    await follower.follow(two.callers[0], two.issued[-1])
    following = asyncio.create_task(follower.follow(two.callers[0], "never"))
    issuing = asyncio.create_task(two.issue(0, 10_000))
    await two.issue(1, 30)
    two.children[0].kill()
    for ending in (issuing, following):
        with pytest.raises(grpc.aio.AioRpcError):
            await ending
    await two.issue(1, 30)
    await follower.follow(two.callers[1], two.issued[-1])
    whole = [each.id for each in await whole_ledger(two.callers[1])]
    assert follower.ids == whole[: len(follower.ids)]
    assert len(whole) - len(follower.ids) < 3, "no more than what was recorded since"
