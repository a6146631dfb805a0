"""What a change leaves owing to the ledger is paid, by who made it or by whoever lives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from caracal_grpc.authority.authority import Authority
from caracal_grpc.authority.revocation.session_filter import SessionFilter
from caracal_grpc.authority.state import places
from caracal_grpc.authority.zones.declaration import Declaration, DeclaredApplication, Settings
from caracal_grpc.authority.zones.kinds import APPLICATION
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.limits import AUTHORITY_ZONE
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.crypto.key_encryption import Keks
from tests.authority.policies.samples import CANCEL, PLACE, TRACK, made, operator
from tests.authority.revocation.failing import FailingStore
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.rig import Rig, ledger_down, open_rig
from tests.support.shop import ORDERS

SHORTER: Final = Declaration("shop", settings=Settings(default_ttl=99))


def signing(authority: Authority) -> str:
    """The key of the shop that signs."""
    return authority.keyring.signing_key("shop").kid


Work = Callable[[Authority, Mandate, str], Awaitable[Any]]

WORKS: Final[dict[str, tuple[str, Work]]] = {
    "application.create": (
        "shop",
        lambda of, by, _: of.edits.create(by, "shop", APPLICATION, DeclaredApplication("late")),
    ),
    "zone.create": ("next", lambda of, by, _: of.zone_edits.create(by, "next", Settings())),
    "zone.delete": (AUTHORITY_ZONE, lambda of, by, _: of.removal.delete(by, "empty", "")),
    "zone.freeze": ("shop", lambda of, by, _: of.freezing.freeze(by, "shop", "drill")),
    "key.rotate": ("shop", lambda of, by, _: of.keys.rotate(by, "shop")),
    "policy.create": ("shop", lambda of, by, _: of.catalogue.create(by, "shop", TRACK, "")),
    "policy.activate": ("shop", lambda of, by, kept: of.activations.activate(by, "shop", kept)),
    "policy.shadow": ("shop", lambda of, by, kept: of.trials.shadowing.set(by, "shop", kept)),
    "policy.delete": ("shop", lambda of, by, kept: of.catalogue.delete(by, "shop", kept)),
    "zone.apply": ("shop", lambda of, by, _: of.zones.apply(by, SHORTER)),
    "key.compromise": (
        "shop",
        lambda of, by, _: of.revocations.compromises.compromise(by, "shop", signing(of), "a leak"),
    ),
}
"""The type of an entry, the zone whose ledger has it, and the change that it is of."""


async def prepared(rig: Rig) -> str:
    """A zone that can go, and a version that can be used; the name of that."""
    await rig.authority.zone_edits.create(operator(rig), "empty", Settings())
    return await made(rig, CANCEL)


async def of_type(rig: Rig, zone: str, kind: str) -> list[Entry]:
    """The entries of a type."""
    return [each for each in await rig.entries(zone) if each.type == kind]


async def owed(rig: Rig) -> int:
    """How many entries the store knows to be owed."""
    return len((await rig.store.list(AUTHORITY_ZONE, places.OWED)).records)


async def late(rig: Rig) -> None:
    """Time has passed, and what is owed is looked at."""
    await rig.state.reached((await rig.store.list()).revision)
    await rig.advance(31)
    await rig.authority.debts.settle()


@pytest.mark.parametrize("kind", WORKS)
async def test_change_whose_entry_failed_is_recorded_later(rig: Rig, kind: str) -> None:
    """Once, under the actor, though nobody asks for the change again; then nothing is owed."""
    kept = await prepared(rig)
    zone, work = WORKS[kind]
    before = len(await of_type(rig, zone, kind)) if rig.state.find_zone(zone) else 0
    with ledger_down(rig), refused(Reason.AUDIT_UNAVAILABLE):
        await work(rig.authority, operator(rig), kept)
    for _ in range(2):
        await late(rig)
    entries = (await of_type(rig, zone, kind))[before:]
    assert [each.application for each in entries] == [operator(rig).application]
    assert await owed(rig) == 0


Revoke = Callable[[Rig, str], Awaitable[Any]]

REVOCATIONS: Final[dict[str, Revoke]] = {
    "key": lambda rig, kid: rig.authority.revocations.revoke(operator(rig), "shop", kid, "drill"),
    "filter": lambda rig, _: rig.authority.revocations.revoke_fitting(
        operator(rig), "shop", SessionFilter(below=rig.standing("agent")), "drill"
    ),
    "time": lambda rig, _: rig.authority.revocations.revoke_issued_before(
        operator(rig), "shop", rig.clock.now(), "drill"
    ),
}


@pytest.mark.parametrize("what", REVOCATIONS)
async def test_whatever_is_revoked_is_recorded_later(rig: Rig, what: str) -> None:
    """An old key, what a filter fits, what was issued before: it holds, and its entry is owed."""
    kid = signing(rig.authority)
    await rig.authority.keys.rotate(operator(rig), "shop")
    await rig.advance(120)
    with ledger_down(rig):
        done = await REVOCATIONS[what](rig, kid)
    assert (done.audit_id, await of_type(rig, "shop", "revocation")) == ("", [])
    for _ in range(2):
        await late(rig)
    (entry,) = await of_type(rig, "shop", "revocation")
    assert (entry.application, entry.details["why"]) == (operator(rig).application, "drill")
    assert await owed(rig) == 0


@pytest.mark.parametrize("resumed", [False, True])
async def test_suspension_and_its_end_are_recorded_later(rig: Rig, resumed: bool) -> None:
    """A restore asks the ledger who is suspended."""
    suspensions, session = rig.authority.suspensions, rig.standing("agent")
    admin = replace(operator(rig), zone="shop")
    if resumed:
        await suspensions.suspend(admin, "shop", session, "drill")
        with ledger_down(rig), refused(Reason.AUDIT_UNAVAILABLE):
            await suspensions.resume(admin, "shop", session, "drill")
    else:
        with ledger_down(rig):
            assert not (await suspensions.suspend(admin, "shop", session, "drill")).audit_id
    for _ in range(2):
        await late(rig)
    (entry,) = await of_type(rig, "shop", "session.resume" if resumed else "session.suspend")
    assert entry.details == {"session": session, "why": "drill"}
    assert await owed(rig) == 0


async def test_what_was_sealed_anew_is_recorded_later(
    rig: Rig, tmp_path: Path, clock: FakeClock
) -> None:
    """By whoever lives, one entry for each commit."""
    old = rig.keyring.vault.keks.current
    keks = Keks(Kek.generate(), (old,))
    async with open_rig(tmp_path, rig.store, clock, keks=keks, ledger="other") as other:
        resealing = other.authority.key_care.resealing
        resealing._live = frozenset  # the other replica is about to go
        with ledger_down(other), refused(Reason.AUDIT_UNAVAILABLE):
            await resealing.reseal(operator(rig))
        await late(rig)
    (entry,) = await of_type(rig, AUTHORITY_ZONE, "key.reseal")
    assert entry.details["kek_id"] == keks.current.kek_id
    assert entry.application == operator(rig).application


async def test_more_is_forgotten_at_once_than_one_commit_holds(rig: Rig) -> None:
    """Nothing that is paid stays owed, however many there are."""
    recorder = rig.authority.recorder
    for number in range(130):
        made = recorder.owed(operator(rig), "shop", "zone.freeze", details={"why": str(number)})
        await rig.store.commit([made.put])
        await recorder.pay(made)
    await rig.authority.debts.settle()
    assert await owed(rig) == 0


async def test_what_another_has_paid_meanwhile_is_paid(two: tuple[Rig, Rig]) -> None:
    """Whoever made the change is told the entry that is there, and it is there once."""
    first, _ = two
    made = first.authority.recorder.owed(operator(first), "shop", "zone.freeze")
    await first.authority.recorder.record_once(made.entry)
    assert await first.authority.recorder.pay(made) == made.entry.id
    assert len(await of_type(first, "shop", "zone.freeze")) == 1


async def test_revocation_whose_entry_failed_is_recorded_later(rig: Rig) -> None:
    """It held all the while."""
    issued = await rig.exchange("agent", ORDERS)
    jti = issued.mandate.jti
    with ledger_down(rig):
        await rig.authority.revocations.revoke(operator(rig), "shop", jti, "drill")
    assert jti in rig.state.dead("shop")
    assert await of_type(rig, "shop", "revocation") == []
    await late(rig)
    (entry,) = await of_type(rig, "shop", "revocation")
    assert entry.details["anchor"] == jti


async def test_replica_that_lives_records_what_another_owes(two: tuple[Rig, Rig]) -> None:
    """The maker was killed between the change and its entry; the other's ledger has it."""
    first, second = two
    with ledger_down(first), refused(Reason.AUDIT_UNAVAILABLE):
        await first.authority.freezing.freeze(operator(first), "shop", "drill")
    await late(second)
    (entry,) = await of_type(second, "shop", "zone.freeze")
    assert entry.details == {"why": "drill"}
    assert await owed(second) == 0


