"""Zones themselves, made, listed, changed and removed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from caracal_grpc.authority.state import places
from caracal_grpc.authority.zones.declaration import DeclaredApplication, Settings
from caracal_grpc.authority.zones.kinds import APPLICATION
from caracal_grpc.authority.zones.objects import Query
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import DEFAULT_TTL
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.port import Filter
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import CARACAL, ORDERS, shop


def operator(rig: Rig) -> Mandate:
    """Who does all this."""
    assert rig.operator is not None
    return rig.operator


async def empty(rig: Rig) -> None:
    """The shop without applications, and with the rest of what it had."""
    zone = shop()
    zone["applications"], zone["policy"] = [], {"grants": []}
    await rig.apply(zone)


async def test_zone_that_is_made_has_keys_and_grants_nothing(any_rig: Rig) -> None:
    """Until it has a policy; applications are made in it, and the entry is in its own ledger."""
    rig = any_rig
    made = await rig.authority.zone_edits.create(operator(rig), "mall", Settings(max_hops=3))
    assert made.found.value.max_hops == 3
    assert made.found.value.default_ttl == DEFAULT_TTL
    entry = await rig.last("mall")
    assert (entry.id, entry.type) == (made.audit_id, "zone.create")
    assert entry.details == {"name": "mall", "fields": ("max_hops",)}
    new = await rig.authority.edits.create(
        operator(rig), "mall", APPLICATION, DeclaredApplication("agent")
    )
    change = new.edited.change
    assert change is not None
    assert change.credential is not None
    rig.credentials["mall", "agent"] = change.credential
    with refused(Reason.NO_ACTIVE_POLICY):
        await rig.exchange("agent", CARACAL, zone="mall")
    await rig.apply({"name": "mall", "settings": {"max_hops": 3}}, prune=False)
    with refused(Reason.OBJECT_EXISTS):
        await rig.authority.zone_edits.create(operator(rig), "mall", Settings())


@pytest.mark.parametrize("name", ["", "UPPER", "_beats", "a/b", "x" * 64])
async def test_what_is_no_name_makes_no_zone(rig: Rig, name: str) -> None:
    """FIELD_INVALID; settings out of their bounds, too."""
    with refused(Reason.FIELD_INVALID):
        await rig.authority.zone_edits.create(operator(rig), name, Settings())
    with refused(Reason.FIELD_INVALID):
        await rig.authority.zone_edits.create(operator(rig), "mall", Settings(max_hops=99))
    assert rig.state.find_zone("mall") is None


async def test_one_of_two_who_make_a_zone_does(two: tuple[Rig, Rig]) -> None:
    """OBJECT_EXISTS for the other one."""

    async def make(rig: Rig) -> Reason | None:
        try:
            await rig.authority.zone_edits.create(operator(rig), "mall", Settings())
        except CaracalError as error:
            return error.reason
        return None

    told = await asyncio.gather(*map(make, two))
    assert sorted(told, key=str) == [None, Reason.OBJECT_EXISTS]
    keys = (await two[0].store.list("mall", places.KEYS)).records
    assert len(keys) == 1


async def test_lists_show_ones_own_zone_and_operators_all(rig: Rig) -> None:
    """By page, by filter; nobody learns of another zone."""
    for name in ("mall", "market"):
        await rig.apply(shop(name=name))
    zones = rig.authority.zone_edits

    def names(caller: Mandate, query: Query) -> list[str]:
        return [each.value.name for each in zones.list(caller, query).items]

    everything = Query("", 100, "")
    assert names(operator(rig), everything) == ["caracal", "mall", "market", "shop"]
    own = replace(operator(rig), zone="mall")
    assert names(own, everything) == ["mall"]
    assert names(own, Query('name = "shop"', 100, "")) == []
    assert names(operator(rig), Query('name = "ma*" AND frozen = false', 100, "")) == [
        "mall",
        "market",
    ]
    first = zones.list(operator(rig), Query("", 2, ""))
    assert names(operator(rig), Query("", 2, first.next_token)) == ["market", "shop"]
    with refused(Reason.FIELD_INVALID):
        names(own, Query("", 2, first.next_token))


async def test_settings_change_and_what_is_in_the_zone_stays(any_rig: Rig) -> None:
    """At the next exchange; the entry names the fields."""
    rig, zones = any_rig, any_rig.authority.zone_edits
    before = zones.list(operator(rig), Query("name = shop", 1, "")).items[0]
    changed = await zones.update(
        operator(rig), "shop", before.etag, lambda _: Settings(default_ttl=60)
    )
    assert changed.found.value.default_ttl == 60
    assert zones.list(operator(rig), Query("name = shop", 1, "")).items[0] == changed.found
    assert (await rig.exchange("agent", ORDERS)).mandate.expires_at == int(rig.clock.now()) + 60
    entry = await rig.last()
    entries = await rig.entries("shop", Filter(type="zone.update"))
    assert entry.type == "exchange"
    assert entries[-1].details == {"name": "shop", "fields": ("default_ttl",)}
    with refused(Reason.CONFLICT):
        await zones.update(operator(rig), "shop", before.etag, lambda _: Settings())
    with refused(Reason.FIELD_INVALID):
        await zones.update(operator(rig), "shop", "", lambda _: Settings(default_ttl=5))


async def test_etag_of_a_zone_is_not_moved_by_what_is_in_it(rig: Rig) -> None:
    """A new application changes no setting."""
    zones = rig.authority.zone_edits
    before = zones.list(operator(rig), Query("name = shop", 1, "")).items[0]
    await rig.authority.edits.create(
        operator(rig), "shop", APPLICATION, DeclaredApplication("late")
    )
    assert zones.list(operator(rig), Query("name = shop", 1, "")).items[0] == before


async def test_zone_is_removed_with_all_but_what_keeps_it_dead(any_rig: Rig) -> None:
    """What it issued stays dead for as long as it could live, and its ledger is read on."""
    rig = any_rig
    issued = await rig.exchange("agent", ORDERS)
    await empty(rig)
    gone = await rig.authority.removal.delete(operator(rig), "shop", "")
    left = {record.key.kind for record in (await rig.store.list("shop")).records}
    assert left == {places.REVOCATIONS, places.FLOORS, places.LEDGER_KEYS}
    assert rig.state.find_zone("shop") is None
    assert issued.mandate.application in rig.state.dead("shop")
    with refused(Reason.CLIENT_AUTH_FAILED):
        await rig.exchange("agent", ORDERS)
    entry = await rig.last("caracal")
    assert (entry.id, entry.type) == (gone.audit_id, "zone.delete")
    assert entry.details == {"name": "shop"}
    audit = rig.authority.proving.audit
    page = await audit.search(operator(rig), "shop", Filter(), 100, "")
    assert issued.mandate.audit_id in [stored.entry.id for stored in page.entries if stored.entry]
    checkpoint, _ = await audit.checkpoint(operator(rig), "shop")
    assert checkpoint.size >= len(page.entries)
    explaining, audit_id = rig.authority.explaining, issued.mandate.audit_id
    explained = await explaining.explain(operator(rig), "shop", audit_id=audit_id)
    assert explained.alive is False
    with refused(Reason.OBJECT_NOT_FOUND):
        await rig.authority.removal.delete(operator(rig), "shop", "")


async def test_zone_that_is_made_again_knows_nothing_of_the_first(rig: Rig) -> None:
    """Nothing of it decides, believes or verifies; its ledger goes on under the same key."""
    issued = await rig.exchange("agent", ORDERS)
    kid = issued.mandate.kid
    verifier = (await rig.authority.proving.audit.checkpoint(operator(rig), "shop"))[1]
    await empty(rig)
    await rig.authority.removal.delete(operator(rig), "shop", "")
    await rig.advance(1)
    await rig.authority.zone_edits.create(operator(rig), "shop", Settings())
    assert rig.state.resources("shop") == []
    assert kid not in rig.keyring.key_set("shop")
    await rig.apply(shop())
    new = await rig.exchange("agent", ORDERS)
    assert new.mandate.kid != kid
    assert new.mandate.application != issued.mandate.application
    assert (await rig.authority.proving.audit.checkpoint(operator(rig), "shop"))[1] == verifier
    assert issued.mandate.audit_id in [entry.id for entry in await rig.entries()]


async def test_zone_with_applications_stays(rig: Rig) -> None:
    """FIELD_INVALID; so does the authority's own, whatever it has."""
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.authority.removal.delete(operator(rig), "shop", "")
    assert "4 applications" in seen.error.message
    with refused(Reason.FIELD_INVALID):
        await rig.authority.removal.delete(operator(rig), "caracal", "")
    await empty(rig)
    with refused(Reason.CONFLICT):
        await rig.authority.removal.delete(operator(rig), "shop", "1")


