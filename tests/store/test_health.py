"""What a store says of its own health."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.store.memory import MemoryStore
from caracal_grpc.store.port import Key
from tests.support.clock import FakeClock
from tests.support.etcd import EtcdProcess, Opener
from tests.support.quota import TINY_QUOTA, exhaust
from tests.support.refusals import refused


async def test_memory_is_one_member_that_grows() -> None:
    """It has no quota, and no release."""
    store = MemoryStore(FakeClock())
    (empty,) = (await store.health()).members
    await store.create(Key("shop", "things", "a"), {"text": "x" * 100})
    (fuller,) = (await store.health()).members
    assert (fuller.answered, fuller.leads, fuller.quota) == (True, True, 0)
    assert fuller.size > empty.size + 100
    await store.close()


async def test_etcd_tells_its_size_its_release_and_who_leads(
    etcd: EtcdProcess, open_store: Opener
) -> None:
    """One member, which leads."""
    store = open_store(etcd.settings())
    health = await store.health()
    (member,) = health.members
    assert member.endpoint == etcd.endpoint
    assert (member.answered, member.leads, member.learner, member.alarms) == (True, True, False, ())
    assert member.release.count(".") == 2
    assert member.size >= member.in_use > 0
    assert health.cluster == 1


async def test_an_endpoint_that_is_silent_is_told(etcd: EtcdProcess, open_store: Opener) -> None:
    """Beside those that answer, and in their order."""
    settings = etcd.settings()
    store = open_store(replace(settings, endpoints=("127.0.0.1:1", *settings.endpoints)))
    silent, member = (await store.health()).members
    assert (silent.endpoint, silent.answered, silent.release) == ("127.0.0.1:1", False, "")
    assert member.answered


async def test_a_user_sees_the_health_too(auth_etcd: EtcdProcess, open_store: Opener) -> None:
    """Without any right to look after the cluster."""
    store = open_store(auth_etcd.settings(username="caracal", password="a password for tests"))
    (member,) = (await store.health()).members
    assert member.answered


async def test_a_full_etcd_raises_its_alarm(tmp_path: Path, open_store: Opener) -> None:
    """It goes on to answer what it is asked."""
    async with EtcdProcess(tmp_path / "etcd", arguments=TINY_QUOTA) as process:
        await exhaust(process)
        store = open_store(process.settings())
        (member,) = (await store.health()).members
        assert member.alarms == ("NOSPACE",)
        assert member.size > 1_000_000
        with refused(Reason.STORE_UNAVAILABLE):
            await store.create(Key("shop", "things", "a"), {})


@pytest.mark.parametrize("kind", ["memory", "etcd"])
async def test_a_closed_store_refuses(kind: str, etcd: EtcdProcess, open_store: Opener) -> None:
    """As it refuses everything."""
    store = MemoryStore(FakeClock()) if kind == "memory" else open_store(etcd.settings())
    await store.close()
    with refused(Reason.STORE_UNAVAILABLE):
        await store.health()
