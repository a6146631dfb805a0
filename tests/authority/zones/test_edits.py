"""Objects made, changed and removed one at a time: what holds, what is refused, what is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.authority.zones.declaration import DeclaredApplication
from caracal_grpc.authority.zones.kinds import (
    APPLICATION,
    ISSUER,
    PROOF_SYSTEM,
    RESOURCE,
    WORKLOAD_ISSUER,
)
from caracal_grpc.core.application import Application
from caracal_grpc.core.ceiling import UNBOUNDED, Ceiling
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.zone import MayAct, Resource
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import CARACAL, ORDERS, shop

CORP = TrustedIssuer("corp", "https://corp.example", "shop")
MESH = TrustedIssuer("mesh", "spiffe://shop.example", "", "https://keys.example/jwks")
TEA = Resource("resource://tea", frozenset({"tea:brew"}))


def operator(rig: Rig) -> Mandate:
    """Who does all this."""
    assert rig.operator is not None
    return rig.operator


def labelled(*labels: str) -> Any:
    """A change of an application's labels alone."""
    return lambda present: DeclaredApplication(present.name, labels, present.ceiling)


def application(rig: Rig, name: str) -> Application:
    """An application as it is."""
    return rig.authority.objects.get(operator(rig), "shop", APPLICATION, name).value


async def test_application_that_is_made_authenticates_at_once(any_rig: Rig) -> None:
    """With the one secret that is answered; what it may do, policy says."""
    rig = any_rig
    made = await rig.authority.edits.create(
        operator(rig), "shop", APPLICATION, DeclaredApplication("late", ("batch",))
    )
    change = made.edited.change
    assert change is not None
    assert change.credential is not None
    rig.credentials["shop", "late"] = change.credential
    assert made.found == rig.authority.objects.get(operator(rig), "shop", APPLICATION, "late")
    with refused(Reason.POLICY_DENIED):
        await rig.exchange("late", ORDERS)
    mandate = await rig.caller("late")
    assert mandate.session == made.found.value.standing_session


async def test_change_of_a_ceiling_holds_for_the_next_exchange(any_rig: Rig) -> None:
    """In the application and in its standing session, by one commit."""
    rig = any_rig
    narrow = Ceiling({ORDERS: frozenset({"orders:place"})})
    await rig.exchange("agent", ORDERS, "orders:cancel")

    def change(present: Application) -> DeclaredApplication:
        return DeclaredApplication(present.name, present.labels, narrow)

    changed = await rig.authority.edits.update(
        operator(rig), "shop", APPLICATION, "agent", "", change
    )
    assert changed.found.value.ceiling == narrow
    assert changed.found == rig.authority.objects.get(operator(rig), "shop", APPLICATION, "agent")
    with refused(Reason.CEILING_EXCEEDED):
        await rig.exchange("agent", ORDERS, "orders:cancel")
    await rig.exchange("agent", ORDERS, "orders:place")


async def test_application_that_is_removed_is_dead_with_all_it_holds(any_rig: Rig) -> None:
    """Once nothing refers to it any more."""
    rig = any_rig
    made = await rig.authority.edits.create(
        operator(rig), "shop", APPLICATION, DeclaredApplication("late")
    )
    change = made.edited.change
    assert change is not None
    assert change.credential is not None
    rig.credentials["shop", "late"] = change.credential
    await rig.caller("late")
    await rig.authority.edits.delete(operator(rig), "shop", APPLICATION, "late", "")
    assert made.found.value.id in rig.state.dead("shop")
    with refused(Reason.CLIENT_AUTH_FAILED):
        await rig.caller("late")
    session = rig.state.session("shop", made.found.value.standing_session)
    assert session.terminated_at is not None


async def test_resource_and_trust_come_and_go(any_rig: Rig) -> None:
    """Each is there from its revision on, and gone from the other."""
    rig, edits = any_rig, any_rig.authority.edits
    by = operator(rig)
    kinds = ((RESOURCE, TEA), (ISSUER, CORP), (PROOF_SYSTEM, CORP), (WORKLOAD_ISSUER, MESH))
    for kind, value in kinds:
        made = await edits.create(by, "shop", kind, value)  # type: ignore[arg-type]
        assert rig.authority.objects.get(by, "shop", kind, value.name) == made.found  # type: ignore[arg-type]
        await edits.delete(by, "shop", kind, value.name, made.found.etag)  # type: ignore[arg-type]
        with refused(Reason.OBJECT_NOT_FOUND):
            rig.authority.objects.get(by, "shop", kind, value.name)  # type: ignore[arg-type]
    assert (await rig.apply(shop())).changes == ()


