"""Release: for which mandates a gateway is given the secret, what it is told, what is recorded."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from caracal_grpc.authority.exchange.case import Issued
from caracal_grpc.authority.upstreams.release import ReleaseRequest
from caracal_grpc.core.limits import LEEWAY, RELEASE_LIFE
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.upstream import CredentialKind
from caracal_grpc.crypto import mandates
from caracal_grpc.crypto.signing_key import SigningKey
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.ledger.port import Filter
from tests.authority.upstreams.desk import CRM, SECRET, TENANT, TENANTS, Desk, crm_shop
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import CARACAL, ORDERS

FORMS: list[tuple[CredentialKind, str, str, tuple[str, str]]] = [
    ("header", "x-api-key", "a b", ("x-api-key", "a b")),
    ("bearer", "", "abc==", ("authorization", "Bearer abc==")),
    # RFC 7617 section 2 and section 2.1
    (
        "basic",
        "Aladdin",
        "open sesame",
        ("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
    ),
    ("basic", "test", "123\u00a3", ("authorization", "Basic dGVzdDoxMjPCow==")),
    (
        "basic",
        "a",
        "b:c",
        ("authorization", f"Basic {base64.b64encode(b'a:b:c').decode()}"),
    ),
]


@pytest.mark.parametrize(("kind", "label", "secret", "header"), FORMS)
async def test_each_kind_is_the_header_of_its_standard(
    desk: Desk, kind: CredentialKind, label: str, secret: str, header: tuple[str, str]
) -> None:
    """One header, in place of all of that name."""
    await desk.make(kind=kind, label=label, secret=secret)
    released = await desk.release((await desk.shown()).token)
    assert (released.name, released.value) == header


async def test_life_is_a_minute_and_never_longer_than_the_mandate(desk: Desk) -> None:
    """A gateway that keeps it asks again in time."""
    await desk.make()
    issued = await desk.shown()
    now = desk.rig.clock.now()
    assert (await desk.release(issued.token)).expires_at == int(now) + RELEASE_LIFE
    await desk.rig.advance(issued.mandate.expires_at - now - 20)
    assert (await desk.release(issued.token)).expires_at == issued.mandate.expires_at


async def test_release_is_recorded_with_whom_it_is_for(any_desk: Desk) -> None:
    """The gateway asked; the lineage is that of the mandate; the answer names the entry."""
    await any_desk.make()
    rig = any_desk.rig
    inbound = await rig.exchange("agent", ORDERS)
    issued = await rig.exchange("orders", CRM, subject_token=inbound.token)
    released = await any_desk.release(issued.token)
    entry, mandate = await rig.last(), issued.mandate
    assert (entry.id, entry.type, entry.decision) == (released.audit_id, "upstream.release", "done")
    assert (entry.application, entry.jti) == (rig.application("gateway"), mandate.jti)
    assert (entry.subject, entry.subject_type) == (rig.application("agent"), "application")
    assert (entry.session, entry.root_session) == (mandate.session, mandate.root_session)
    assert (entry.actor_chain, entry.hops) == ((rig.application("orders"),), 1)
    assert (entry.resource, entry.expires_at) == (CRM, released.expires_at)
    assert entry.details == {
        "name": "crm",
        "holder": rig.application("orders"),
        "key": mandate.kid,
        "mandate_audit_id": mandate.audit_id,
        "hop_sessions": (mandate.session,),
    }


async def refused_and_recorded(desk: Desk, token: str, reason: Reason, **how: str) -> None:
    """That it is refused, in the answer and in the ledger alike."""
    with refused(reason) as refusal:
        await desk.release(token, **how)
    entry = await desk.rig.last()
    assert (entry.type, entry.decision, entry.reason) == ("upstream.release", "deny", reason.value)
    assert entry.application == desk.rig.application(how.get("by", "gateway"))
    assert refusal.metadata["audit_id"] == entry.id


async def test_mandate_for_another_resource_is_of_no_use(desk: Desk) -> None:
    """AUDIENCE_MISMATCH; also one of a family for what is not one."""
    await desk.make()
    for resource in (ORDERS, TENANT):
        token = (await desk.shown(resource)).token
        await refused_and_recorded(desk, token, Reason.AUDIENCE_MISMATCH)


async def test_family_serves_each_of_its_members_alone(desk: Desk) -> None:
    """And a credential for one member serves no other."""
    await desk.make(name="all", resource=TENANTS)
    await desk.make(name="one", resource=TENANT)
    other = (await desk.shown("resource://tenants/t-18")).token
    assert (await desk.release((await desk.shown(TENANT)).token, "all")).value
    assert (await desk.release((await desk.shown(TENANT)).token, "one")).value
    assert (await desk.release(other, "all")).value
    await refused_and_recorded(desk, other, Reason.AUDIENCE_MISMATCH, upstream="one")
    crm = (await desk.shown()).token
    await refused_and_recorded(desk, crm, Reason.AUDIENCE_MISMATCH, upstream="all")


async def test_mandate_for_the_authority_is_none_for_an_upstream(desk: Desk) -> None:
    """USE_MISMATCH."""
    await desk.make()
    own = await desk.rig.exchange("agent", CARACAL)
    await refused_and_recorded(desk, own.token, Reason.USE_MISMATCH)


async def test_unknown_upstream_is_not_found(desk: Desk) -> None:
    """Whatever the mandate."""
    token = (await desk.shown()).token
    await refused_and_recorded(desk, token, Reason.OBJECT_NOT_FOUND, upstream="nothing")


@pytest.mark.parametrize("what", ["mandate", "application", "session", "key", "zone"])
async def test_what_is_revoked_is_released_no_more(any_desk: Desk, what: str) -> None:
    """The next release is refused, by whichever anchor."""
    await any_desk.make()
    issued = await any_desk.shown()
    await any_desk.release(issued.token)
    await stop(any_desk, what, issued)
    dead = Reason.KEY_UNKNOWN if what == "key" else Reason.MANDATE_REVOKED
    await refused_and_recorded(any_desk, issued.token, dead)


async def stop(desk: Desk, what: str, issued: Issued) -> None:
    """Ends the mandate by one of the things that it stands on."""
    mandate, revocations = issued.mandate, desk.authority.revocations
    if what == "key":
        await revocations.compromises.compromise(desk.operator, "shop", mandate.kid, "a leak")
        return
    if what == "zone":
        await desk.rig.advance(1)
        await revocations.revoke_issued_before(desk.operator, "shop", desk.rig.clock.now(), "")
        await desk.rig.advance(2)
        return
    anchor = {
        "mandate": mandate.jti,
        "application": mandate.application,
        "session": mandate.session,
    }[what]
    await revocations.revoke(desk.operator, "shop", anchor, "over")


async def test_mandate_that_has_ended_is_released_for_no_more(desk: Desk) -> None:
    """Not by a moment: what is released must end with it."""
    await desk.make()
    issued = await desk.shown()
    await desk.rig.advance(issued.mandate.expires_at - desk.rig.clock.now())
    await refused_and_recorded(desk, issued.token, Reason.MANDATE_EXPIRED)
    await desk.rig.advance(LEEWAY)
    await refused_and_recorded(desk, issued.token, Reason.MANDATE_EXPIRED)


async def test_whose_certificate_a_mandate_is_bound_to_is_for_the_gateway_to_see(
    desk: Desk,
) -> None:
    """The holder has shown it there, and nowhere else."""
    await desk.make()
    bound = await desk.rig.exchange("agent", CRM, binding="A" * 43)
    assert bound.mandate.binding
    assert (await desk.release(bound.token)).value == f"Bearer {SECRET}"


async def test_forged_mandate_is_refused(desk: Desk) -> None:
    """By a key of nobody, or in no form."""
    await desk.make()
    issued = await desk.shown()
    stranger = SigningKey.generate(SystemIds().new("key"))
    forged = mandates.mint(stranger, replace(issued.mandate, kid=stranger.kid))
    await refused_and_recorded(desk, forged, Reason.KEY_UNKNOWN)
    same = SigningKey.generate(issued.mandate.kid)
    forged = mandates.mint(same, issued.mandate)
    await refused_and_recorded(desk, forged, Reason.MANDATE_SIGNATURE_INVALID)
    await refused_and_recorded(desk, "a.b.c", Reason.MANDATE_MALFORMED)
    await refused_and_recorded(desk, "", Reason.MANDATE_MALFORMED)


async def test_mandate_of_another_zone_is_refused(desk: Desk) -> None:
    """And of its lineage nothing is told to the ledger of this one."""
    await desk.make()
    await desk.rig.apply(crm_shop(name="mall"))
    theirs = await desk.rig.exchange("agent", CRM, zone="mall")
    await refused_and_recorded(desk, theirs.token, Reason.ZONE_MISMATCH)
    entry = await desk.rig.last()
    assert (entry.jti, entry.details) == ("", {"name": "crm"})
    assert entry.subject == desk.rig.application("gateway")


async def test_gateway_acts_in_its_own_zone_alone(desk: Desk) -> None:
    """ZONE_FORBIDDEN, for an operator, too: no secret leaves a zone."""
    await desk.make()
    token = (await desk.shown()).token
    await desk.rig.apply(crm_shop(name="mall"))
    with refused(Reason.ZONE_FORBIDDEN):
        await desk.release(token, zone="mall")
    with refused(Reason.ZONE_FORBIDDEN):
        await desk.authority.upstreams.releasing.release(
            desk.operator, ReleaseRequest("shop", "crm", token)
        )


async def test_frozen_zone_releases_nothing(desk: Desk) -> None:
    """ZONE_FROZEN, also for mandates from before."""
    await desk.make()
    token = (await desk.shown()).token
    await desk.authority.freezing.freeze(desk.operator, "shop", "a test")
    await refused_and_recorded(desk, token, Reason.ZONE_FROZEN)


async def test_too_many_releases_are_held_off(desk: Desk) -> None:
    """RATE_LIMITED by the settings of the zone, with when to come back; others go on."""
    zone = crm_shop(settings={"limits": {"application_per_second": 1, "application_burst": 2}})
    await desk.make()
    token = (await desk.shown()).token
    callers = [await desk.rig.caller(name) for name in ("gateway", "payments")]
    await desk.rig.apply(zone)
    request = ReleaseRequest("shop", "crm", token)
    release = desk.authority.upstreams.releasing.release
    for _ in range(2):
        await release(callers[0], request)
    for _ in range(3):
        with refused(Reason.RATE_LIMITED) as refusal:
            await release(callers[0], request)
        assert refusal.error.retry_after
    await release(callers[1], request)
    denied = [
        each
        for each in await desk.rig.entries(query=Filter(type="upstream.release"))
        if each.decision == "deny"
    ]
    assert [each.reason for each in denied] == ["RATE_LIMITED"]


async def test_nothing_leaves_without_its_record(desk: Desk) -> None:
    """AUDIT_UNAVAILABLE while the ledger is away."""
    await desk.make()
    token, caller = (await desk.shown()).token, await desk.rig.caller("gateway")
    await desk.rig.ledger.close()
    with refused(Reason.AUDIT_UNAVAILABLE):
        await desk.authority.upstreams.releasing.release(
            caller, ReleaseRequest("shop", "crm", token)
        )


async def test_stale_view_releases_nothing(desk: Desk) -> None:
    """AUTHORITY_STALE: what was revoked meanwhile is not known."""
    await desk.make()
    token, caller = (await desk.shown()).token, await desk.rig.caller("gateway")
    desk.rig.clock.advance(60)
    with refused(Reason.AUTHORITY_STALE):
        await desk.authority.upstreams.releasing.release(
            caller, ReleaseRequest("shop", "crm", token)
        )


async def test_other_replica_releases_what_this_one_keeps(two: tuple[Rig, Rig]) -> None:
    """A change at one is what the other releases, and a revocation at one stops it there."""
    first, second = two
    await first.apply(crm_shop())
    second.credentials = first.credentials
    here, there = Desk(first), Desk(second)
    made = await here.make()
    await second.state.reached(made.edited.revision)
    issued = await here.shown()
    assert (await there.release(issued.token)).value == f"Bearer {SECRET}"
    changed = await here.change(secret="another-one")
    await second.state.reached(changed.edited.revision)
    assert (await there.release(issued.token)).value == "Bearer another-one"
    done = await first.authority.revocations.revoke(
        here.operator, "shop", issued.mandate.jti, "over"
    )
    await second.state.reached(done.revision)
    with refused(Reason.MANDATE_REVOKED):
        await there.release(issued.token)