async def test_application_that_comes_while_its_zone_goes(two: tuple[Rig, Rig]) -> None:
    """One of the two is refused: no application is left in a zone that is gone."""
    first, second = two
    await empty(first)
    await second.state.reached((await first.store.list("shop")).revision)

    async def told(work: Any) -> Reason | None:
        try:
            await work
        except CaracalError as error:
            return error.reason
        return None

    late = DeclaredApplication("late")
    made, gone = await asyncio.gather(
        told(second.authority.edits.create(operator(second), "shop", APPLICATION, late)),
        told(first.authority.removal.delete(operator(first), "shop", "")),
    )
    there = (await first.store.list("shop", places.APPLICATIONS)).records
    zone = await first.store.get(places.zone_place("shop"))
    assert (made is None) == bool(there)
    assert (gone is None) == (zone is None)
    assert not (there and zone is None)


async def test_large_zone_goes_in_several_commits(rig: Rig) -> None:
    """More than one commit holds; what breaks off is taken up by the next call."""
    await empty(rig)
    many = {
        "name": "shop",
        "resources": [{"name": f"resource://r{n}", "scopes": ["a:b"]} for n in range(300)],
    }
    await rig.apply(many, prune=False)
    commit, left = rig.store.commit, 3

    async def break_off(*args: Any) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            raise CaracalError(Reason.STORE_UNAVAILABLE, "the store is gone")
        return await commit(*args)

    with patch.object(rig.store, "commit", break_off), refused(Reason.STORE_UNAVAILABLE):
        await rig.authority.removal.delete(operator(rig), "shop", "")
    await rig.state.reached((await rig.store.list()).revision)
    assert rig.state.find_zone("shop") is not None
    await rig.authority.removal.delete(operator(rig), "shop", "")
    assert (await rig.store.list("shop", places.RESOURCES)).records == ()


