"""Changes at the same time, at two replicas over one etcd: what holds fits together."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from caracal_grpc.authority.state import places
from caracal_grpc.authority.zones.kinds import RESOURCE
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from tests.authority.upstreams.desk import CRM, Desk, crm_shop
from tests.support.rig import Rig
from tests.support.shop import shop


@pytest.fixture
async def desks(two: tuple[Rig, Rig]) -> tuple[Desk, Desk]:
    """The same shop, over two replicas."""
    first, second = two
    applied = await first.apply(crm_shop())
    await second.state.reached(applied.revision)
    second.credentials = first.credentials
    return Desk(first), Desk(second)


def reasons(answers: list[Any]) -> list[Reason]:
    """Why some were refused; anything else that was raised fails the test."""
    raised = [each for each in answers if isinstance(each, BaseException)]
    assert all(isinstance(each, CaracalError) for each in raised), raised
    return [each.reason for each in raised if isinstance(each, CaracalError)]


async def test_one_secret_is_left_of_many(desks: tuple[Desk, Desk]) -> None:
    """That of the change which holds; none of the others lies about, and it opens everywhere."""
    made = await desks[0].make()
    await desks[1].rig.state.reached(made.edited.revision)
    changes = [desks[number % 2].change(secret=f"secret-{number}") for number in range(10)]
    answers = await asyncio.gather(*changes, return_exceptions=True)
    assert set(reasons(answers)) <= {Reason.CONFLICT}
    revision = max(each.edited.revision for each in answers if not isinstance(each, BaseException))
    for desk in desks:
        await desk.rig.state.reached(revision)
    store = desks[0].rig.store
    left = (await store.list("shop", places.UPSTREAM_SECRETS)).records
    found = desks[0].rig.state.upstream("shop", "crm")
    assert found is not None
    assert [record.key.id for record in left] == [f"crm.bearer.{found.secret}"]
    given = {(await desk.release((await desk.shown()).token)).value for desk in desks}
    assert len(given) == 1
    assert given.pop().startswith("Bearer secret-")


async def test_resource_goes_or_is_named(desks: tuple[Desk, Desk]) -> None:
    """Never both: of the two, one is refused."""
    bare = crm_shop()
    bare["policy"]["grants"] = shop()["policy"]["grants"]
    applied = await desks[0].rig.apply(bare)
    await desks[1].rig.state.reached(applied.revision)
    answers: list[Any] = await asyncio.gather(
        desks[0].make(),
        desks[1].authority.edits.delete(desks[1].operator, "shop", RESOURCE, CRM, ""),
        return_exceptions=True,
    )
    refused = reasons(answers)
    assert len(refused) == 1
    assert refused[0] is Reason.FIELD_INVALID
    kinds = {record.key.kind for record in (await desks[0].rig.store.list("shop")).records}
    there = places.resource_place("shop", CRM)
    resource = await desks[0].rig.store.get(there)
    assert (places.UPSTREAMS in kinds) is (resource is not None)
