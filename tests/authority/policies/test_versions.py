"""Versions of a policy: named by what they hold, made once, never changed, never half there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from caracal_grpc.authority.policies import versions as room
from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.state import places
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_POLICY_VERSIONS
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Change, Expect, Key, Put, Store
from tests.authority.policies.samples import (
    CANCEL,
    PLACE,
    activate,
    create,
    decides,
    granted,
    granting,
    made,
    operator,
)
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, rego


async def test_the_same_policy_is_the_same_version(any_rig: Rig) -> None:
    """It is made once: a second time there is nothing to record."""
    first, again = await create(any_rig, PLACE, "first"), await create(any_rig, PLACE, "again")
    assert first.audit_id
    assert (again.audit_id, again.revision) == ("", first.revision)
    assert again.described == first.described
    assert first.described.version.description == "first"


async def test_another_policy_is_another_version(rig: Rig) -> None:
    """A changed scope is a changed digest; neither decides before it is activated."""
    before = decides(rig)
    assert await made(rig, PLACE) != await made(rig, CANCEL)
    assert decides(rig) == before


async def test_a_version_is_read_as_it_was_made(any_rig: Rig) -> None:
    """Grants, modules and tests, each by its name."""
    module = rego('{"decision": "deny", "reasons": []}')["modules"][0]
    tests = {"always_test.rego": "package caracal.authz_test\n\ntest_it if true\n"}
    content = Content(PLACE.grants, {module["name"]: module["source"]}, tests)
    version = await made(any_rig, content)
    catalogue = any_rig.authority.catalogue
    described, found = await catalogue.get(operator(any_rig), "shop", version)
    assert found.to_value() == content.to_value()
    assert (described.version.grants, described.version.modules) == (1, (module["name"],))


async def test_it_is_recorded_who_made_what(rig: Rig) -> None:
    """Numbers and names, never a grant or a source."""
    done = await create(rig, PLACE, "one scope only")
    entry = await rig.last()
    assert (entry.id, entry.type, entry.decision) == (done.audit_id, "policy.create", "done")
    assert entry.application == operator(rig).application
    assert entry.policy_version == done.described.version.id
    assert dict(entry.details) == {"grants": 1, "modules": (), "description": "one scope only"}


async def test_twenty_thousand_grants_are_one_version(etcd_rig: Rig) -> None:
    """More than the store takes in one piece, made, read and decided by."""
    many = [
        {"application": "orders", "resource": ORDERS, "scopes": ["orders:place"], "labels": [label]}
        for label in (f"label-{number}-{'x' * 40}" for number in range(20_000))
    ]
    content = Content(grants=(*many, *CANCEL.grants))
    version = await made(etcd_rig, content)
    described, found = await etcd_rig.authority.catalogue.get(operator(etcd_rig), "shop", version)
    assert len(found.grants) == 20_001
    assert described.version.parts > 1
    await activate(etcd_rig, version)
    assert await granted(etcd_rig) == {"orders:cancel"}


class Breaking:
    """A store that stops in the middle of an upload: after so many commits of parts."""

    def __init__(self, store: Store, parts: int) -> None:
        self._store = store
        self._left = parts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, changes: list[Change], expects: list[Expect]) -> int:
        """As the store's, until it is over."""
        if any(change.key.kind == places.POLICY_PARTS for change in changes):
            if not self._left:
                raise CaracalError(Reason.STORE_UNAVAILABLE, "gone")
            self._left -= 1
        return await self._store.commit(changes, expects)


async def broken_off(rig: Rig, content: Content, parts: int) -> str:
    """Uploads so many parts of a version and no more; its name."""
    version = (await asyncio.to_thread(content.bundle)).version
    store: Any = Breaking(rig.store, parts)
    half = room.Versions(store, rig.state, rig.clock)
    with refused(Reason.STORE_UNAVAILABLE):
        await half.make("shop", version, content, "", "")
    return version


async def stored(rig: Rig, kind: str) -> Mapping[str, Any]:
    """Records of a kind in the shop, by id."""
    found = await rig.store.list("shop", kind)
    return {record.key.id: record.value for record in found.records}


LONG = Content(
    grants=tuple(
        {"application": "agent", "resource": ORDERS, "scopes": ["orders:place"], "labels": [label]}
        for label in (f"{number:06}-{'x' * 50}" for number in range(12_000))
    )
)


