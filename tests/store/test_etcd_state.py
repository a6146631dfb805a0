"""What is in etcd: prefixes, leases, pages, and writes whose answers are lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.store import etcd_pages
from caracal_grpc.store.etcd import EtcdStore
from caracal_grpc.store.formats import VERSION
from caracal_grpc.store.port import Delta, Expect, Put
from tests.store.conftest import key, watching
from tests.support.etcd import EtcdProcess, Opener


async def test_two_prefixes_do_not_see_each_other(etcd: EtcdProcess, open_store: Opener) -> None:
    """Neither by reading, nor by listing, nor by watching, even when one begins as the other."""
    prefix = etcd.settings().prefix
    one = open_store(etcd.settings(prefix=prefix))
    two = open_store(etcd.settings(prefix=prefix + "2"))
    async with watching(two) as watch:
        await watch.snapshot()
        await one.create(key("a"), {"n": 1})
        await two.create(key("b"), {"n": 2})
        assert [record.key.id for record in (await watch.delta()).puts] == ["b"]
    assert await two.get(key("a")) is None
    assert [record.key.id for record in (await one.list()).records] == ["a"]


async def test_etcdctl_reads_what_we_write(etcd: EtcdProcess, open_store: Opener) -> None:
    """The path names zone, kind and id; the value is JSON with a format version first."""
    settings = etcd.settings()
    await open_store(settings).create(key("ses_1"), {"state": "active"})
    async with etcd.kv() as kv:
        (entry,) = (await kv.get(f"/{settings.prefix}/v1/shop/sessions/ses_1")).kvs
    assert entry.value.startswith(b'{"v":%d,' % VERSION)
    assert json.loads(entry.value)["state"] == "active"


async def test_keys_of_one_minute_share_a_lease(etcd: EtcdProcess, open_store: Opener) -> None:
    """Two hundred revocations are one lease, longer than the longest of them."""
    settings = etcd.settings()
    store = open_store(settings)
    await asyncio.gather(
        *(store.create(key(str(n), "revocations"), {}, ttl=901 + n % 59) for n in range(200))
    )
    async with etcd.kv() as kv:
        entries = (await kv.get(f"/{settings.prefix}/", range_end=f"/{settings.prefix}0")).kvs
    assert len(entries) == 200
    (lease,) = {entry.lease for entry in entries}
    left = await store._caller.once(
        "look", lambda member, timeout: member.lease.time_to_live(lease, timeout=timeout)
    )
    assert left.grantedTTL >= 959 + settings.lease_window + settings.timeout


async def test_other_lives_have_other_leases(etcd: EtcdProcess, open_store: Opener) -> None:
    """A ttl of another minute, and no ttl at all."""
    settings = etcd.settings()
    store = open_store(settings)
    await store.commit([Put(key("a"), {}, 60), Put(key("b"), {}, 61), Put(key("c"), {})])
    async with etcd.kv() as kv:
        entries = (await kv.get(f"/{settings.prefix}/", range_end=f"/{settings.prefix}0")).kvs
    assert len({entry.lease for entry in entries}) == 3
    assert entries[2].lease == 0


async def test_a_lease_that_etcd_lost_is_replaced(etcd: EtcdProcess, etcd_store: EtcdStore) -> None:
    """The write that meets it succeeds all the same."""
    await etcd_store.create(key("a"), {}, ttl=60)
    (lease,) = {lease.id for lease in etcd_store._leases._open.values()}
    await etcd_store._caller.once("revoke", lambda m, t: m.lease.revoke(lease, timeout=t))
    await etcd_store.create(key("b"), {}, ttl=60)
    assert [record.key.id for record in (await etcd_store.list()).records] == ["b"]


async def test_a_list_longer_than_a_page_is_one_revision(
    etcd_store: EtcdStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writes between the pages do not show."""
    monkeypatch.setattr(etcd_pages, "_PAGE", 7)
    await etcd_store.commit([Put(key(f"{n:03}"), {"n": n}) for n in range(100)])

    async def meddle() -> None:
        for n in range(20):
            await etcd_store.create(key(f"zz{n}"), {})

    meddling = asyncio.create_task(meddle())
    listed = await etcd_store.list()
    await meddling
    assert len([r for r in listed.records if not r.key.id.startswith("zz")]) == 100
    assert all(record.revision <= listed.revision for record in listed.records)


async def test_a_list_of_large_values_is_cut_into_smaller_pages(
    etcd_store: EtcdStore,
) -> None:
    """A page that is too large to take is asked for in parts."""
    for n in range(80):
        await etcd_store.create(key(f"{n:03}"), {"text": "x" * 1_000_000})
    assert len((await etcd_store.list()).records) == 80


class LosesAnswers:
    """Stands in front of an endpoint's KV service and loses answers after they were given.

    The request is carried out, or not when `before`; then, once, it looks like a lost connection.
    """

    def __init__(self, real: Any, *, before: bool = False) -> None:
        self._real = real
        self._before = before
        self.lost = 0

    async def txn(self, *args: Any, **options: Any) -> Any:
        """One transaction whose answer is lost the first time."""
        if self.lost:
            return await self._real.txn(*args, **options)
        self.lost += 1
        if not self._before:
            await self._real.txn(*args, **options)
        raise TimeoutError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def lossy(store: EtcdStore, *, before: bool = False) -> LosesAnswers:
    """Makes `store` lose the answer to its next transaction."""
    member = store._caller.members.current
    proxy = LosesAnswers(member.kv, before=before)
    object.__setattr__(member, "kv", proxy)
    return proxy


