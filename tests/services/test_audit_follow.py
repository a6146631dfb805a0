"""AuditService.Read of what is yet to come: who follows, and what ends it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from caracal_grpc.authority.audit import reading
from caracal_grpc.core.limits import MAX_READERS_EACH
from caracal_grpc.core.reason import Reason
from tests.services.reading import add, end_of, follow, ledger, read
from tests.support.authority import Running, bearer, eventually, reason_of
from tests.support.refusals import refused
from tests.support.shop import CARACAL


async def test_who_follows_gets_what_comes(authority: Running) -> None:
    """First what there is, then each new entry, once and in order."""
    before = await ledger(authority).size("shop")
    following = await follow(authority)
    await following.until(before)
    ids = await add(authority, 2) + await add(authority, 5)
    await following.until(before + 7)
    assert following.ids[before:] == ids
    assert following.parts[-1].size == before + 7
    following.call.cancel()


async def test_who_follows_hears_something_when_nothing_comes(
    authority: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part without entries, from whose token on only what is newer is read."""
    monkeypatch.setattr(reading, "HEARTBEAT", 0.1)
    following = await follow(authority, query={"type": "wanted"})
    first = following.parts[0]
    assert list(first.entries) == []
    await add(authority, 3)
    size = await ledger(authority).size("shop")

    async def moved() -> bool:
        part = await following.part()
        return bool(part.size == size and part.resume_token != first.resume_token)

    await eventually(moved)
    following.call.cancel()
    (wanted,) = await add(authority, 1, type="wanted")
    token = following.parts[-1].resume_token
    resumed = await follow(authority, token=token, query={"type": "wanted"})
    await resumed.until(1)
    assert resumed.ids == [wanted]
    resumed.call.cancel()


async def test_readers_are_bounded(authority: Running) -> None:
    """Of one application so many, saying when to come back; who leaves makes room."""
    async with following_as(authority, MAX_READERS_EACH) as all_of_them:
        with refused(Reason.LIMIT_EXCEEDED) as seen:
            await read(authority)
        assert seen.metadata["limit"] == str(MAX_READERS_EACH)
        assert seen.error.retry_after
        all_of_them[0].call.cancel()

        async def room() -> bool:
            return await reason_of(read(authority)) is None

        await eventually(room)


class following_as:  # noqa: N801 - used as a word
    """So many who follow as the operator, and leave at the end."""

    def __init__(self, authority: Running, count: int) -> None:
        self._authority, self._count = authority, count
        self._all: list[Any] = []

    async def __aenter__(self) -> list[Any]:
        self._all = [await follow(self._authority) for _ in range(self._count)]
        return self._all

    async def __aexit__(self, *_: object) -> None:
        for each in self._all:
            each.call.cancel()


async def test_a_mandate_that_is_revoked_ends_its_stream(authority: Running) -> None:
    """At once, though nothing comes."""
    issued = await authority.exchange("operator", CARACAL, zone="caracal")
    following = await follow(authority, bearer(issued.mandate))
    await authority.revoke(issued.jti, "caracal")
    assert await end_of(following.call) is Reason.MANDATE_REVOKED


async def test_a_server_that_stops_ends_its_readers(authority: Running) -> None:
    """DRAINING, so that they go on at another replica."""
    following = await follow(authority)
    stopping = asyncio.create_task(authority.server.stop())
    assert await end_of(following.call) is Reason.DRAINING
    await stopping
