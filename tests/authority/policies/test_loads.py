"""How far each replica is: what is activated is compiled everywhere, and all can see where."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from caracal_grpc.authority.policies.loads import Load
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.policy.bundle import Bundle
from caracal_grpc.policy.engines import engine
from caracal_grpc.policy.port import Engine, Policy, Report
from caracal_grpc.store.etcd import EtcdStore
from tests.authority.policies.samples import (
    CANCEL,
    PLACE,
    activate,
    decides,
    granted,
    made,
    operator,
)
from tests.support.clock import FakeClock
from tests.support.etcd import EtcdProcess
from tests.support.refusals import refused
from tests.support.rig import Rig, open_rig, settle


def loads(rig: Rig) -> dict[str, Load]:
    """What every replica says, as `rig` sees it."""
    status = rig.authority.activations.status(operator(rig), "shop")
    return {each.replica: each for each in status.loads}


async def all_are(rig: Rig, *states: str) -> dict[str, Load]:
    """What every replica says, once their states are `states`, in any order."""
    async with asyncio.timeout(10):
        while sorted(each.state for each in loads(rig).values()) != sorted(states):
            await asyncio.sleep(0.01)
    return loads(rig)


async def test_an_activation_reaches_every_replica(two: tuple[Rig, Rig]) -> None:
    """Both say that they have loaded it, and each shows what the other says."""
    version = await made(two[0], CANCEL)
    revision = await activate(two[0], version)
    for rig in two:
        await rig.state.reached(revision)
        found = await all_are(rig, "loaded", "loaded")
        assert {each.version for each in found.values()} == {version}
        assert len(found) == 2
        assert await granted(rig) == {"orders:cancel"}


async def test_a_replica_that_starts_says_how_far_it_is(two: tuple[Rig, Rig]) -> None:
    """Without any activation, and without any exchange."""
    await all_are(two[0], "loaded", "loaded")


async def test_a_replica_that_is_gone_is_not_listed(two: tuple[Rig, Rig]) -> None:
    """Whatever it said last."""
    await all_are(two[0], "loaded", "loaded")
    await two[1].authority.close()
    assert list(await all_are(two[0], "loaded")) == [two[0].authority.trials.replica]


@dataclass
class Gated:
    """An engine that compiles some versions when it is told to, and some not at all."""

    inner: Engine
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)

    async def compile(self, bundle: Bundle) -> Policy:
        """As the engine does, in its time."""
        if bundle.version in self.held:
            await self.held[bundle.version].wait()
        if bundle.version in self.refused:
            raise field_invalid("modules", "exceed a limit of this replica")
        return await self.inner.compile(bundle)

    async def validate(self, bundle: Bundle, tests: Mapping[str, str]) -> Report:
        """As the engine does."""
        return await self.inner.validate(bundle, tests)

    async def close(self) -> None:
        """As the engine does."""
        await self.inner.close()


@dataclass
class Pair:
    """Two replicas over one etcd; the second compiles by `gate`."""

    first: Rig
    second: Rig
    gate: Gated


@pytest.fixture
async def pair(tmp_path: Path, clock: FakeClock, etcd: EtcdProcess) -> AsyncIterator[Pair]:
    """Two replicas, settled."""
    settings, kek = etcd.settings(), Kek.generate()
    stores, gate = [EtcdStore(settings, clock) for _ in range(2)], Gated(engine())
    try:
        async with open_rig(tmp_path, stores[0], clock, kek=kek) as first:
            await settle(first)
            async with open_rig(
                tmp_path, stores[1], clock, kek=kek, ledger="other", policies=gate
            ) as second:
                second.credentials, second.operator = first.credentials, first.operator
                yield Pair(first, second, gate)
    finally:
        for store in stores:
            await store.close()


async def test_exchanges_wait_for_the_new_version(pair: Pair) -> None:
    """While a replica compiles it, it grants nothing by the old one, and says that it loads."""
    await all_are(pair.first, "loaded", "loaded")
    assert "orders:place" in await granted(pair.second)
    version = await made(pair.first, CANCEL)
    gate = pair.gate.held[version] = asyncio.Event()
    revision = await activate(pair.first, version)
    await pair.second.state.reached(revision)
    waiting = [asyncio.create_task(granted(pair.second)) for _ in range(5)]
    found = await all_are(pair.first, "loaded", "loading")
    assert {each.version for each in found.values()} == {version}
    done, _ = await asyncio.wait(waiting, timeout=0.05)
    assert not done
    gate.set()
    assert await asyncio.gather(*waiting) == [{"orders:cancel"}] * 5
    await all_are(pair.first, "loaded", "loaded")


async def test_a_replica_that_cannot_compile_denies_and_says_why(pair: Pair) -> None:
    """POLICY_FAILED there, nowhere else; never is anything decided by the version before."""
    await all_are(pair.first, "loaded", "loaded")
    version = await made(pair.first, CANCEL)
    pair.gate.refused.add(version)
    revision = await activate(pair.first, version)
    await pair.second.state.reached(revision)
    found = await all_are(pair.first, "failed", "loaded")
    failed = found[pair.second.authority.trials.replica]
    assert "exceed a limit of this replica" in failed.detail
    with refused(Reason.POLICY_FAILED):
        await granted(pair.second)
    assert await granted(pair.first) == {"orders:cancel"}
    back = await pair.first.authority.activations.rollback(operator(pair.first), "shop")
    await pair.second.state.reached(back.revision)
    assert "orders:place" in await granted(pair.second)
    await all_are(pair.first, "loaded", "loaded")


async def test_what_failed_is_tried_again(pair: Pair) -> None:
    """By itself: what kept the replica from it may pass."""
    version = await made(pair.first, PLACE)
    pair.gate.refused.add(version)
    await activate(pair.first, version)
    await all_are(pair.first, "failed", "loaded")
    pair.gate.refused.clear()
    await pair.second.advance(60)
    await all_are(pair.first, "loaded", "loaded")


async def test_a_version_that_does_not_compile_here_is_not_activated(pair: Pair) -> None:
    """POLICY_FAILED by the replica that is asked, and what decided goes on."""
    before, version = decides(pair.first), await made(pair.first, CANCEL)
    await pair.second.state.reached(pair.first.state.revision)
    pair.gate.refused.add(version)
    with refused(Reason.POLICY_FAILED):
        await activate(pair.second, version)
    assert decides(pair.second) == before
