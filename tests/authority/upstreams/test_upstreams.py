"""Credentials of upstreams, made, changed and removed: what holds, and what is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.authority.state import places
from caracal_grpc.authority.zones.kinds import RESOURCE
from caracal_grpc.core.limits import AUTHORITY_RESOURCE, AUTHORITY_ZONE, MAX_UPSTREAM_SECRET
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.upstream import CredentialKind
from tests.authority.upstreams.desk import CRM, SECRET, TENANT, TENANTS, Desk, crm_shop
from tests.support.refusals import refused
from tests.support.rig import Rig, ledger_down
from tests.support.shop import shop


def sealed(rig: Rig) -> set[str]:
    """The ids of the secrets that the shop has."""
    return set(rig.state.records("shop", places.UPSTREAM_SECRETS))


async def test_what_is_made_is_there(any_desk: Desk) -> None:
    """Without its secret, which has a place of its own, and recorded by its name alone."""
    made = await any_desk.make(kind="header", label="x-api-key")
    found = made.found.value
    assert (found.name, found.resource, found.kind, found.label) == (
        "crm",
        CRM,
        "header",
        "x-api-key",
    )
    rig = any_desk.rig
    assert sealed(rig) == {f"crm.header.{found.secret}"}
    assert rig.authority.objects.get(any_desk.operator, "shop", rig.authority.upstreams.kind, "crm")
    entry = await rig.last()
    assert (entry.id, entry.type) == (made.edited.audit_id, "upstream.create")
    assert entry.details == {"name": "crm"}


async def test_update_without_a_secret_keeps_it(any_desk: Desk) -> None:
    """Another resource, another name of the header: what is in it stays."""
    made = await any_desk.make(kind="header", label="x-api-key")
    changed = await any_desk.change(
        kind="header", label="x-other-key", secret="", resource=TENANTS, etag=made.found.etag
    )
    assert changed.found.value.secret == made.found.value.secret
    entry = await any_desk.rig.last()
    assert (entry.type, entry.details["fields"]) == ("upstream.update", ("resource", "header"))
    released = await any_desk.release((await any_desk.shown(TENANT)).token)
    assert (released.name, released.value) == ("x-other-key", SECRET)


async def test_update_with_a_secret_takes_the_place_of_the_one_before(any_desk: Desk) -> None:
    """Of which nothing is left, and the next release has the new one."""
    made = await any_desk.make()
    await any_desk.release((await any_desk.shown()).token)
    changed = await any_desk.change(secret="another-one")
    assert changed.found.etag != made.found.etag
    assert sealed(any_desk.rig) == {f"crm.bearer.{changed.found.value.secret}"}
    assert (await any_desk.rig.last()).details["fields"] == ("bearer",)
    released = await any_desk.release((await any_desk.shown()).token)
    assert released.value == "Bearer another-one"


async def test_a_secret_that_is_given_counts_as_changed(desk: Desk) -> None:
    """Else whoever may write one could try which one it is."""
    await desk.make()
    assert (await desk.change()).edited.audit_id
    assert not (await desk.change(secret="")).edited.audit_id


async def test_update_goes_by_the_etag(desk: Desk) -> None:
    """CONFLICT when somebody was faster."""
    made = await desk.make()
    await desk.change(secret="another-one")
    with refused(Reason.CONFLICT):
        await desk.change(secret="a-third", etag=made.found.etag)
    with refused(Reason.CONFLICT):
        await desk.remove(etag=made.found.etag)


async def test_removal_leaves_nothing(any_desk: Desk) -> None:
    """Neither the credential nor its secret; a new one may have its name."""
    await any_desk.make()
    done = await any_desk.remove()
    assert sealed(any_desk.rig) == set()
    assert any_desk.rig.state.upstreams("shop") == []
    entry = await any_desk.rig.last()
    assert (entry.id, entry.type) == (done.audit_id, "upstream.delete")
    with refused(Reason.OBJECT_NOT_FOUND):
        await any_desk.release((await any_desk.shown()).token)
    await any_desk.make(secret="another-one")
    released = await any_desk.release((await any_desk.shown()).token)
    assert released.value == "Bearer another-one"


async def test_name_is_taken_once(desk: Desk) -> None:
    """OBJECT_EXISTS, and the one that is there stays."""
    await desk.make()
    with refused(Reason.OBJECT_EXISTS):
        await desk.make(secret="another-one")
    assert (await desk.release((await desk.shown()).token)).value == f"Bearer {SECRET}"


KINDS: dict[CredentialKind, str] = {"header": "x-api-key", "bearer": "", "basic": "shop"}


@pytest.mark.parametrize("kind", KINDS)
async def test_another_kind_needs_a_secret_of_its_own(desk: Desk, kind: CredentialKind) -> None:
    """What was a token is no password."""
    before: CredentialKind = "basic" if kind == "bearer" else "bearer"
    await desk.make(kind=before, label=KINDS[before])
    with refused(Reason.FIELD_INVALID) as refusal:
        await desk.change(kind=kind, label=KINDS[kind], secret="")
    assert refusal.fields == [f"upstream.{kind}.{_SECRET_OF[kind]}"]
    await desk.change(kind=kind, label=KINDS[kind], secret="another-one")


_SECRET_OF = {"header": "value", "bearer": "token", "basic": "password"}

WRONG: list[tuple[CredentialKind, str, str, str]] = [
    ("header", "authorization", "a", "header.name"),
    ("header", ":path", "a", "header.name"),
    ("header", "X-Api-Key", "a", "header.name"),
    ("header", "x-caracal-subject", "a", "header.name"),
    ("header", "my-caracal-key", "a", "header.name"),
    ("header", "x-envoy-original-path", "a", "header.name"),
    ("header", "grpc-timeout", "a", "header.name"),
    ("header", "host", "a", "header.name"),
    ("header", "transfer-encoding", "a", "header.name"),
    ("header", "x api", "a", "header.name"),
    ("header", "", "a", "header.name"),
    ("header", "x-api-key\n", "a", "header.name"),
    ("header", "x-api-key", "", "header.value"),
    ("header", "x-api-key", "a\r\nx-more: b", "header.value"),
    ("header", "x-api-key", " a", "header.value"),
    ("header", "x-api-key", "a\n", "header.value"),
    ("header", "x-api-key", "ä", "header.value"),
    ("header", "x-api-key", "a" * (MAX_UPSTREAM_SECRET + 1), "header.value"),
    ("bearer", "", "", "bearer.token"),
    ("bearer", "", "a b", "bearer.token"),
    ("bearer", "", "a,Bearer b", "bearer.token"),
    ("bearer", "", "a=b", "bearer.token"),
    ("bearer", "", "a\n", "bearer.token"),
    ("basic", "", "a", "basic.username"),
    ("basic", "a:b", "c", "basic.username"),
    ("basic", "a\n", "c", "basic.username"),
    ("basic", "a", "", "basic.password"),
    ("basic", "a", "c\n", "basic.password"),
    ("basic", "a", "c\x00", "basic.password"),
    ("basic", "a", "ä" * (MAX_UPSTREAM_SECRET // 2 + 1), "basic.password"),
]


@pytest.mark.parametrize(("kind", "label", "secret", "field"), WRONG)
async def test_what_no_header_can_carry_is_refused(
    desk: Desk, kind: CredentialKind, label: str, secret: str, field: str
) -> None:
    """Before it is kept, and in words that do not repeat it."""
    with refused(Reason.FIELD_INVALID) as refusal:
        await desk.make(kind=kind, label=label, secret=secret)
    assert refusal.fields == [f"upstream.{field}"]
    assert len(secret) < 3 or secret not in str(refusal.error)
    assert sealed(desk.rig) == set()


@pytest.mark.parametrize(
    "resource", ["resource://nothing", "crm", "", AUTHORITY_RESOURCE, "resource://nothing/t-1"]
)
async def test_resource_must_be_one_of_the_zone(desk: Desk, resource: str) -> None:
    """And never the authority: a mandate for that is for no gateway."""
    with refused(Reason.FIELD_INVALID) as refusal:
        await desk.make(resource=resource)
    assert refusal.fields == ["upstream.resource"]


async def test_resource_may_be_one_of_a_family(desk: Desk) -> None:
    """It is declared by its family."""
    assert (await desk.make(resource=TENANT)).found.value.resource == TENANT


@pytest.mark.parametrize("prune", [True, False])
async def test_applies_leave_them(desk: Desk, *, prune: bool) -> None:
    """No manifest declares one, and none is pruned or reported for it."""
    await desk.make()
    applied = await desk.rig.apply(crm_shop(), prune=prune)
    assert (applied.changes, applied.undeclared) == ((), ())
    assert (await desk.release((await desk.shown()).token)).value == f"Bearer {SECRET}"


@pytest.mark.parametrize(("of", "gone"), [(CRM, CRM), (TENANTS, TENANTS), (TENANT, TENANTS)])
async def test_resource_stays_as_long_as_one_names_it(desk: Desk, of: str, gone: str) -> None:
    """Neither pruned nor deleted: it would come back with other scopes and the old secret."""
    await desk.make(resource=of)
    plain = shop()
    with refused(Reason.FIELD_INVALID) as refusal:
        await desk.rig.apply(plain)
    assert refusal.fields == ["present.upstreams.crm.resource"]
    bare = crm_shop()
    bare["policy"]["grants"] = shop()["policy"]["grants"]
    await desk.rig.apply(bare)
    with refused(Reason.FIELD_INVALID) as refusal:
        await desk.authority.edits.delete(desk.operator, "shop", RESOURCE, gone, "")
    assert refusal.fields == ["present.upstreams.crm.resource"]
    await desk.remove()
    await desk.authority.edits.delete(desk.operator, "shop", RESOURCE, gone, "")


async def test_zone_holds_so_many(desk: Desk) -> None:
    """LIMIT_EXCEEDED, by the number that its kind says."""
    upstreams = desk.authority.upstreams
    desk.authority.upstreams = replace(upstreams, kind=replace(upstreams.kind, most=1))
    await desk.make()
    with refused(Reason.LIMIT_EXCEEDED):
        await desk.make(name="another")


async def test_none_outlives_its_zone(any_desk: Desk) -> None:
    """Neither the credential nor its sealed secret."""
    await any_desk.make()
    rig = any_desk.rig
    bare = crm_shop()
    bare |= {"applications": [], "policy": {"grants": []}}
    await rig.apply(bare)
    await rig.authority.removal.delete(any_desk.operator, "shop", "")
    kinds = {record.key.kind for record in (await rig.store.list("shop")).records}
    assert not kinds & {places.UPSTREAMS, places.UPSTREAM_SECRETS}


CHANGES: dict[str, Callable[[Desk], Awaitable[Any]]] = {
    "upstream.create": lambda desk: desk.make(name="another"),
    "upstream.update": lambda desk: desk.change(secret="another-one"),
    "upstream.delete": lambda desk: desk.remove(),
}


@pytest.mark.parametrize("kind", CHANGES)
async def test_change_whose_entry_failed_is_recorded_later(desk: Desk, kind: str) -> None:
    """It holds, and owes its entry, which is that of the actor and names no secret."""
    await desk.make()
    rig = desk.rig
    with ledger_down(rig), refused(Reason.AUDIT_UNAVAILABLE):
        await CHANGES[kind](desk)
    await rig.state.reached((await rig.store.list()).revision)
    await rig.advance(31)
    for _ in range(2):
        await rig.authority.debts.settle()
    entry = await rig.last()
    assert (entry.type, entry.application) == (kind, desk.operator.application)
    assert entry.details["name"] == ("another" if kind == "upstream.create" else "crm")
    assert [each.type for each in await rig.entries()].count(kind) == 1 + (
        kind == "upstream.create"
    )
    assert not [text for text in (SECRET, "another-one") if text in str(entry.to_event())]
    assert (await rig.store.list(AUTHORITY_ZONE, places.OWED)).records == ()