async def test_what_is_recorded_at_once_is_owed_no_more(any_rig: Rig) -> None:
    """The store forgets it with the next look, and nobody records it again."""
    rig = any_rig
    await made(rig, PLACE)
    await rig.authority.debts.settle()
    assert await owed(rig) == 0
    await late(rig)
    assert len(await of_type(rig, "shop", "policy.create")) == len(
        {each.policy_version for each in await of_type(rig, "shop", "policy.create")}
    )


async def test_change_that_was_not_made_owes_nothing(rig: Rig) -> None:
    """Nor is it ever recorded."""
    failing = FailingStore(rig.store)
    freezing = rig.authority.freezing
    freezing._store, failing.left = failing, 0  # type: ignore[assignment]
    with refused(Reason.STORE_UNAVAILABLE):
        await freezing.freeze(operator(rig), "shop", "drill")
    await late(rig)
    assert await of_type(rig, "shop", "zone.freeze") == []


async def test_change_whose_answer_was_lost_is_recorded(rig: Rig) -> None:
    """The store took it, and its answer never came: the entry does."""
    failing = FailingStore(rig.store)
    freezing = rig.authority.freezing
    freezing._store, failing.left, failing.made = failing, 0, True  # type: ignore[assignment]
    with refused(Reason.STORE_UNAVAILABLE):
        await freezing.freeze(operator(rig), "shop", "drill")
    await late(rig)
    assert len(await of_type(rig, "shop", "zone.freeze")) == 1


async def test_ledger_that_stays_down_leaves_it_owed(rig: Rig) -> None:
    """AUDIT_UNAVAILABLE each time, and no entry is given up."""
    await rig.authority.debts.settle()  # forgets what the shop itself was recorded with
    with ledger_down(rig):
        with refused(Reason.AUDIT_UNAVAILABLE):
            await rig.authority.freezing.freeze(operator(rig), "shop", "drill")
        with refused(Reason.AUDIT_UNAVAILABLE):
            await late(rig)
    assert await owed(rig) == 1