async def test_entries_name_fields_and_never_values(rig: Rig) -> None:
    """`<kind>.<action>`, by whom, of what."""
    edits, by = rig.authority.edits, operator(rig)
    made = await edits.create(by, "shop", ISSUER, replace(CORP, jwks_uri="https://corp.example/k"))
    entry = await rig.last()
    assert (entry.type, entry.application) == ("issuer.create", by.application)
    assert entry.details == {"name": "corp"}
    assert entry.id == made.edited.audit_id
    await edits.update(by, "shop", ISSUER, "corp", "", lambda now: replace(now, max_age=60))
    entry = await rig.last()
    assert entry.type == "issuer.update"
    assert entry.details == {"name": "corp", "fields": ("max_age",)}
    made_application = await edits.create(by, "shop", APPLICATION, DeclaredApplication("late"))
    entry = await rig.last()
    change = made_application.edited.change
    assert change is not None
    assert change.credential is not None
    assert entry.details == {
        "name": "late",
        "application": made_application.found.value.id,
        "credential": change.credential.kept.id,
    }
    assert change.credential.secret not in str(entry)
    assert change.credential.kept.digest not in str(entry)
    await edits.delete(by, "shop", APPLICATION, "late", "")
    assert (await rig.last()).type == "application.delete"


async def test_update_that_changes_nothing_writes_nothing(rig: Rig) -> None:
    """No revision, no entry, no conflict for anybody."""
    before, entries = rig.state.revision, len(await rig.entries())
    same = await rig.authority.edits.update(
        operator(rig), "shop", APPLICATION, "agent", "", labelled("batch", "night")
    )
    assert (same.edited.audit_id, same.edited.change) == ("", None)
    assert same.found.value == application(rig, "agent")
    assert rig.state.revision_of(rig_turn(rig)) <= before
    assert len(await rig.entries()) == entries


def rig_turn(rig: Rig) -> Any:
    """Where turns are taken."""
    from caracal_grpc.authority.state.places import turn_place

    return turn_place("shop")


async def test_name_that_is_taken(rig: Rig) -> None:
    """OBJECT_EXISTS, and what there is stays as it is."""
    before = application(rig, "agent")
    with refused(Reason.OBJECT_EXISTS) as seen:
        await rig.authority.edits.create(
            operator(rig), "shop", APPLICATION, DeclaredApplication("agent")
        )
    assert seen.metadata == {"kind": "application", "id": "agent"}
    with refused(Reason.OBJECT_EXISTS):
        await rig.authority.edits.create(
            operator(rig), "shop", RESOURCE, Resource(ORDERS, frozenset({"x"}))
        )
    assert application(rig, "agent") == before


BAD: list[tuple[Any, Any, str]] = [
    (APPLICATION, DeclaredApplication("late", ("",)), "application.labels"),
    (
        APPLICATION,
        DeclaredApplication("late", (), Ceiling({TEA.name: frozenset({"tea:brew"})})),
        "application.ceiling.resource",
    ),
    (
        APPLICATION,
        DeclaredApplication("late", (), Ceiling({ORDERS: frozenset({"orders:eat"})})),
        "application.ceiling.scopes",
    ),
    (RESOURCE, replace(TEA, scopes=frozenset()), "resource.scopes"),
    (RESOURCE, replace(TEA, max_ttl=5), "resource.max_ttl_seconds"),
    (RESOURCE, replace(TEA, name=CARACAL), "resource.name"),
    (RESOURCE, replace(TEA, may_act=(MayAct("nobody", ("*",)),)), "resource.may_act[0].actor"),
    (RESOURCE, replace(TEA, may_act=(MayAct("agent", ()),)), "resource.may_act[0].subjects"),
    (ISSUER, replace(CORP, issuer="http://corp.example"), "issuer.issuer"),
    (PROOF_SYSTEM, replace(CORP, algorithms=("none",)), "proof_system.algorithms"),
    (WORKLOAD_ISSUER, replace(MESH, audience="shop"), "workload_issuer.audience"),
    (WORKLOAD_ISSUER, replace(MESH, jwks_uri=""), "workload_issuer.jwks"),
]


@pytest.mark.parametrize(("kind", "value", "field"), BAD, ids=str)
async def test_bad_object_is_refused_as_an_apply_refuses_it(
    rig: Rig, kind: Any, value: Any, field: str
) -> None:
    """FIELD_INVALID naming the field, when it is made and when it is changed."""
    revision = rig.state.revision
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.authority.edits.create(operator(rig), "shop", kind, value)
    assert field in [each.field for each in seen.error.violations]
    assert rig.state.revision_of(rig_turn(rig)) <= revision


async def test_two_issuers_of_one_url(rig: Rig) -> None:
    """FIELD_INVALID: whose token would it be?"""
    edits, by = rig.authority.edits, operator(rig)
    await edits.create(by, "shop", ISSUER, CORP)
    with refused(Reason.FIELD_INVALID):
        await edits.create(by, "shop", ISSUER, replace(CORP, name="other"))
    await edits.create(by, "shop", PROOF_SYSTEM, CORP)


