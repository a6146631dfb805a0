"""Edits at the same time as other changes, at one replica and at two: one order, nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.unfinished import Unfinished
from caracal_grpc.authority.zones.declaration import DeclaredApplication
from caracal_grpc.authority.zones.edits import Changed
from caracal_grpc.authority.zones.kinds import APPLICATION, RESOURCE
from caracal_grpc.core.application import Application
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.workload import WorkloadIdentity
from caracal_grpc.core.zone import MayAct, Resource
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, shop

TEA = Resource("resource://tea", frozenset({"tea:brew"}))


def operator(rig: Rig) -> Mandate:
    """Who does all this."""
    assert rig.operator is not None
    return rig.operator


async def outcome(work: Awaitable[Any]) -> Reason | None:
    """Why something was refused, `None` when it was not."""
    try:
        await work
    except CaracalError as error:
        return error.reason
    return None


async def seen_by(rig: Rig, other: Rig) -> None:
    """Returns when a replica has seen all that another one did."""
    await other.state.reached((await rig.store.list("shop")).revision)


def add(label: str) -> Any:
    """A change that relies on what is there: a label more."""
    return lambda present: DeclaredApplication(
        present.name, (*present.labels, label), present.ceiling
    )


def updated(rig: Rig, label: str, etag: str = "") -> Awaitable[Changed[Application]]:
    """A label more for the agent."""
    return rig.authority.edits.update(operator(rig), "shop", APPLICATION, "agent", etag, add(label))


async def labels(rig: Rig) -> set[str]:
    """Those of the agent, as the store has them."""
    record = await rig.store.get(places.application_place("shop", rig.application("agent")))
    assert record is not None
    return set(record.value["labels"])


async def test_updates_at_once_are_all_there(any_rig: Rig) -> None:
    """Each is made on what the one before left."""
    await asyncio.gather(*(updated(any_rig, f"l{number}") for number in range(12)))
    assert await labels(any_rig) == {"batch", "night", *(f"l{number}" for number in range(12))}


async def test_updates_at_two_replicas_are_all_there(two: tuple[Rig, Rig]) -> None:
    """Or refused: whoever was told that it is done finds it."""
    works = [outcome(updated(two[number % 2], f"l{number}")) for number in range(12)]
    told = await asyncio.gather(*works)
    assert set(told) <= {None, Reason.CONFLICT}
    done = {f"l{number}" for number, reason in enumerate(told) if reason is None}
    assert len(done) >= 2
    assert await labels(two[0]) == {"batch", "night", *done}


async def test_one_of_two_claims_of_an_identity_wins(two: tuple[Rig, Rig]) -> None:
    """The other one finds it taken, whichever replica it came to, or is CONFLICT."""
    identity = (WorkloadIdentity(spiffe_id="spiffe://shop.example/ns/shop/sa/web"),)

    def claimed(number: int) -> Awaitable[Changed[Application]]:
        rig, wanted = two[number % 2], DeclaredApplication(f"web-{number}", identities=identity)
        return rig.authority.edits.create(operator(rig), "shop", APPLICATION, wanted)

    told = await asyncio.gather(*(outcome(claimed(number)) for number in range(6)))
    assert told.count(None) == 1
    assert set(told) <= {None, Reason.FIELD_INVALID, Reason.CONFLICT}
    records = (await two[0].store.list("shop", places.APPLICATIONS)).records
    assert sum(bool(each.value["identities"]) for each in records) == 1


async def test_one_of_two_updates_with_the_same_etag_wins(two: tuple[Rig, Rig]) -> None:
    """The other one is CONFLICT."""
    seen = two[0].authority.objects.get(operator(two[0]), "shop", APPLICATION, "agent").etag
    told = await asyncio.gather(
        *(outcome(updated(rig, f"l{number}", seen)) for number, rig in enumerate(two))
    )
    assert sorted(told, key=str) == [Reason.CONFLICT, None]
    assert len(await labels(two[0])) == 3


async def test_one_of_two_who_make_the_same_name_does(two: tuple[Rig, Rig]) -> None:
    """OBJECT_EXISTS for the other, though an application has an id of its own."""
    late = DeclaredApplication("late")
    works = (rig.authority.edits.create(operator(rig), "shop", APPLICATION, late) for rig in two)
    told = await asyncio.gather(*map(outcome, works))
    assert sorted(told, key=str) == [None, Reason.OBJECT_EXISTS]
    for rig in two:
        await seen_by(two[0], rig)
        found = [each for each in rig.state.applications("shop") if each.name == "late"]
        assert len(found) == 1


async def test_reference_and_its_object_do_not_pass_each_other(two: tuple[Rig, Rig]) -> None:
    """One replica refers to what the other one removes: one of them is refused."""
    first, second = two
    await first.authority.edits.create(
        operator(first), "shop", APPLICATION, DeclaredApplication("late")
    )
    await seen_by(first, second)
    acting = replace(TEA, may_act=(MayAct("late", ("*",)),))
    told = await asyncio.gather(
        outcome(first.authority.edits.create(operator(first), "shop", RESOURCE, acting)),
        outcome(second.authority.edits.delete(operator(second), "shop", APPLICATION, "late", "")),
    )
    assert told.count(None) == 1
    assert Reason.FIELD_INVALID in told


@pytest.mark.parametrize("order", ["apply first", "edit first"])
async def test_apply_and_edit_do_not_interleave(two: tuple[Rig, Rig], order: str) -> None:
    """What an edit made is not overwritten by an apply that did not know of it, nor the reverse."""
    first, second = two
    zone = shop()
    zone["applications"][0]["labels"] = ["applied"]
    works = [outcome(first.apply(zone)), outcome(updated(second, "edited"))]
    told = await asyncio.gather(*(works if order == "apply first" else reversed(works)))
    applied, edited = told if order == "apply first" else reversed(told)
    assert {applied, edited} <= {None, Reason.CONFLICT}
    assert None in told
    wanted = {"applied"} if applied is None else {"batch", "night"}
    allowed = [wanted | {"edited"}] if edited is None else [wanted]
    if told == [None, None]:
        allowed.append({"applied"})  # the edit, then the apply, which says what the labels are
    assert await labels(first) in allowed


async def test_edit_waits_for_no_apply_that_broke_off(any_rig: Rig) -> None:
    """CONFLICT that says what to do; after the next apply it goes through."""
    rig = any_rig
    mark = Unfinished("req_01h455vb4pex5vsknk084sn02q").put("shop", changing=False)
    await rig.state.reached(await rig.store.commit([mark]))
    with refused(Reason.CONFLICT) as seen:
        await updated(rig, "l")
    assert "apply again" in seen.error.message
    await rig.apply(shop())
    await updated(rig, "l")


async def test_edit_is_made_once_the_apply_in_front_of_it_is_done(rig: Rig) -> None:
    """No caller hears of an apply that ends in time."""
    append, go_on, waiting = rig.ledger.append, asyncio.Event(), asyncio.Event()

    async def wait(entry: Any) -> Any:
        if entry.type == "zone.apply":
            waiting.set()
            await go_on.wait()
        return await append(entry)

    zone = shop()
    zone["applications"][0]["labels"] = ["applied"]
    with patch.object(rig.ledger, "append", wait):
        applying = asyncio.ensure_future(rig.apply(zone))
        await waiting.wait()
        editing = asyncio.ensure_future(updated(rig, "edited"))
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(applying, editing)
    assert await labels(rig) == {"applied", "edited"}


async def test_delete_while_it_exchanges(two: tuple[Rig, Rig]) -> None:
    """What was granted before is dead after, wherever it was granted."""
    first, second = two
    zone = shop()
    zone["applications"].append({"name": "late"})
    zone["policy"]["grants"].append(
        {"application": "late", "resource": ORDERS, "scopes": ["orders:place"]}
    )
    await first.apply(zone)
    await seen_by(first, second)
    zone["policy"]["grants"].pop()
    await first.apply({"name": "shop", "policy": zone["policy"]}, prune=False)
    granted: list[Mandate] = []

    async def keep_asking() -> None:
        while True:
            granted.append(await second.caller("late"))

    asking = asyncio.ensure_future(keep_asking())
    async with asyncio.timeout(20):
        while not granted:
            await asyncio.sleep(0.001)
    gone = await first.authority.edits.delete(operator(first), "shop", APPLICATION, "late", "")
    with refused(Reason.CLIENT_AUTH_FAILED):
        await asking
    await second.state.reached(gone.revision)
    dead = second.state.dead("shop")
    assert all(mandate.application in dead for mandate in granted)


async def test_edit_of_a_caller_that_hangs_up_is_recorded(rig: Rig) -> None:
    """What was begun is ended and in the ledger."""
    recording, append = asyncio.Event(), rig.ledger.append

    async def slow(entry: Any) -> Any:
        recording.set()
        await asyncio.sleep(0.01)
        return await append(entry)

    with patch.object(rig.ledger, "append", slow):
        editing = asyncio.ensure_future(updated(rig, "l"))
        await recording.wait()
        editing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await editing
        await rig.authority._editing.close()
    assert (await rig.last()).type == "application.update"