async def test_zone_that_goes_while_its_policy_is_loaded_leaves_nothing(rig: Rig) -> None:
    """How far a replica is with a policy is not written once the zone is gone."""
    commit, loaded, gone = rig.store.commit, asyncio.Event(), asyncio.Event()

    async def late(changes: Any, *args: Any) -> int:
        if [change.key.kind for change in changes] == [places.POLICY_LOADS]:
            loaded.set()
            await gone.wait()
        return await commit(changes, *args)

    with patch.object(rig.store, "commit", late):
        await empty(rig)
        await loaded.wait()
        await rig.authority.removal.delete(operator(rig), "shop", "")
        gone.set()
        await asyncio.sleep(0)  # the write that waited goes on
    assert (await rig.store.list("shop", places.POLICY_LOADS)).records == ()


async def test_zones_are_for_operators(rig: Rig) -> None:
    """ZONE_FORBIDDEN for whoever is of another zone, its own included."""
    stranger = replace(operator(rig), zone="shop")
    zones = rig.authority.zone_edits
    for name in ("shop", "caracal", "nowhere"):
        with refused(Reason.ZONE_FORBIDDEN):
            await zones.create(stranger, name, Settings())
        with refused(Reason.ZONE_FORBIDDEN):
            await zones.update(stranger, name, "", lambda _: Settings())
        with refused(Reason.ZONE_FORBIDDEN):
            await rig.authority.removal.delete(stranger, name, "")
