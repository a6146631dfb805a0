"""Applies that fail half-way: nothing more is granted, no secret is lost, all is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.unfinished import Unfinished, unfinished
from caracal_grpc.authority.zones.told import Told
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Change, Expect, Put
from caracal_grpc.store.refusal import unavailable
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.rig import Rig, ledger_down, open_rig
from tests.support.shop import CARACAL, ORDERS, shop


@contextmanager
def failing_commit(rig: Rig, number: int, *, carried_out: bool = False) -> Iterator[None]:
    """The commit of this number, from 0, fails, before it is carried out or when it has been.

    Those of an apply itself count: not what makes a version, nor what a replica says meanwhile.
    """
    commit, seen = rig.store.commit, iter(range(1_000))

    async def fail(changes: Sequence[Change], expects: Sequence[Expect] = ()) -> int:
        applies = any(change.key.kind == places.APPLIES for change in changes)
        failing = applies and next(seen) == number
        if failing and not carried_out:
            raise unavailable("the store is gone")
        revision = await commit(changes, expects)
        if failing:
            raise unavailable("the answer is lost")
        return revision

    with patch.object(rig.store, "commit", fail):
        yield


async def apply_fails(rig: Rig, zone: dict[str, Any]) -> Reason | None:
    """Why an apply fails, `None` when it does not."""
    try:
        await rig.apply(zone)
    except CaracalError as error:
        return error.reason
    finally:
        await rig.state.reached((await rig.store.list()).revision)
    return None


def bounded(*, wide: bool) -> dict[str, Any]:
    """The shop with the agent under a ceiling that keeps it from what its grant gives.

    When `wide` without the ceiling and without the grant, and with more than one commit holds.
    """
    zone = shop()
    grant = zone["policy"]["grants"][0]
    if wide:
        zone["applications"] += [{"name": f"app-{number}"} for number in range(200)]
        grant["scopes"] = ["orders:place"]
    else:
        limit = {"resource": ORDERS, "scopes": ["orders:place"]}
        zone["applications"][0]["ceiling"] = [limit]
    return zone


def with_resources(count: int) -> dict[str, Any]:
    """The shop with as many resources more, of which none has a secret."""
    zone = shop()
    zone["resources"] += [{"name": f"resource://r{n}", "scopes": ["a:b"]} for n in range(count)]
    return zone


@pytest.mark.parametrize("carried_out", [False, True])
async def test_half_done_zone_grants_no_more_than_before_or_after(
    rig: Rig, carried_out: bool
) -> None:
    """Whichever commit fails: neither declaration gives orders:cancel, and nor does the middle."""
    number = failed = 0
    while True:
        await rig.apply(bounded(wide=False))
        with failing_commit(rig, number, carried_out=carried_out):
            if await apply_fails(rig, bounded(wide=True)) is None:
                break
        failed += 1
        mark = unfinished(rig.state, "shop")
        if mark and mark.changing:
            with refused(Reason.STORE_UNAVAILABLE):
                await rig.exchange("agent", ORDERS, "orders:place")
        else:
            await rig.exchange("agent", ORDERS, "orders:place")
        with pytest.raises(CaracalError):
            await rig.exchange("agent", ORDERS, "orders:cancel")
        # The next apply, here of the old state, brings all of it about.
        await rig.apply(bounded(wide=False))
        assert unfinished(rig.state, "shop") is None
        await rig.exchange("agent", ORDERS, "orders:place")
        number += 1
    assert failed == 5, "four commits of changes, one that ends the apply"


async def test_the_same_apply_again_completes_the_change(rig: Rig) -> None:
    """Though the zone is as declared, the mark of one that broke off is a change of its own."""
    zone = shop(settings={"default_ttl_seconds": 99})
    await rig.apply(zone)
    mark = Unfinished("req_01h455vb4pex5vsknk084sn02q").put("shop", changing=True)
    await rig.state.reached(await rig.store.commit([mark]))
    planned = await rig.apply(zone, dry_run=True)
    assert [(each.kind, each.fields) for each in planned.changes] == [("zone", ("unfinished",))]
    assert planned.credentials == ()
    done = await rig.apply(zone)
    assert done.changes == planned.changes
    assert (await rig.apply(zone)).changes == ()
    await rig.exchange("agent", ORDERS)


async def test_change_whose_entry_failed_is_recorded_though_nobody_applies_again(rig: Rig) -> None:
    """It holds, the zone waits for nobody, and its entry comes when there is a ledger."""
    zone = shop()
    zone["applications"] = zone["applications"][1:]
    del zone["policy"]
    with ledger_down(rig):
        assert await apply_fails(rig, zone) is Reason.AUDIT_UNAVAILABLE
    assert unfinished(rig.state, "shop") is None
    assert (await rig.apply(zone)).changes == ()
    await rig.advance(31)
    await rig.authority.debts.settle()
    assert rig.operator is not None
    entry = await rig.last()
    assert (entry.type, entry.application) == ("zone.apply", rig.operator.application)
    assert entry.details["changes"] == ("delete application agent", "delete policy active")


async def test_what_an_earlier_release_owes_is_recorded_by_the_next_apply(rig: Rig) -> None:
    """It kept in the mark what it had changed, and who had."""
    mark = Unfinished("req_01h455vb4pex5vsknk084sn02q", by=("app_before",)).put(
        "shop", changing=False
    )
    owed = {"changes": ["delete application gone"], "count": 101}
    await rig.state.reached(await rig.store.commit([Put(mark.key, {**mark.value, **owed})]))
    with failing_commit(rig, 0):
        assert await apply_fails(rig, shop()) is Reason.STORE_UNAVAILABLE
    await rig.apply(shop())
    assert rig.operator is not None
    before, own = (await rig.entries())[-2:]
    assert before.details == {
        "changes": ("delete application gone",),
        "count": 101,
        "by": ("app_before", rig.operator.application),
    }
    assert own.details["changes"] == ("update zone shop: unfinished",)
    assert before.request_id == own.request_id == "req_01h455vb4pex5vsknk084sn02q"


async def test_entries_name_who_made_which_part(rig: Rig) -> None:
    """One operator began the change and another one completed it."""
    zone, first = bounded(wide=True), rig.application("operator", "caracal")
    names = ("operator", "second")
    grant = {"resource": CARACAL, "scopes": ["caracal:zones:write"]}
    own = {
        "name": "caracal",
        "applications": [{"name": name} for name in names],
        "policy": {"grants": [{"application": name, **grant} for name in names]},
    }
    await rig.apply(own)
    before = len(await rig.entries())
    with failing_commit(rig, 1):
        assert await apply_fails(rig, zone) is Reason.STORE_UNAVAILABLE
    rig.operator = await rig.caller("second", "caracal")
    applied = await rig.apply(zone)
    await rig.advance(31)
    await rig.authority.debts.settle()
    entries = [each for each in (await rig.entries())[before:] if each.type == "zone.apply"]
    assert len({each.request_id for each in entries}) == 1
    said: dict[str, list[str]] = {}
    for each in entries:
        said.setdefault(each.application, []).extend(each.details["changes"])  # type: ignore[arg-type]
    assert said[rig.operator.application] == [Told.of(each).line for each in applied.changes]
    made = [f"create application app-{number}" for number in range(200)]
    assert sorted(line for every in said.values() for line in every if line in made) == sorted(made)
    assert said[first] == made[: len(said[first])]


async def test_version_is_made_by_the_commit_that_lets_it_decide(rig: Rig) -> None:
    """The last one: an apply that broke off has made none, and recorded none."""

    async def made() -> set[str]:
        await rig.advance(31)
        await rig.authority.debts.settle()
        return {each.policy_version for each in await rig.entries() if each.type == "policy.create"}

    before = await made()
    with failing_commit(rig, 1):
        assert await apply_fails(rig, bounded(wide=True)) is Reason.STORE_UNAVAILABLE
    assert await made() == before
    applied = await rig.apply(bounded(wide=True))
    assert await made() - before == {applied.policy_version}


async def test_no_secret_is_lost_to_a_ledger_that_is_down(rig: Rig) -> None:
    """The next apply makes a new one for each that was never answered, and for no other."""
    zone = shop()
    zone["applications"].append({"name": "late"})
    with ledger_down(rig):
        assert await apply_fails(rig, zone) is Reason.AUDIT_UNAVAILABLE
    applied = await rig.apply(zone)
    assert [each.application.name for each in applied.credentials] == ["late"]
    assert [(c.action, c.kind, c.fields) for c in applied.changes] == [
        ("update", "zone", ("unfinished",)),
        ("update", "application", ("credentials",)),
    ]
    with refused(Reason.POLICY_DENIED):
        await rig.exchange("late", ORDERS)
    await rig.exchange("agent", ORDERS)
    assert (await rig.apply(zone)).credentials == ()


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4])
async def test_no_secret_is_lost_to_a_commit_that_fails(rig: Rig, number: int) -> None:
    """Those of the commits before it are made anew, too."""
    zone = shop()
    zone["applications"] += [{"name": f"app-{each}"} for each in range(200)]
    with failing_commit(rig, number):
        assert await apply_fails(rig, zone) is Reason.STORE_UNAVAILABLE
    applied = await rig.apply(zone)
    made = {each.application.name for each in applied.credentials}
    assert made == {f"app-{each}" for each in range(200)}
    for name in ("app-0", "app-199"):
        with refused(Reason.POLICY_DENIED):
            await rig.exchange(name, ORDERS)


async def test_apply_that_is_cancelled_loses_no_secret(rig: Rig) -> None:
    """A caller that hangs up while the entry is written leaves the mark, and the entry is there."""
    zone = shop()
    zone["applications"].append({"name": "late"})
    recording, go_on, append = asyncio.Event(), asyncio.Event(), rig.ledger.append

    async def wait(entry: Any) -> Any:
        recording.set()
        await go_on.wait()
        return await append(entry)

    with patch.object(rig.ledger, "append", wait):
        applying = asyncio.ensure_future(rig.apply(zone))
        await recording.wait()
        applying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await applying
        go_on.set()
        await rig.authority.zones.close()
    assert (await rig.last()).details["changes"] == ("create application late",)
    assert unfinished(rig.state, "shop") is not None
    assert [each.application.name for each in (await rig.apply(zone)).credentials] == ["late"]


async def test_apply_that_is_cancelled_between_commits_is_made_whole(rig: Rig) -> None:
    """The zone is as declared and grants, and every commit has its entry."""
    zone, before = with_resources(300), len(await rig.entries())
    commit, second, go_on = rig.store.commit, asyncio.Event(), asyncio.Event()
    made = 0

    async def held(changes: Sequence[Change], expects: Sequence[Expect] = ()) -> int:
        nonlocal made
        made += any(change.key.kind == places.APPLIES for change in changes)
        if made == 2:
            second.set()
            await go_on.wait()
        return await commit(changes, expects)

    with patch.object(rig.store, "commit", held):
        applying = asyncio.ensure_future(rig.apply(zone))
        await second.wait()
        applying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await applying
        with refused(Reason.STORE_UNAVAILABLE):
            await rig.exchange("agent", ORDERS)
        go_on.set()
        await rig.authority.zones.close()
    assert (await rig.apply(zone)).changes == ()
    await rig.exchange("agent", ORDERS)
    entries = [each for each in (await rig.entries())[before:] if each.type == "zone.apply"]
    assert [each.details["part"] for each in entries] == [1, 2, 3]


async def test_apply_that_another_replica_took_over_gives_in(
    rig: Rig, tmp_path: Path, clock: FakeClock
) -> None:
    """CONFLICT for the first; the secrets are answered by the one that ended it, and work."""
    zone = shop()
    zone["applications"].append({"name": "late"})
    recording, go_on = asyncio.Event(), asyncio.Event()
    append = rig.ledger.append

    async def wait(entry: Any) -> Any:
        recording.set()
        await go_on.wait()
        return await append(entry)

    keks = rig.keyring.vault.keks
    async with open_rig(tmp_path, rig.store, clock, keks=keks, ledger="other") as other:
        other.operator = rig.operator
        with patch.object(rig.ledger, "append", wait):
            applying = asyncio.ensure_future(rig.apply(zone))
            await recording.wait()
            await other.state.reached((await rig.store.list()).revision)
            applied = await other.apply(zone)
            go_on.set()
            with refused(Reason.CONFLICT):
                await applying
        assert [each.application.name for each in applied.credentials] == ["late"]
        with refused(Reason.POLICY_DENIED):
            await other.exchange("late", ORDERS)


async def test_revoked_application_gets_no_secret(rig: Rig) -> None:
    """Not by an apply that was begun before it was revoked either."""
    zone = shop()
    zone["applications"].append({"name": "late"})
    with ledger_down(rig):
        await apply_fails(rig, zone)
    late = next(a for a in rig.state.applications("shop") if a.name == "late")
    await rig.authority.revocations.revoke(rig.operator, "shop", late.id, "")
    assert (await rig.apply(zone)).credentials == ()


async def test_zone_of_the_authority_changes_in_one_commit(rig: Rig) -> None:
    """LIMIT_EXCEEDED before anything is written, or half a change would shut the operator out."""
    own = {"name": "caracal", "applications": [{"name": f"app-{each}"} for each in range(100)]}
    revision = rig.state.revision
    with refused(Reason.LIMIT_EXCEEDED):
        await rig.apply(own)
    assert rig.state.revision == revision


async def test_what_is_too_large_for_a_commit_is_refused_before_the_first(rig: Rig) -> None:
    """LIMIT_EXCEEDED with nothing written: no zone is left half-way for want of room."""
    zone = shop()
    zone["applications"] += [{"name": f"app-{each}"} for each in range(200)]
    subjects = [f"corp/{number:04}" + "x" * 200 for number in range(6_000)]
    may_act = [{"actor": "agent", "subjects": subjects}]
    large = {"name": "resource://large", "scopes": ["a:b"], "may_act": may_act}
    zone["resources"].append(large)
    zone["issuers"] = [{"name": "corp", "issuer": "https://idp.example", "audience": "shop"}]
    revision = rig.state.revision
    with refused(Reason.LIMIT_EXCEEDED):
        await rig.apply(zone)
    assert rig.state.revision == revision


async def test_many_bytes_go_in_several_commits(rig: Rig) -> None:
    """Few objects of much text fit, too."""
    zone = shop()
    labels = [f"{number:02}" + "ü" * 62 for number in range(32)]
    scopes = [f"a:{number:02}" + "x" * 120 for number in range(64)]
    zone["resources"] += [{"name": f"resource://r{n}", "scopes": scopes} for n in range(150)]
    zone["applications"] += [{"name": f"app-{n}", "labels": labels} for n in range(150)]
    assert len((await rig.apply(zone)).changes) == 300
    assert (await rig.apply(zone)).changes == ()


async def test_expected_revision(rig: Rig) -> None:
    """CONFLICT when what was read has moved since, by an apply or by a revocation."""
    assert rig.operator is not None
    zone = shop(settings={"default_ttl_seconds": 99})
    read = (await rig.authority.zones.get(rig.operator, "shop")).revision
    planned = await rig.apply(zone, dry_run=True, expected_revision=read)
    applied = await rig.apply(zone, expected_revision=planned.revision)
    with refused(Reason.CONFLICT):
        await rig.apply(shop(), expected_revision=planned.revision)
    await rig.apply(shop(name="mall"))
    again = await rig.apply(shop(), expected_revision=applied.revision)
    await rig.authority.revocations.revoke(rig.operator, "shop", rig.standing("agent"), "")
    with refused(Reason.CONFLICT):
        await rig.apply(shop(), expected_revision=again.revision, dry_run=True)
    with refused(Reason.FIELD_INVALID):
        await rig.apply(shop(), expected_revision=-1)
