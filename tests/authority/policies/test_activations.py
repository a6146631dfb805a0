"""What decides: changed by one write, everywhere, and never by two at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from unittest.mock import patch

import pytest

from caracal_grpc.authority.policies.active import active_policy
from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.state import places
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from tests.authority.policies.samples import (
    CANCEL,
    PLACE,
    TRACK,
    activate,
    decides,
    granted,
    made,
    operator,
)
from tests.support.refusals import refused
from tests.support.rig import Rig


async def test_an_activated_version_decides_at_once(any_rig: Rig) -> None:
    """The first exchange after the answer is decided by it, and says so."""
    version = await made(any_rig, CANCEL)
    await activate(any_rig, version)
    assert await granted(any_rig) == {"orders:cancel"}
    assert (await any_rig.last()).policy_version == version


async def test_an_activation_is_recorded(rig: Rig) -> None:
    """By whom, what decided before, what does now."""
    before, version = decides(rig), await made(rig, CANCEL)
    done = await rig.authority.activations.activate(operator(rig), "shop", version)
    entry = await rig.last()
    assert (entry.id, entry.type, entry.decision) == (done.audit_id, "policy.activate", "done")
    assert (entry.application, entry.policy_version) == (operator(rig).application, version)
    assert dict(entry.details) == {"before": before, "after": version}
    assert (done.previous, done.version) == (before, version)


async def test_activating_what_decides_changes_nothing(rig: Rig) -> None:
    """No write, no entry."""
    version = await made(rig, CANCEL)
    revision, entries = await activate(rig, version), len(await rig.entries())
    again = await rig.authority.activations.activate(operator(rig), "shop", version)
    assert (again.revision, again.audit_id, again.previous) == (revision, "", version)
    assert len(await rig.entries()) == entries


async def test_an_unknown_version_is_not_activated(rig: Rig) -> None:
    """OBJECT_NOT_FOUND."""
    with refused(Reason.OBJECT_NOT_FOUND):
        await activate(rig, "sha256:0123456789abcdef")


async def test_of_two_activations_at_once_one_wins(two: tuple[Rig, Rig]) -> None:
    """The other gets CONFLICT, and both replicas agree on what decides."""
    versions = [await made(two[0], PLACE), await made(two[0], CANCEL)]
    await two[1].state.reached(two[0].state.revision)
    results = await asyncio.gather(
        *(activate(rig, version) for rig, version in zip(two, versions, strict=True)),
        return_exceptions=True,
    )
    lost = [each.reason for each in results if isinstance(each, CaracalError)]
    assert lost == [Reason.CONFLICT]
    won = versions[0 if isinstance(results[0], int) else 1]
    for rig in two:
        await rig.state.reached((await rig.store.list("shop")).revision)
        assert decides(rig) == won


async def test_activation_holds_what_it_expects(rig: Rig) -> None:
    """CONFLICT when another version decides by now."""
    place, cancel = await made(rig, PLACE), await made(rig, CANCEL)
    await activate(rig, place)
    with refused(Reason.CONFLICT):
        await activate(rig, cancel, expected=cancel)
    await activate(rig, cancel, expected=place)
    with refused(Reason.CONFLICT):
        await rig.authority.activations.rollback(operator(rig), "shop", place)
    assert decides(rig) == cancel


async def test_two_rollbacks_go_back_two_versions(any_rig: Rig) -> None:
    """Never to the version that was just taken back."""
    first = decides(any_rig)
    versions = [await made(any_rig, each) for each in (PLACE, CANCEL)]
    for version in versions:
        await activate(any_rig, version)
    activations = any_rig.authority.activations
    back = await activations.rollback(operator(any_rig), "shop")
    assert (back.version, back.previous) == (versions[0], versions[1])
    assert await granted(any_rig) == {"orders:place"}
    entry = (await any_rig.entries())[-2]
    assert (entry.type, entry.details["after"]) == ("policy.rollback", versions[0])
    assert (await activations.rollback(operator(any_rig), "shop")).version == first
    with refused(Reason.OBJECT_NOT_FOUND):
        await activations.rollback(operator(any_rig), "shop")


async def test_an_activation_after_a_rollback_goes_on_from_there(rig: Rig) -> None:
    """What was taken back stays in the history, and is not gone back to."""
    first = decides(rig)
    place, cancel, track = [await made(rig, each) for each in (PLACE, CANCEL, TRACK)]
    await activate(rig, place)
    await activate(rig, cancel)
    await rig.authority.activations.rollback(operator(rig), "shop")
    await activate(rig, track)
    policy = active_policy(rig.state, "shop")
    assert policy.before == (place, first)
    said = [each.version for each in policy.activations]
    assert said == [track, place, cancel, place, first]
    assert {each.by for each in policy.activations[:4]} == {operator(rig).application}


async def test_a_rollback_skips_what_was_deleted(rig: Rig) -> None:
    """It goes to the last version before that there still is."""
    first = decides(rig)
    place, cancel, track = [await made(rig, each) for each in (PLACE, CANCEL, TRACK)]
    for version in (place, cancel, track):
        await activate(rig, version)
    await rig.authority.activations.rollback(operator(rig), "shop")
    await rig.authority.catalogue.delete(operator(rig), "shop", track)
    await rig.authority.activations.rollback(operator(rig), "shop")
    await rig.authority.catalogue.delete(operator(rig), "shop", cancel)
    assert decides(rig) == place
    assert (await rig.authority.activations.rollback(operator(rig), "shop")).version == first


async def test_an_operator_of_another_zone_activates_nothing(rig: Rig) -> None:
    """ZONE_FORBIDDEN, and for a zone that there is not as well."""
    caller, version = await rig.caller("agent"), await made(rig, PLACE)
    for zone in ("caracal", "nowhere"):
        with refused(Reason.ZONE_FORBIDDEN):
            await rig.authority.activations.activate(caller, zone, version)
        with refused(Reason.ZONE_FORBIDDEN):
            await rig.authority.activations.rollback(caller, zone)
        with refused(Reason.ZONE_FORBIDDEN):
            rig.authority.activations.status(caller, zone)


async def test_a_zone_without_policy_gets_one(rig: Rig) -> None:
    """NO_ACTIVE_POLICY before; there is nothing to go back to after."""
    bare = {"name": "mall", "applications": [{"name": "agent"}]}
    await rig.apply(bare)
    caller, activations = operator(rig), rig.authority.activations
    with refused(Reason.NO_ACTIVE_POLICY):
        await rig.authority.catalogue.get(caller, "mall", "")
    assert activations.status(caller, "mall").loads == []
    content = Content()
    done = await rig.authority.catalogue.create(caller, "mall", content, "")
    first = await activations.activate(caller, "mall", done.described.version.id)
    assert first.previous == ""
    with refused(Reason.OBJECT_NOT_FOUND):
        await activations.rollback(caller, "mall")


async def test_a_mandate_of_the_old_version_is_never_minted_after(two: tuple[Rig, Rig]) -> None:
    """From the revision on, whatever each replica was doing: both answer by the new version."""
    first, second = two
    await activate(first, await made(first, PLACE))
    versions = [await made(first, each) for each in (CANCEL, PLACE)]
    for turn in range(6):
        exchanges = [asyncio.create_task(granted(rig)) for rig in two for _ in range(8)]
        revision = await activate(first, versions[turn % 2])
        await second.state.reached(revision)
        wanted = {"orders:cancel"} if turn % 2 == 0 else {"orders:place"}
        assert await granted(second) == await granted(first) == wanted
        await asyncio.gather(*exchanges)


async def test_an_activation_that_nobody_waits_for_is_recorded(rig: Rig) -> None:
    """A caller that hangs up while the entry is written leaves no gap in the ledger."""
    version, append = await made(rig, CANCEL), rig.ledger.append
    recording, go_on = asyncio.Event(), asyncio.Event()

    async def wait(entry: Any) -> Any:
        recording.set()
        await go_on.wait()
        return await append(entry)

    with patch.object(rig.ledger, "append", wait):
        activating = asyncio.create_task(activate(rig, version))
        await recording.wait()
        activating.cancel()
        with pytest.raises(asyncio.CancelledError):
            await activating
        go_on.set()
        await rig.authority.activations.close()
    entry = await rig.last()
    assert (entry.type, entry.policy_version, decides(rig)) == ("policy.activate", version, version)


@pytest.mark.parametrize("what", ["activate", "shadow", "delete"])
async def test_news_that_come_between_two_steps_are_not_undone(rig: Rig, what: str) -> None:
    """CONFLICT: what was decided upon the policy of before holds against that, and no other."""
    first, second, third = [await made(rig, each) for each in (PLACE, CANCEL, TRACK)]
    policy, caller, authority = places.policy_place("shop"), operator(rig), rig.authority
    await activate(rig, first)
    before = rig.state.record(policy)
    await activate(rig, second)
    news = rig.state.record(policy)
    assert before is not None
    assert news is not None
    rig.state._mirror._put(before)
    calls: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
        "activate": lambda: activate(rig, third, expected=first),
        "shadow": lambda: authority.trials.shadowing.set(caller, "shop", third),
        "delete": lambda: authority.catalogue.delete(caller, "shop", second),
    }
    calling = asyncio.create_task(calls[what]())
    await asyncio.sleep(0)
    rig.state._mirror._put(news)
    with refused(Reason.CONFLICT):
        await calling
    assert decides(rig) == second
    assert (await authority.catalogue.get(caller, "shop", ""))[1] == CANCEL
