"""The authority or the mesh process fails: nothing is let through wrongly, and it comes back."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import grpc
import pytest
import pytest_asyncio

from caracal_grpc.core.reason import Reason
from tests.mesh.envoy.load import APART, NUMBER, OUTAGE, Place, place, unavailable
from tests.support.authority import eventually
from tests.support.etcd import EtcdProcess
from tests.support.mesh import ONCE
from tests.support.mutual import claims

pytestmark = pytest.mark.asyncio(loop_scope="module")

Fault = Callable[[Place], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def authority_killed(at: Place) -> AsyncIterator[None]:
    """SIGKILL, and another one in its place."""
    at.authority.kill()
    await at.authority.ended()
    yield
    await at.start_authority()


@asynccontextmanager
async def authority_frozen(at: Place) -> AsyncIterator[None]:
    """SIGSTOP: its connections stay open."""
    at.authority.freeze()
    yield
    at.authority.thaw()


@asynccontextmanager
async def authority_unreachable(at: Place) -> AsyncIterator[None]:
    """Nothing passes, and nothing is reset."""
    at.way.partition()
    yield
    at.way.heal()


@asynccontextmanager
async def authority_unavailable(at: Place) -> AsyncIterator[None]:
    """Something else answers there: UNAVAILABLE, to everything."""
    async with unavailable() as address:
        own, at.way.target = at.way.target, address
        at.way.reset()
        yield
        at.way.target = own
        at.way.reset()


@asynccontextmanager
async def mesh_killed(at: Place) -> AsyncIterator[None]:
    """SIGKILL, and another one in its place."""
    await at.stage.mesh.kill()
    yield
    await at.stage.mesh.start()
    at.check.target = at.stage.mesh.address


@asynccontextmanager
async def mesh_frozen(at: Place) -> AsyncIterator[None]:
    """SIGSTOP."""
    await at.stage.mesh.freeze()
    yield
    at.stage.mesh.thaw()


@asynccontextmanager
async def mesh_slow(at: Place) -> AsyncIterator[None]:
    """It answers, later than the proxy waits."""
    at.check.delay = 2.5
    yield
    at.check.delay = 0.0


@asynccontextmanager
async def mesh_unavailable(at: Place) -> AsyncIterator[None]:
    """Something else answers there: UNAVAILABLE, to everything."""
    async with unavailable() as address:
        own, at.check.target = at.check.target, address
        at.check.reset()
        yield
        at.check.target = own
        at.check.reset()


OF_THE_AUTHORITY = [
    authority_killed,
    authority_frozen,
    authority_unreachable,
    authority_unavailable,
]
OF_THE_MESH = [mesh_killed, mesh_frozen, mesh_slow, mesh_unavailable]


def named(fault: Fault) -> str:
    """For the list of tests."""
    return getattr(fault, "__name__", "")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_place(
    etcd: EtcdProcess, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Place]:
    """What fails, again and again."""
    async with place(tmp_path_factory.mktemp("place"), etcd) as at:
        yield at


@pytest_asyncio.fixture(loop_scope="module")
async def at(one_place: Place) -> AsyncIterator[Place]:
    """It, in order; after the test it is so again, and nothing was let through wrongly."""
    await one_place.load.passes()
    yield one_place
    await one_place.load.passes(20)
    await one_place.load.require_honest()


@pytest.mark.parametrize("fault", OF_THE_AUTHORITY, ids=named)
async def test_without_the_authority_everything_is_refused(at: Place, fault: Fault) -> None:
    """Once it has not been heard of for too long, and by that name."""
    process = at.stage.mesh.process
    async with fault(at):
        await at.load.stale()
        since = len(at.load.good)
        await at.load.stale(20)
        assert {each.code for each in at.load.good[since:]} == OUTAGE
    assert at.stage.mesh.process is process is not None
    assert process.returncode is None


@pytest.mark.parametrize("fault", OF_THE_MESH, ids=named)
async def test_without_an_answer_everything_is_refused(at: Place, fault: Fault) -> None:
    """By the proxy itself, which never takes silence for a yes."""
    before = (await at.stage.envoy.stats())["error"]
    async with fault(at):
        await at.load.fails(3)
    assert (await at.stage.envoy.stats())["error"] > before


async def test_a_slow_authority_lets_nothing_through_unasked(at: Place) -> None:
    """What needs its word waits for it, and is refused rather than let through without."""
    at.way.delay = 1.5
    assert (await at.told(await at.granted(), ONCE)).code is grpc.StatusCode.UNAVAILABLE
    at.way.delay = 0.0
    taken: list[str] = []

    async def passes() -> bool:
        taken.append(await at.granted())
        return (await at.told(taken[-1], ONCE)).code is None

    await eventually(passes)
    assert (await at.told(taken[-1], ONCE)).reason is Reason.MANDATE_REPLAYED
    seen = [each.all(NUMBER) for each in at.stage.service.seen]
    assert seen.count([APART]) == 1


async def test_a_revocation_during_an_outage_holds_after_it(at: Place) -> None:
    """Before the edge could hear of it, it refuses everything; after, that mandate."""
    token = await at.granted()
    async with authority_unreachable(at):
        await at.operator.revoke(claims(token)["jti"])
        await at.load.stale()
    await at.load.passes()
    assert (await at.told(token)).reason is Reason.MANDATE_REVOKED


async def test_it_starts_without_the_authority(at: Place) -> None:
    """It refuses everything until it has heard from it, and needs no restart."""
    at.way.partition()
    assert await at.stage.mesh.end(signal.SIGTERM) == 0
    await at.stage.mesh.start()
    at.check.target = at.stage.mesh.address
    await at.load.stale(10)
    at.way.heal()