@pytest.mark.parametrize("before", [True, False])
async def test_a_create_whose_answer_was_lost_succeeds_once(
    etcd_store: EtcdStore, before: bool
) -> None:
    """Whether or not it had been carried out, it is there once and the caller knows."""
    proxy = lossy(etcd_store, before=before)
    revision = await etcd_store.create(key("a"), {"n": 1})
    record = await etcd_store.get(key("a"))
    assert proxy.lost
    assert record is not None
    assert (record.value, record.revision) == ({"n": 1}, revision)


async def test_an_equal_value_of_another_is_not_taken_for_ours(
    etcd: EtcdProcess, open_store: Opener
) -> None:
    """A create whose answer was lost does not claim the key that somebody else created."""
    settings = etcd.settings()
    ours, theirs = open_store(settings), open_store(settings)
    await theirs.create(key("a"), {"n": 1})
    lossy(ours)
    with pytest.raises(CaracalError) as caught:
        await ours.create(key("a"), {"n": 1})
    assert caught.value.reason is Reason.OBJECT_EXISTS


@pytest.mark.parametrize("before", [True, False])
async def test_an_update_whose_answer_was_lost_counts_once(
    etcd_store: EtcdStore, before: bool
) -> None:
    """The change is in the value exactly once."""
    await etcd_store.create(key("a"), {"n": 0})
    lossy(etcd_store, before=before)

    def count(value: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"n": value["n"] + 1}

    await etcd_store.update(key("a"), count)
    record = await etcd_store.get(key("a"))
    assert record is not None
    assert record.value == {"n": 1}


async def test_an_update_that_was_overwritten_before_its_answer_was_lost_counts_once(
    etcd: EtcdProcess, open_store: Opener
) -> None:
    """The history of the key shows that ours was carried out, so it is not done again."""
    settings = etcd.settings()
    ours, theirs = open_store(settings), open_store(settings)
    await ours.create(key("a"), {"ours": 0, "theirs": 0})
    proxy = lossy(ours)
    real = proxy._real

    class ThenOverwrites:
        async def txn(self, *args: Any, **options: Any) -> Any:
            answer = await real.txn(*args, **options)
            await theirs.update(key("a"), lambda v: {**v, "theirs": v["theirs"] + 1})
            proxy._real = real
            return answer

    proxy._real = ThenOverwrites()
    real_get = real.get
    proxy.get = real_get  # type: ignore[attr-defined]
    await ours.update(key("a"), lambda v: {**v, "ours": v["ours"] + 1})
    record = await ours.get(key("a"))
    assert record is not None
    assert record.value == {"ours": 1, "theirs": 1}


@pytest.mark.parametrize("before", [True, False])
async def test_a_delete_whose_answer_was_lost_succeeds(etcd_store: EtcdStore, before: bool) -> None:
    """The key is gone, and the caller is not told that it never was."""
    await etcd_store.create(key("a"), {})
    lossy(etcd_store, before=before)
    await etcd_store.delete(key("a"))
    assert await etcd_store.get(key("a")) is None


async def test_an_unguarded_commit_that_was_carried_out_is_recognised(
    etcd_store: EtcdStore,
) -> None:
    """Its own mark is found, so it is one revision and one delta."""
    async with watching(etcd_store) as watch:
        await watch.snapshot()
        lossy(etcd_store)
        revision = await etcd_store.commit([Put(key("a"), {"n": 1}), Put(key("b"), {})])
        await etcd_store.create(key("end"), {})
        await watch.until(lambda e: isinstance(e, Delta) and e.puts[0].key == key("end"))
    assert next(e.revision for e in watch.seen if isinstance(e, Delta)) == revision
    assert len([e for e in watch.seen if isinstance(e, Delta)]) == 2


async def test_an_unguarded_commit_that_may_come_late_is_not_repeated(
    etcd_store: EtcdStore,
) -> None:
    """Nothing tells a repeat from the first, so the caller decides."""
    lossy(etcd_store, before=True)
    with pytest.raises(CaracalError) as caught:
        await etcd_store.commit([Put(key("a"), {"n": 1})])
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert await etcd_store.get(key("a")) is None


async def test_a_guarded_commit_is_repeated(etcd_store: EtcdStore) -> None:
    """An expectation on a key that it changes lets it be carried out once at most."""
    lossy(etcd_store, before=True)
    await etcd_store.commit([Put(key("a"), {"n": 1})], [Expect(key("a"), 0)])
    assert await etcd_store.get(key("a")) is not None


async def test_a_race_that_is_never_won_is_a_conflict(
    etcd_store: EtcdStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempts are bounded."""
    monkeypatch.setattr("caracal_grpc.store.etcd._RACES", 3)
    await etcd_store.create(key("a"), {"n": 0})
    rounds = 0

    async def lose(*_: Any) -> None:
        nonlocal rounds
        rounds += 1

    monkeypatch.setattr(etcd_store._committer, "commit", lose)
    with pytest.raises(CaracalError) as caught:
        await etcd_store.update(key("a"), lambda value: {"n": value["n"] + 1})
    assert caught.value.reason is Reason.CONFLICT
    assert rounds == 3


async def test_a_value_of_another_format_is_not_read(etcd: EtcdProcess, open_store: Opener) -> None:
    """To guess at it could grant what it forbids."""
    settings = etcd.settings()
    store = open_store(settings)
    async with etcd.kv() as kv:
        await kv.put(
            f"/{settings.prefix}/v1/shop/sessions/a", b'{"v":%d,"secret":"s3"}' % (VERSION + 1)
        )
    for call in (store.get(key("a")), store.list()):
        with pytest.raises(CaracalError) as caught:
            await call
        assert caught.value.reason is Reason.STORE_UNAVAILABLE
        assert "s3" not in str(caught.value)
