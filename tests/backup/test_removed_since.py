"""Whom a zone believed, told or reached, removed or changed between a backup and the loss."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from caracal_grpc.authority.state import places
from caracal_grpc.authority.zones.declaration import Settings
from caracal_grpc.authority.zones.kinds import (
    ISSUER,
    PROOF_SYSTEM,
    RESOURCE,
    WORKLOAD_ISSUER,
    Kind,
)
from caracal_grpc.backup.kinds import KEPT
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.upstream import DeclaredUpstream
from caracal_grpc.store.port import Key
from tests.backup.loss import Loss
from tests.support.rig import Rig, memory_store
from tests.support.shop import ORDERS, shop


def operator(rig: Rig) -> Mandate:
    """Who changes things."""
    assert rig.operator is not None
    return rig.operator


def trust(path: str = "") -> dict[str, Any]:
    """Whom the shop believes, whom it tells, and a resource more."""
    corp, vault, mesh = (
        {"name": name, "issuer": f"https://{name}.example{path}"}
        for name in ("corp", "vault", "mesh")
    )
    return {
        "issuers": [{**corp, "audience": "shop"}],
        "proof_systems": [{**vault, "audience": "shop"}],
        "workload_issuers": [mesh],
        "webhooks": [{"name": "desk", "url": f"https://desk.example/hook{path}"}],
        "resources": [*shop()["resources"], {"name": "resource://crm", "scopes": ["crm:read"]}],
    }


BELIEVED: Final[dict[str, Kind[Any, Any]]] = {
    places.ISSUERS: ISSUER,
    places.PROOF_SYSTEMS: PROOF_SYSTEM,
    places.WORKLOAD_ISSUERS: WORKLOAD_ISSUER,
}
NAMES: Final = {
    places.ISSUERS: "corp",
    places.PROOF_SYSTEMS: "vault",
    places.WORKLOAD_ISSUERS: "mesh",
    places.RESOURCES: "resource://crm",
}


async def by_an_apply(rig: Rig, kind: str) -> None:
    """Everything that is declared and may go does; what reaches a resource must go before it."""
    await upstream(rig, kind)
    await rig.apply(shop())


async def by_itself(rig: Rig, kind: str) -> None:
    """One object, by a call of its own."""
    of = {**BELIEVED, places.RESOURCES: RESOURCE}[kind]
    await rig.authority.edits.delete(operator(rig), "shop", of, NAMES[kind], "")


async def upstream(rig: Rig, kind: str) -> None:
    """The credential of an upstream, with its secret."""
    of = rig.authority.upstreams.kind
    await rig.authority.edits.delete(operator(rig), "shop", of, "crm", "")


async def zone(rig: Rig, kind: str) -> None:
    """A whole zone."""
    await rig.authority.removal.delete(operator(rig), "empty", "")


Removal = Callable[[Rig, str], Awaitable[object]]

REMOVALS: Final[dict[str, tuple[Removal, ...]]] = {
    places.ISSUERS: (by_an_apply, by_itself),
    places.PROOF_SYSTEMS: (by_an_apply, by_itself),
    places.WORKLOAD_ISSUERS: (by_an_apply, by_itself),
    places.WEBHOOKS: (by_an_apply,),
    places.RESOURCES: (by_an_apply, by_itself),
    places.UPSTREAMS: (upstream,),
    places.UPSTREAM_SECRETS: (upstream,),
    places.ZONES: (zone,),
    places.KEYS: (zone,),
}
"""Kinds that come back unless they were removed since, and how they are removed."""

OTHERWISE: Final = {
    places.APPLICATIONS: "comes back disabled, see `test_since`",
    places.SESSIONS: "comes back ended, or suspended, see there",
    places.POLICIES: "the zone comes back frozen, see there",
    places.POLICY_VERSIONS: "what does not decide grants nothing",
    places.POLICY_PARTS: "they are of versions",
    places.LEDGER_KEYS: "removed by nobody",
    places.APPLIES: "what it owes is still owed",
    places.OWED: "what is paid is paid once",
    places.REVOCATIONS: "who is dead stays dead",
    places.SUBJECTS: "who is dead stays dead",
}


def test_of_every_kind_it_is_decided_what_a_removal_means() -> None:
    """A kind that comes back, and is new, fails here until it is in one of the two tables."""
    assert set(REMOVALS) | set(OTHERWISE) == set(KEPT)
    assert not set(REMOVALS) & set(OTHERWISE)


async def keys_of(rig: Rig, kind: str) -> set[Key]:
    """What there is of a kind, in every zone."""
    found = (await rig.store.list()).records
    return {each.key for each in found if each.key.kind == kind}


async def with_trust(loss: Loss, rig: Rig) -> None:
    """A backup of a shop that has something of every kind, and of a zone beside it."""
    of, declared = rig.authority.upstreams.kind, shop(**trust())
    await rig.apply(declared)
    crm = DeclaredUpstream("crm", "resource://crm", "bearer", "", "hunter2-and-so-on")
    await rig.authority.edits.create(operator(rig), "shop", of, crm)
    await rig.authority.zone_edits.create(operator(rig), "empty", Settings())
    shutil.rmtree(loss.folder / "backup")
    await rig.advance(120)
    await loss.back_up(rig)
    await rig.advance(120)


@pytest.mark.parametrize(
    ("kind", "remove"),
    [(kind, each) for kind, every in REMOVALS.items() for each in every],
    ids=lambda each: each if isinstance(each, str) else each.__name__,
)
async def test_what_was_removed_since_stays_away(loss: Loss, kind: str, remove: Removal) -> None:
    """Whoever it was that the zone believed, told or reached, and the zone itself."""
    gone: set[Key] = set()

    async def suffer(rig: Rig) -> None:
        await with_trust(loss, rig)
        if remove is by_itself:
            await upstream(rig, kind)
        there = await keys_of(rig, kind)
        await remove(rig, kind)
        gone.update(there - await keys_of(rig, kind))

    before = await loss.suffered(suffer)
    assert gone
    async with loss.restored(before, frozen=False) as (rig, done):
        assert not gone & await keys_of(rig, kind)
        assert set().union(*(each.stopped for each in done.zones.values()))


@pytest.mark.parametrize(
    ("kind", "single"),
    [(kind, single) for kind in BELIEVED for single in (True, False)] + [(places.WEBHOOKS, False)],
)
async def test_what_was_believed_and_is_changed_is_not_believed(
    loss: Loss, kind: str, single: bool
) -> None:
    """What it was before may be what was taken away; what it is now is told, to be declared."""

    async def change(rig: Rig) -> None:
        await with_trust(loss, rig)
        if single:
            update, name = rig.authority.edits.update, NAMES[kind]
            await update(
                operator(rig),
                "shop",
                BELIEVED[kind],
                name,
                "",
                lambda found: replace(found, issuer=f"{found.issuer}/moved"),
            )
        else:
            await rig.apply(shop(**trust("/moved")))

    before = await loss.suffered(change)
    async with loss.restored(before, frozen=False) as (rig, done):
        assert not await keys_of(rig, kind)
        assert done.zones["shop"].lost


async def test_upstream_that_was_changed_is_not_reached(loss: Loss) -> None:
    """Neither the credential nor its secret comes back."""

    async def change(rig: Rig) -> None:
        await with_trust(loss, rig)
        of = rig.authority.upstreams.kind
        other = DeclaredUpstream("crm", ORDERS, "bearer", "", "")
        update = rig.authority.edits.update
        await update(operator(rig), "shop", of, "crm", "", lambda _: other)

    before = await loss.suffered(change)
    async with loss.restored(before, frozen=False) as (rig, _):
        for kind in (places.UPSTREAMS, places.UPSTREAM_SECRETS):
            assert not await keys_of(rig, kind)


async def test_zone_that_was_removed_since_is_brought_back_by_name(loss: Loss) -> None:
    """Who asks for it alone wants it."""

    async def remove(rig: Rig) -> None:
        await with_trust(loss, rig)
        await zone(rig, places.ZONES)

    await loss.suffered(remove)
    store = memory_store(loss.clock)
    done = await loss.into(store, zone="empty")
    assert done.frozen == ("empty",)
    assert await store.get(places.zone_place("empty"))
    await store.close()
