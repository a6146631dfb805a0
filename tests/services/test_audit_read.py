"""AuditService.Read on the wire: any number of entries, once each, at the reader's own pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest

from caracal_grpc.authority.audit import reading
from caracal_grpc.core.entry import MAX_QUESTION
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.entries import walk
from caracal_grpc.v1 import audit_pb2
from tests.services.reading import add, end_of, indexes, ledger, read, request, search
from tests.support.authority import Running, eventually, reason_of
from tests.support.refusals import refused
from tests.support.shop import ORDERS, shop


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE", 3)


async def test_everything_is_read_in_the_order_of_the_tree(authority: Running) -> None:
    """Part by part, none larger than a page, whole entries, and how many there are."""
    await add(authority, 10)
    size = await ledger(authority).size("shop")
    parts = await read(authority)
    found = [each for part in parts for each in part.entries]
    assert [each.index for each in found] == list(range(size))
    assert {len(part.entries) for part in parts[:-1]} == {3}
    assert {part.size for part in parts} == {size}
    assert found[-1].type == "test"
    assert found[-1].leaf_hash


async def test_filters_and_bounds_hold(authority: Running) -> None:
    """Those of a search, and the range."""
    size = await ledger(authority).size("shop")
    wanted = await add(authority, 4, resource=ORDERS)
    await add(authority, 4)
    assert await indexes(authority, query={"resource": ORDERS}) == [size + n for n in range(4)]
    some = {"resource": ORDERS, "audit_id": wanted[2]}
    assert await indexes(authority, query=some) == [size + 2]
    assert await indexes(authority, start_index=size + 5, end_index=size + 7) == [
        size + 5,
        size + 6,
    ]
    assert await indexes(authority, start_index=size + 100) == []
    (empty,) = await read(authority, query={"type": "nothing"})
    assert (list(empty.entries), empty.size) == ([], size + 8)


async def test_a_long_way_to_what_is_wanted_is_remembered(
    authority: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing is found, empty parts come, whose tokens go on behind what was seen."""
    monkeypatch.setattr(reading, "HEARTBEAT", 0.0)
    monkeypatch.setattr(walk, "FEW", 0)
    monkeypatch.setattr(walk, "SPAN", 5)
    await add(authority, 30)
    (wanted,) = await add(authority, 1, type="wanted", resource=ORDERS)
    await add(authority, 30, resource=ORDERS)
    query = {"type": "wanted", "resource": ORDERS}
    parts = await read(authority, query=query)
    assert [each.id for part in parts for each in part.entries] == [wanted]
    empty = [part.resume_token for part in parts if not part.entries]
    assert len(set(empty)) == len(empty) > 3
    behind = parts[-2].resume_token
    assert await indexes(authority, behind, query=query) == []


async def test_a_killed_reader_misses_and_repeats_nothing(authority: Running) -> None:
    """Whichever part was its last, it goes on behind it."""
    await add(authority, 8)
    whole = await indexes(authority)
    for taken in range(1, 4):
        call = authority.stubs.audit.Read(request(), metadata=await authority.operator())
        parts = [await call.read() for _ in range(taken)]
        call.cancel()
        seen = [each.index for part in parts for each in part.entries]
        assert seen + await indexes(authority, parts[-1].resume_token) == whole


async def test_a_token_is_good_for_the_same_read_only(authority: Running) -> None:
    """Not for another question, nor for a search; and that of a search not for a read."""
    await add(authority, 5)
    (part, *_) = await read(authority)
    with refused(Reason.FIELD_INVALID) as seen:
        await read(authority, part.resume_token, query={"type": "test"})
    assert seen.fields == ["query.page_token"]
    searching = {"zone": "shop", "page_size": 1}
    page = await search(authority, **searching)
    assert await reason_of(read(authority, page.next_page_token)) is Reason.FIELD_INVALID
    again = search(authority, **searching, page_token=part.resume_token)
    assert await reason_of(again) is Reason.FIELD_INVALID


