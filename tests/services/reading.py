"""Short words for who reads the ledger of the shop over the wire."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc.aio

from caracal_grpc.core.entry import Entry
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.ledger.port import Ledger
from caracal_grpc.v1 import audit_service_pb2
from tests.support.authority import Running, reason_of

IDS = SystemIds()
PATIENCE = 20.0


def ledger(authority: Running) -> Ledger:
    """What the authority records into."""
    assert authority.server._authority is not None
    found: Ledger = authority.server._authority.reading._ledger
    return found


async def add(authority: Running, count: int, **fields: Any) -> list[str]:
    """Entries of the shop; their ids."""
    facts = {"zone": "shop", "time_ms": 1, "type": "test", "decision": "done", **fields}
    entries = [Entry(id=IDS.new("aud"), **facts) for _ in range(count)]
    assert await ledger(authority).append_all(entries) == count
    return [each.id for each in entries]


def request(token: str = "", **more: Any) -> audit_service_pb2.ReadRequest:
    """What is read of the shop; `query` are filters."""
    query = {"zone": "shop", "page_token": token, **more.pop("query", {})}
    return audit_service_pb2.ReadRequest(query=query, **more)  # type: ignore[arg-type]


async def read(authority: Running, *token: str, **more: Any) -> list[Any]:
    """All parts of a read that ends."""
    metadata = await authority.operator()
    call = authority.stubs.audit.Read(request(*token, **more), metadata=metadata, timeout=PATIENCE)
    return [part async for part in call]


async def indexes(authority: Running, *token: str, **more: Any) -> list[int]:
    """The indexes of all that a read gives."""
    return [each.index for part in await read(authority, *token, **more) for each in part.entries]


class Following:
    """One who follows the shop, and what came so far."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.parts: list[Any] = []

    @property
    def ids(self) -> list[str]:
        """The entries."""
        return [each.id for part in self.parts for each in part.entries]

    async def until(self, count: int) -> None:
        """Returns once that many entries came."""
        async with asyncio.timeout(PATIENCE):
            while len(self.ids) < count:
                await self.part()

    async def part(self) -> Any:
        """The next part."""
        part = await self.call.read()
        assert part is not grpc.aio.EOF
        self.parts.append(part)
        return part


async def follow(authority: Running, metadata: Any = None, token: str = "", **more: Any) -> Any:
    """Begins to follow; the first part has come."""
    metadata = metadata or await authority.operator()
    wanted = request(token, follow=True, **more)
    following = Following(authority.stubs.audit.Read(wanted, metadata=metadata))
    async with asyncio.timeout(PATIENCE):
        await following.part()
    return following


async def end_of(call: Any) -> Reason | None:
    """Why a stream ends."""

    async def to_the_end() -> None:
        async with asyncio.timeout(PATIENCE):
            while await call.read() is not grpc.aio.EOF:
                pass

    return await reason_of(to_the_end())


async def search(authority: Running, **query: Any) -> Any:
    """One page."""
    wanted = audit_service_pb2.SearchRequest(**query)
    return await authority.stubs.audit.Search(wanted, metadata=await authority.operator())