async def test_an_upload_that_breaks_off_is_no_version(any_rig: Rig) -> None:
    """It is not listed, not read, not activated; the next upload completes it."""
    version = await broken_off(any_rig, LONG, 1)
    caller, catalogue = operator(any_rig), any_rig.authority.catalogue
    await any_rig.fresh()
    assert version not in [each.version.id for each in catalogue.list(caller, "shop").items]
    with refused(Reason.OBJECT_NOT_FOUND):
        await catalogue.get(caller, "shop", version)
    with refused(Reason.OBJECT_NOT_FOUND):
        await activate(any_rig, version)
    assert await made(any_rig, LONG) == version
    _, found = await catalogue.get(caller, "shop", version)
    assert found.to_value() == LONG.to_value()


async def test_what_an_upload_left_is_swept_away(any_rig: Rig) -> None:
    """Whoever makes a version some time later takes it away, to the last part."""
    before = await stored(any_rig, places.POLICY_PARTS)
    version = await broken_off(any_rig, LONG, 1)
    await any_rig.advance(601)
    other = await made(any_rig, PLACE)
    assert version not in await stored(any_rig, places.POLICY_VERSIONS)
    assert (await stored(any_rig, places.POLICY_PARTS)).keys() == {*before, f"{other}.0"}


async def test_a_rival_of_an_upload_takes_it_over(any_rig: Rig) -> None:
    """Of two that make the same at once, with other tests, neither mixes with the other."""
    tests = [{"a_test.rego": f"package caracal.authz_test\n\ntest_{n} if true\n"} for n in "ab"]
    contents = [Content(PLACE.grants, {}, each) for each in tests]
    done = await asyncio.gather(*(create(any_rig, each) for each in contents))
    assert sorted(bool(each.audit_id) for each in done) == [False, True]
    version = done[0].described.version.id
    _, found = await any_rig.authority.catalogue.get(operator(any_rig), "shop", version)
    assert found.tests in tests


async def test_two_replicas_make_the_same_version_once(two: tuple[Rig, Rig]) -> None:
    """Whoever is second is told of the first; both read the same afterwards."""
    done = await asyncio.gather(*(create(rig, LONG) for rig in two), return_exceptions=True)
    made_here = [each for each in done if not isinstance(each, BaseException)]
    lost = [each.reason for each in done if isinstance(each, CaracalError)]
    assert [each for each in made_here if each.audit_id]
    assert len(made_here) + len(lost) == 2
    assert set(lost) <= {Reason.CONFLICT}
    version = made_here[0].described.version.id
    for rig in two:
        await rig.state.reached(made_here[0].revision)
        _, found = await rig.authority.catalogue.get(operator(rig), "shop", version)
        assert found.to_value() == LONG.to_value()


async def test_a_part_that_changed_is_not_decided_by(rig: Rig) -> None:
    """POLICY_FAILED: what is read must be what was made."""
    version = await made(rig, PLACE)
    place = places.policy_part_place("shop", version, 0)

    def widened(value: Mapping[str, Any]) -> dict[str, Any]:
        return {**value, "grants": [{**value["grants"][0], "scopes": ["orders:cancel"]}]}

    await rig.store.update(place, widened)
    with refused(Reason.POLICY_FAILED):
        await activate(rig, version)
    assert decides(rig) != version


@pytest.mark.parametrize("broken", [{"grants": 7}, {"grants": [None]}, {}], ids=str)
async def test_a_part_that_is_none_is_not_decided_by(rig: Rig, broken: dict[str, Any]) -> None:
    """POLICY_FAILED, which says that it is damaged, whatever has become of it."""
    version = await made(rig, PLACE)
    place = places.policy_part_place("shop", version, 0)
    await rig.store.update(place, lambda _: broken)
    with refused(Reason.POLICY_FAILED) as seen:
        await activate(rig, version)
    assert "damaged" in str(seen.error)


async def test_a_head_that_was_moved_is_not_decided_by(rig: Rig) -> None:
    """The name of a version is that of its content, also when its own digests fit."""
    version, name = await made(rig, PLACE), "sha256:0123456789abcdef"
    head = rig.state.record(places.policy_version_place("shop", version))
    part = await rig.store.get(places.policy_part_place("shop", version, 0))
    assert head is not None
    assert part is not None
    await rig.store.create(places.policy_part_place("shop", name, 0), part.value)
    moved = {**head.value, "id": name}
    revision = await rig.store.create(places.policy_version_place("shop", name), moved)
    await rig.state.reached(revision)
    with refused(Reason.POLICY_FAILED):
        await activate(rig, name)