async def test_what_was_pruned_is_shown_when_asked_for(
    authority: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its index and its leaf hash, among what is left; otherwise it is left out."""
    monkeypatch.setattr(reading, "PAGE", 100)
    await add(authority, 290)
    kept = await add(authority, 10, time_ms=10**12)
    await add(authority, 300)
    whole = {each.index: each.leaf_hash for part in await read(authority) for each in part.entries}
    assert (await ledger(authority).prune("shop", 10**12)).pruned > 200
    left = await read(authority)
    there = [each.index for part in left for each in part.entries]
    parts = await read(authority, include_pruned=True)
    found = [each for part in parts for each in part.entries]
    assert {each.index: each.leaf_hash for each in found} == whole
    assert [each.index for each in found] == sorted(whole)
    assert [each.index for each in found if not each.pruned] == there
    gone = next(each for each in found if each.pruned)
    assert (gone.id, gone.canonical, gone.type) == ("", b"", "")
    assert set(kept) <= {each.id for each in found}
    token = parts[0].resume_token
    assert [each.index for part in parts[1:] for each in part.entries] == await indexes(
        authority, token, include_pruned=True
    )


BAD: list[tuple[str, dict[str, Any]]] = [
    ("query.newest_first", {"query": {"newest_first": True}}),
    ("query.order_by", {"query": {"order_by": "index"}}),
    ("query.page_size", {"query": {"page_size": 5}}),
    ("query.page_token", {"query": {"page_token": "x"}}),
    ("start_index", {"start_index": -1}),
    ("end_index", {"start_index": 5, "end_index": 5}),
    ("end_index", {"end_index": -1}),
    ("end_index", {"end_index": 5, "follow": True}),
    ("include_pruned", {"include_pruned": True, "query": {"type": "test"}}),
    ("decision", {"query": {"decision": 99}}),
]


@pytest.mark.parametrize(("field", "more"), BAD, ids=[f"{f}-{n}" for n, (f, _) in enumerate(BAD)])
async def test_bad_read_is_refused(authority: Running, field: str, more: dict[str, Any]) -> None:
    """FIELD_INVALID with the field."""
    with refused(Reason.FIELD_INVALID) as seen:
        await read(authority, **more)
    assert seen.fields == [field]


async def test_only_who_may_reads(authority: Running) -> None:
    """Not an application without the scope, nor one of another zone; and no unknown zone."""
    await authority.apply(shop(name="annex"))
    metadata = await authority.caller("agent")
    call = authority.stubs.audit.Read(request(), metadata=metadata)
    assert await end_of(call) is Reason.SCOPE_INSUFFICIENT
    unknown = read(authority, query={"zone": "nowhere"})
    assert await reason_of(unknown) is Reason.OBJECT_NOT_FOUND


async def test_a_reader_that_does_not_read_is_waited_for(
    authority: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more is fetched for it than what is on its way; then it gets the rest."""
    await add(authority, 240, question='"' * MAX_QUESTION)
    size, books, fetched = await ledger(authority).size("shop"), ledger(authority), 0
    plain = books.search

    async def counted(*args: Any, **how: Any) -> Any:
        nonlocal fetched
        fetched += 1
        return await plain(*args, **how)

    monkeypatch.setattr(books, "search", counted)
    call = authority.stubs.audit.Read(request(), metadata=await authority.operator())
    first = await call.read()

    async def still() -> bool:
        before = fetched
        await asyncio.sleep(0.5)
        return fetched == before

    await eventually(still)
    assert fetched < size // 3
    rest = [each async for each in rest_of(call)]
    assert [each.index for each in (*first.entries, *rest)] == list(range(size))


async def rest_of(call: Any) -> AsyncIterator[audit_pb2.AuditEntry]:
    """What is left of a read."""
    while (part := await call.read()) is not grpc.aio.EOF:
        for each in part.entries:
            yield each
