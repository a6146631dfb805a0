"""Group commit: who shares a commit with whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from caracal_grpc.ledger import writer as writing
from caracal_grpc.ledger.port import Receipt
from caracal_grpc.ledger.writer import GROUP, LINGERS, GroupWriter


class Books:
    """A commit function that keeps the groups it was given."""

    def __init__(self) -> None:
        self.groups: list[list[Any]] = []

    def commit(self, jobs: Sequence[Any]) -> list[Any]:
        """Takes them all."""
        self.groups.append(list(jobs))
        return [Receipt(0, b"") for _ in jobs]


@pytest.fixture
def books() -> Books:
    """What was committed."""
    return Books()


@pytest.fixture
async def writer(books: Books) -> AsyncIterator[GroupWriter]:
    """A writer into the books."""
    with ThreadPoolExecutor(1) as thread:
        writer = GroupWriter(books.commit, thread)
        try:
            yield writer
        finally:
            async with asyncio.timeout(10):
                await writer.close()


async def submit(writer: GroupWriter, *jobs: Any) -> None:
    """Each of `jobs` by a caller of its own, all at once."""
    async with asyncio.timeout(10):
        await asyncio.gather(*(writer.submit([job]) for job in jobs))


async def test_those_who_come_at_once_share_a_commit(writer: GroupWriter, books: Books) -> None:
    """In the order in which they came."""
    await submit(writer, *"abc")
    assert books.groups == [["a", "b", "c"]]


async def test_a_lone_caller_waits_for_nobody(
    writer: GroupWriter, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long a group would linger."""
    monkeypatch.setattr(writing, "LINGER", 3600.0)
    for job in "abc":
        await submit(writer, job)
    assert books.groups == [["a"], ["b"], ["c"]]


async def test_a_group_waits_while_others_come(
    writer: GroupWriter, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by one they share a commit, after one that was shared; but not for ever."""
    await submit(writer, "a", "b")
    calls: list[asyncio.Task[Any]] = []
    sleep = asyncio.sleep

    async def another(_: float) -> None:
        calls.append(asyncio.create_task(writer.submit([str(len(calls))])))
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", another)
    await submit(writer, "c")
    monkeypatch.undo()
    await asyncio.gather(*calls)
    assert books.groups[1] == ["c", *(str(number) for number in range(LINGERS))]


async def test_a_crowd_that_is_back_waits_for_nobody_else(
    writer: GroupWriter, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as shared the commit before: a group that large is worth one."""
    crowd = [str(number) for number in range(writing.CROWD)]
    await submit(writer, *crowd)
    monkeypatch.setattr(writing, "LINGER", 3600.0)
    await submit(writer, *crowd)
    assert books.groups == [crowd, crowd]


async def test_what_fills_a_group_waits_for_nobody_else(writer: GroupWriter, books: Books) -> None:
    """One report of an edge may be as large as a whole group."""
    await submit(writer, "a", "b")
    async with asyncio.timeout(10):
        await writer.submit(["x"] * GROUP)
    assert [len(group) for group in books.groups] == [2, GROUP]


async def test_closing_commits_what_waits(writer: GroupWriter, books: Books) -> None:
    """And takes no more."""
    await submit(writer, "a", "b")
    last = asyncio.create_task(writer.submit(["c"]))
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await writer.close()
    await last
    assert books.groups[-1] == ["c"]