async def test_another_policy_of_the_same_digest_is_refused(rig: Rig) -> None:
    """64 bits are the name; all of the digest tells two policies apart."""
    version = await made(rig, PLACE)
    versions = room.Versions(rig.store, rig.state, rig.clock)
    with refused(Reason.FIELD_INVALID) as refusal:
        await versions.make("shop", version, CANCEL, "", "")
    assert refusal.fields[0] == "policy"


async def test_there_is_a_bound(rig: Rig) -> None:
    """LIMIT_EXCEEDED, which says how many; one that is there already is no more."""
    there = len(rig.authority.catalogue.list(operator(rig), "shop").items)
    for number in range(MAX_POLICY_VERSIONS - there):
        await rig.advance(1)
        last = granting("orders:place", labels=[f"label-{number}"])
        await create(rig, last)
    with refused(Reason.LIMIT_EXCEEDED) as refusal:
        await rig.advance(1)
        await create(rig, CANCEL)
    assert refusal.metadata["limit"] == str(MAX_POLICY_VERSIONS)
    assert (await create(rig, last)).audit_id == ""


async def test_who_judges_too_many_waits(rig: Rig) -> None:
    """RATE_LIMITED for the one application, which may try again."""
    with refused(Reason.RATE_LIMITED):
        for _ in range(100):
            await rig.authority.catalogue.validate(operator(rig), "shop", PLACE)
    await rig.advance(10)
    assert (await rig.authority.catalogue.validate(operator(rig), "shop", PLACE)).version


async def test_versions_of_a_zone_are_its_own(rig: Rig) -> None:
    """The same policy is a version of its own in each zone."""
    version = await made(rig, PLACE)
    with refused(Reason.OBJECT_NOT_FOUND):
        await rig.authority.catalogue.get(operator(rig), "caracal", version)
    with refused(Reason.OBJECT_NOT_FOUND):
        rig.authority.catalogue.list(operator(rig), "nowhere")


async def test_an_unused_version_is_deleted_whole(any_rig: Rig) -> None:
    """Nothing of it stays but its entries."""
    version = await made(any_rig, PLACE)
    revision, audit_id = await any_rig.authority.catalogue.delete(
        operator(any_rig), "shop", version
    )
    assert revision <= any_rig.state.revision
    entry = await any_rig.last()
    assert (entry.id, entry.type, entry.details["before"]) == (audit_id, "policy.delete", version)
    for kind in (places.POLICY_VERSIONS, places.POLICY_PARTS):
        assert not [each for each in await stored(any_rig, kind) if each.startswith(version)]
    with refused(Reason.OBJECT_NOT_FOUND):
        await any_rig.authority.catalogue.delete(operator(any_rig), "shop", version)


@pytest.mark.parametrize("use", ["active", "before", "shadow"])
async def test_a_used_version_is_not_deleted(rig: Rig, use: str) -> None:
    """Neither what decides, nor its shadow, nor what a rollback would activate."""
    place, cancel = await made(rig, PLACE), await made(rig, CANCEL)
    await activate(rig, place)
    await activate(rig, cancel)
    await rig.authority.trials.shadowing.set(operator(rig), "shop", shadow := await made(rig, WIDE))
    used = {"active": cancel, "before": place, "shadow": shadow}[use]
    with refused(Reason.FIELD_INVALID) as refusal:
        await rig.authority.catalogue.delete(operator(rig), "shop", used)
    assert refusal.fields[0] == "version"


WIDE = granting("orders:place", "orders:cancel", "orders:track")


async def test_who_deletes_loses_to_who_activates(two: tuple[Rig, Rig]) -> None:
    """Of both at once one gets CONFLICT, so that what decides is always there."""
    first, second = two
    version = await made(first, PLACE)
    await second.state.reached(first.state.revision)
    results = await asyncio.gather(
        activate(first, version),
        second.authority.catalogue.delete(operator(second), "shop", version),
        return_exceptions=True,
    )
    lost = [each.reason for each in results if isinstance(each, CaracalError)]
    assert lost in ([Reason.CONFLICT], [Reason.OBJECT_NOT_FOUND], [Reason.FIELD_INVALID])
    await first.state.reached((await first.store.list("shop")).revision)
    active = decides(first)
    await first.authority.catalogue.get(operator(first), "shop", active)


async def test_parts_are_mirrored_by_nobody(rig: Rig) -> None:
    """Replicas hold the heads alone."""
    version = await made(rig, PLACE)
    place: Key = places.policy_part_place("shop", version, 0)
    assert rig.state.record(place) is None
    record = await rig.store.get(place)
    assert record is not None
    assert Put(place, record.value).ttl is None
