"""The authority that these tests put questions to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from caracal_grpc.crypto.kek import Kek
from caracal_grpc.store.etcd import EtcdStore
from tests.support.clock import FakeClock
from tests.support.etcd import EtcdProcess
from tests.support.rig import Rig, memory_store, open_rig, settle


@pytest.fixture
def clock() -> FakeClock:
    """Time, which the test moves."""
    return FakeClock()


@pytest.fixture
async def rig(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Rig]:
    """An authority over memory, with its own zone and the shop."""
    store = memory_store(clock)
    async with open_rig(tmp_path, store, clock) as opened:
        yield await settle(opened)
    await store.close()


@pytest.fixture
async def etcd_rig(tmp_path: Path, clock: FakeClock, etcd: EtcdProcess) -> AsyncIterator[Rig]:
    """The same over a real etcd."""
    store = EtcdStore(etcd.settings(), clock)
    try:
        async with open_rig(tmp_path, store, clock) as opened:
            yield await settle(opened)
    finally:
        await store.close()


@pytest.fixture
async def two(
    tmp_path: Path, clock: FakeClock, etcd: EtcdProcess
) -> AsyncIterator[tuple[Rig, Rig]]:
    """Two replicas over one etcd, each with a ledger of its own; both know every credential."""
    settings, kek = etcd.settings(), Kek.generate()
    stores = [EtcdStore(settings, clock) for _ in range(2)]
    try:
        async with open_rig(tmp_path, stores[0], clock, kek=kek) as first:
            await settle(first)
            async with open_rig(tmp_path, stores[1], clock, kek=kek, ledger="other") as second:
                second.credentials, second.operator = first.credentials, first.operator
                yield first, second
    finally:
        for store in stores:
            await store.close()


@pytest.fixture(params=["memory", "etcd"])
def any_rig(request: pytest.FixtureRequest) -> Rig:
    """Both, one after the other, for what the store has a part in."""
    name = {"memory": "rig", "etcd": "etcd_rig"}[request.param]
    opened: Rig = request.getfixturevalue(name)
    return opened