async def test_application_that_was_revoked_is_removed_and_nothing_else(rig: Rig) -> None:
    """FIELD_INVALID for any change of it: it would look alive."""
    edits, by = rig.authority.edits, operator(rig)
    await edits.create(by, "shop", APPLICATION, DeclaredApplication("late"))
    late = application(rig, "late")
    await rig.authority.revocations.revoke(by, "shop", late.id, "")
    with refused(Reason.FIELD_INVALID):
        await edits.update(by, "shop", APPLICATION, "late", "", labelled("x"))
    assert application(rig, "late").disabled
    await edits.delete(by, "shop", APPLICATION, "late", "")


async def test_etag_holds_an_update_back(any_rig: Rig) -> None:
    """CONFLICT when others have changed it since; an empty one asks for nothing."""
    rig, edits = any_rig, any_rig.authority.edits
    seen = rig.authority.objects.get(operator(rig), "shop", APPLICATION, "agent").etag
    first = await edits.update(operator(rig), "shop", APPLICATION, "agent", seen, labelled("a"))
    with refused(Reason.CONFLICT):
        await edits.update(operator(rig), "shop", APPLICATION, "agent", seen, labelled("b"))
    with refused(Reason.CONFLICT):
        await edits.delete(operator(rig), "shop", APPLICATION, "agent", seen)
    assert application(rig, "agent").labels == ("a",)
    await edits.update(operator(rig), "shop", APPLICATION, "agent", "", labelled("c"))
    with refused(Reason.CONFLICT):
        await edits.update(
            operator(rig), "shop", APPLICATION, "agent", first.found.etag, labelled("d")
        )


async def test_zone_that_is_full(rig: Rig) -> None:
    """LIMIT_EXCEEDED, with the bound."""
    few: Any = replace(ISSUER, most=1)
    await rig.authority.edits.create(operator(rig), "shop", few, CORP)
    with refused(Reason.LIMIT_EXCEEDED) as seen:
        other = replace(CORP, name="b", issuer="https://b.example")
        await rig.authority.edits.create(operator(rig), "shop", few, other)
    assert seen.metadata["limit"] == "1"


async def test_stale_authority_changes_nothing(rig: Rig) -> None:
    """AUTHORITY_STALE: it cannot know what it would break."""
    rig.state._max_staleness = -1.0
    with refused(Reason.AUTHORITY_STALE):
        await rig.authority.edits.create(operator(rig), "shop", RESOURCE, TEA)


async def test_nobody_of_another_zone_changes_anything(rig: Rig) -> None:
    """ZONE_FORBIDDEN, and the same for a zone that does not exist."""
    await rig.apply(shop(name="mall"))
    stranger = replace(operator(rig), zone="mall")
    edits = rig.authority.edits
    for zone in ("shop", "nowhere", "caracal"):
        with refused(Reason.ZONE_FORBIDDEN):
            await edits.create(stranger, zone, RESOURCE, TEA)
        with refused(Reason.ZONE_FORBIDDEN):
            await edits.update(stranger, zone, APPLICATION, "agent", "", labelled("x"))
        with refused(Reason.ZONE_FORBIDDEN):
            await edits.delete(stranger, zone, APPLICATION, "agent", "")


async def test_zone_of_the_authority_takes_the_scope_that_makes_operators(rig: Rig) -> None:
    """SCOPE_INSUFFICIENT: who may write applications there could else be any operator."""
    clerk = replace(operator(rig), scopes=frozenset({"caracal:applications:write"}))
    with refused(Reason.SCOPE_INSUFFICIENT) as seen:
        await rig.authority.edits.create(
            clerk, "caracal", APPLICATION, DeclaredApplication("helper")
        )
    assert seen.metadata["missing"] == "caracal:zones:write"
    await rig.authority.edits.create(clerk, "shop", APPLICATION, DeclaredApplication("helper"))


async def test_declared_again_an_edited_zone_is_as_it_was(rig: Rig) -> None:
    """An apply sees what edits did, and undoes it where it declares otherwise."""
    await rig.authority.edits.update(
        operator(rig), "shop", APPLICATION, "agent", "", labelled("other")
    )
    await rig.authority.edits.create(
        operator(rig), "shop", APPLICATION, DeclaredApplication("late", (), UNBOUNDED)
    )
    applied = await rig.apply(shop(), prune=False)
    assert [(each.action, each.name) for each in applied.changes] == [("update", "agent")]
    late = application(rig, "late")
    zone = shop()
    zone["applications"].append({"name": "late"})
    assert (await rig.apply(zone)).changes == ()
    assert application(rig, "late") == late
