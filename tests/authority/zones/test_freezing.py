"""A frozen zone grants nothing, lets live what lives, and keeps its edges listening."""

from __future__ import annotations

import asyncio

from caracal_grpc.core.limits import AUTHORITY_RESOURCE
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, shop


def operator(rig: Rig) -> Mandate:
    """The mandate of the operator."""
    assert rig.operator is not None
    return rig.operator


async def freeze(rig: Rig, zone: str = "shop", why: str = "an incident") -> str:
    """Freezes the zone; the entry."""
    return (await rig.authority.freezing.freeze(operator(rig), zone, why)).audit_id


async def test_a_frozen_zone_grants_nothing(any_rig: Rig) -> None:
    """ZONE_FROZEN, recorded, until that is ended."""
    await freeze(any_rig)
    with refused(Reason.ZONE_FROZEN):
        await any_rig.exchange("agent", ORDERS)
    assert (await any_rig.last()).reason == "ZONE_FROZEN"
    await any_rig.authority.freezing.unfreeze(operator(any_rig), "shop", "it is over")
    assert (await any_rig.exchange("agent", ORDERS)).mandate.scopes


async def test_edges_of_a_frozen_zone_go_on_listening(rig: Rig) -> None:
    """Mandates for the authority itself are granted, so that revocations reach every edge."""
    await freeze(rig)
    mandate = (await rig.exchange("orders", AUTHORITY_RESOURCE, "caracal:feed:watch")).mandate
    assert mandate.scopes == {"caracal:feed:watch"}


async def test_what_was_granted_before_lives_on(rig: Rig) -> None:
    """Freezing is no revocation; a repeated request is answered as before."""
    issued = await rig.exchange("agent", ORDERS, request_id="the same")
    await freeze(rig)
    assert rig.authority.view.dead("shop").isdisjoint({issued.mandate.jti})
    again = await rig.exchange("agent", ORDERS, request_id="the same")
    assert again.mandate.jti == issued.mandate.jti


async def test_it_is_recorded_who_froze_and_why(rig: Rig) -> None:
    """Once; again is no error and no entry."""
    audit_id = await freeze(rig, why="a stolen\nlaptop")
    entry = await rig.last()
    assert (entry.id, entry.type, entry.decision) == (audit_id, "zone.freeze", "done")
    assert (entry.application, entry.details["why"]) == (
        operator(rig).application,
        "a stolen laptop",
    )
    assert await freeze(rig) == ""
    done = await rig.authority.freezing.unfreeze(operator(rig), "shop", "found it")
    entry = await rig.last()
    assert (entry.id, entry.type, entry.details["why"]) == (
        done.audit_id,
        "zone.unfreeze",
        "found it",
    )
    again = await rig.authority.freezing.unfreeze(operator(rig), "shop", "")
    assert again.audit_id == ""


async def test_the_authority_itself_cannot_be_frozen(rig: Rig) -> None:
    """FIELD_INVALID: nobody could end it."""
    for act in (rig.authority.freezing.freeze, rig.authority.freezing.unfreeze):
        with refused(Reason.FIELD_INVALID):
            await act(operator(rig), "caracal", "")


async def test_a_zone_freezes_itself_and_operators_end_it(rig: Rig) -> None:
    """Who is of the zone may stop it, and nobody of another zone; only operators start it again."""
    caller = await rig.caller("agent")
    with refused(Reason.ZONE_FORBIDDEN):
        await rig.authority.freezing.freeze(caller, "mall", "")
    assert (await rig.authority.freezing.freeze(caller, "shop", "")).audit_id
    with refused(Reason.ZONE_FORBIDDEN):
        await rig.authority.freezing.unfreeze(caller, "shop", "")
    with refused(Reason.OBJECT_NOT_FOUND):
        await freeze(rig, "mall")


async def test_an_apply_leaves_a_zone_frozen(rig: Rig) -> None:
    """Declared state is one thing, an incident another."""
    await freeze(rig)
    applied = await rig.apply(shop(settings={"default_ttl_seconds": 99}))
    assert [each.fields for each in applied.changes] == [("default_ttl",)]
    assert rig.state.zone("shop").frozen
    status = rig.authority.activations.status(operator(rig), "shop")
    assert status.frozen


async def test_freezing_reaches_every_replica(two: tuple[Rig, Rig]) -> None:
    """From the revision on, at either."""
    done = await two[0].authority.freezing.freeze(operator(two[0]), "shop", "")
    for rig in two:
        await rig.state.reached(done.revision)
        with refused(Reason.ZONE_FROZEN):
            await rig.exchange("agent", ORDERS)


async def test_of_many_who_freeze_one_does(two: tuple[Rig, Rig]) -> None:
    """All are answered, and one entry is written."""
    entries = await asyncio.gather(*(freeze(rig) for rig in two for _ in range(3)))
    assert len([each for each in entries if each]) == 1
