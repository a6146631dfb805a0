"""Propagation over several replicas: each answers for its own edges for as long as it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from caracal_grpc.authority.revocation.progress import Progress, Reach
from caracal_grpc.authority.state import places
from caracal_grpc.core.reason import Reason
from tests.authority.revocation.waiters import edge, elapse, killed, nothing_is_kept, until, waiting
from tests.support.refusals import refused
from tests.support.rig import BEAT, Rig, open_rig


@asynccontextmanager
async def another(rig: Rig, folder: Path) -> AsyncIterator[Rig]:
    """Another replica over the same store."""
    keks = rig.keyring.vault.keks
    async with open_rig(folder, rig.store, rig.clock, keks=keks, ledger="other") as other:
        other.operator = rig.operator
        await until(lambda: len(rig.authority._replicas.live()) == 2)
        yield other


async def test_edges_of_every_replica_count(any_rig: Rig, tmp_path: Path) -> None:
    """Whichever replica one waits at; each asks its own."""
    rig = any_rig
    async with another(rig, tmp_path) as other, edge(rig), edge(other, silent=True) as far:
        revision = await killed(rig)
        async with waiting(rig, revision) as here, waiting(other, revision) as there:
            await until(lambda: far.asked)
            await asyncio.sleep(5 * BEAT)
            assert not here.done()
            assert not there.done()
            far.say(far.asked[-1])
            for wait in (here, there):
                assert (await wait)[-1] == Progress(2, 2, Reach(2, 2))
        await nothing_is_kept(rig)
        await nothing_is_kept(other)


async def test_replica_that_lags_holds_up_who_waits(rig: Rig, tmp_path: Path) -> None:
    """It must know of the revocation itself before it asks, and until then nothing is done."""
    async with another(rig, tmp_path) as other, edge(other) as far:
        await other.mirror.close()
        revision = await killed(rig)
        async with waiting(rig, revision) as wait:
            await until(lambda: rig.authority.propagation._written)
            await asyncio.sleep(5 * BEAT)
            assert not wait.done()
            assert far.asked == []
            await other.mirror.start()
            assert (await wait)[-1] == Progress(2, 2, Reach(1, 1))
    assert min(far.asked) >= revision


async def test_replica_that_ends_does_not_count(any_rig: Rig, tmp_path: Path) -> None:
    """It takes back that it runs, and its edges go to another."""
    rig = any_rig
    async with another(rig, tmp_path) as other, edge(other, silent=True) as far:
        revision = await killed(rig)
        async with waiting(rig, revision) as wait:
            await until(lambda: far.asked)
            assert not wait.done()
            with suppress(Exception):
                await other.authority.close()
            assert (await wait)[-1] == Progress(1, 1, Reach(0, 0))


async def test_replica_that_was_killed_does_not_count_once_it_is_silent(
    rig: Rig, tmp_path: Path
) -> None:
    """Though its record is still there; for that long its edges may think that it is well."""
    async with another(rig, tmp_path) as other, edge(other, silent=True) as far:
        revision = await killed(rig)
        async with waiting(rig, revision) as wait:
            await until(lambda: far.asked)
            await silenced(other)
            await elapse(rig, 15)
            await asyncio.sleep(3 * BEAT)
            assert not wait.done()
            assert len((await rig.store.list("caracal", places.REPLICAS)).records) == 2
            await elapse(rig, 15)
            assert (await wait)[-1] == Progress(1, 1, Reach(0, 0))


async def silenced(rig: Rig) -> None:
    """As when its process is killed: it says no more that it runs."""
    renewal = rig.authority._replicas._renewal
    assert renewal is not None
    renewal.cancel()
    with suppress(asyncio.CancelledError):
        await renewal


async def test_replica_that_cannot_see_counts_nobody_out(rig: Rig, tmp_path: Path) -> None:
    """What it has not heard for want of a current view is held against nobody."""
    async with another(rig, tmp_path):
        replicas = rig.authority._replicas
        await rig.mirror.close()
        rig.clock.advance(100)
        assert len(replicas.live()) == 2
        await rig.mirror.start()
        await rig.fresh()
        assert replicas.live() == {replicas.own}


async def test_stale_replica_ends_the_wait(rig: Rig) -> None:
    """AUTHORITY_STALE: it cannot say how far anything is."""
    async with edge(rig, silent=True) as slow:
        revision = await killed(rig)
        async with waiting(rig, revision) as wait:
            await until(lambda: slow.asked)
            await rig.mirror.close()
            rig.clock.advance(100)
            with refused(Reason.AUTHORITY_STALE):
                await wait
        await rig.mirror.start()


async def test_replicas_say_that_they_run(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Again and again, and take it back in the end."""
    monkeypatch.setattr("caracal_grpc.authority.revocation.replicas._RENEWAL", 0.01)
    async with another(rig, tmp_path) as other:
        own = other.authority._replicas.own
        first = rig.state.revision_of(places.replica_place(own))
        await until(lambda: rig.state.revision_of(places.replica_place(own)) > first + 3)
    await until(lambda: rig.state.record(places.replica_place(own)) is None)
