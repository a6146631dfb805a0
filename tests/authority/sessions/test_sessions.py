"""Starting sessions: only below what is one's own, and never wider than that."""

from __future__ import annotations

import pytest

from caracal_grpc.authority.sessions.start import SessionStart
from caracal_grpc.core.ceiling import Ceiling
from caracal_grpc.core.limits import MAX_SESSION_DEPTH
from caracal_grpc.core.reason import Reason
from tests.authority.sessions.desk import ANNA, KnownUsers, end, knows_users, start, state_of
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import CARACAL, ORDERS

BAD: dict[str, tuple[dict[str, list[str]], str]] = {
    "no scopes": ({ORDERS: []}, "ceiling.scopes"),
    "a resource that is not declared": ({"resource://no": ["a:b"]}, "ceiling.resource"),
    "a scope that is not declared": ({ORDERS: ["orders:place", "a:b"]}, "ceiling.scopes"),
    "a scope of another resource": ({ORDERS: ["stock:read"]}, "ceiling.scopes"),
    "a long scope of two lines": ({ORDERS: ["x\n" + "y" * 50_000]}, "ceiling.scopes"),
}


@pytest.mark.parametrize("case", BAD)
async def test_ceiling_of_what_the_zone_does_not_have(rig: Rig, case: str) -> None:
    """FIELD_INVALID by the rule of a declared ceiling, and nothing is written."""
    limits, field = BAD[case]
    caller = await rig.caller("agent")
    ceiling = Ceiling({name: frozenset(scopes) for name, scopes in limits.items()})
    before = rig.state.sessions("shop")
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.authority.sessions.start(caller, SessionStart("shop", ceiling=ceiling))
    assert seen.fields[0] == field
    assert len(str(seen.error)) < 300
    assert "\n" not in str(seen.error)
    assert rig.state.sessions("shop") == before


async def test_ceiling_may_name_the_authority(rig: Rig) -> None:
    """It is a resource of every zone."""
    caller = await rig.caller("agent")
    ceiling = Ceiling({CARACAL: frozenset({"caracal:sessions:read"})})
    started = await rig.authority.sessions.start(caller, SessionStart("shop", ceiling=ceiling))
    assert started.session.ceiling == ceiling


async def test_child_is_never_more_than_its_parent(rig: Rig) -> None:
    """A wider ceiling and a label of one's own are refused, a longer life is cut."""
    narrow = Ceiling({ORDERS: frozenset({"orders:place"})})
    parent = await start(rig, labels=("night",), ceiling=narrow, life=60)
    wider = Ceiling({ORDERS: frozenset({"orders:place", "orders:cancel"})})
    for asked in ({"ceiling": wider}, {"labels": ("batch",)}):
        with refused(Reason.CEILING_EXCEEDED) as seen:
            await start(rig, parent=parent.id, **asked)
        assert seen.metadata["session"] == parent.id
    child = await start(rig, parent=parent.id, life=600)
    assert (child.ceiling, child.labels) == (narrow, ("night",))
    assert child.expires_at == parent.expires_at
    assert (child.root, child.parent) == (rig.standing("agent"), parent.id)


async def test_parent_of_another_is_unknown(rig: Rig) -> None:
    """Whatever it is, so that nobody learns of others' sessions."""
    theirs = await start(rig, "orders")
    await end(rig, theirs, "orders")
    for parent in (theirs.id, rig.standing("orders"), "ses_00000000000000000000000000"):
        with refused(Reason.SESSION_NOT_ACTIVE) as seen:
            await start(rig, parent=parent)
        assert seen.metadata["state"] == "unknown"


async def test_sessions_go_ten_levels_deep(rig: Rig) -> None:
    """LIMIT_EXCEEDED for one below, with the bound."""
    parent = rig.standing("agent")
    for _ in range(MAX_SESSION_DEPTH - 1):
        parent = (await start(rig, parent=parent)).id
    with refused(Reason.LIMIT_EXCEEDED) as seen:
        await start(rig, parent=parent)
    assert seen.metadata["limit"] == str(MAX_SESSION_DEPTH)


async def test_nothing_starts_below_what_has_ended(rig: Rig) -> None:
    """Nor below what is below that; and each says that it is over."""
    top = await start(rig)
    child = await start(rig, parent=top.id)
    await end(rig, top)
    for parent in (top, child):
        with refused(Reason.SESSION_NOT_ACTIVE) as seen:
            await start(rig, parent=parent.id)
        assert seen.metadata == {"session": top.id, "state": "terminated"}
        assert await state_of(rig, parent) == "terminated"


async def test_state_considers_all_above(rig: Rig) -> None:
    """Its own end comes first, then what lasts longest of those above."""
    service = await start(rig, kind="service", lease=60)
    task = await start(rig, parent=service.id, life=90)
    brief = await start(rig, parent=service.id, life=30)
    assert [await state_of(rig, each) for each in (service, task, brief)] == ["active"] * 3
    await rig.advance(61)
    states = [await state_of(rig, each) for each in (service, task, brief)]
    assert states == ["lapsed", "lapsed", "expired"]
    caller = await rig.caller("agent")
    await rig.authority.suspensions.suspend(caller, "shop", rig.standing("agent"), "")
    states = [await state_of(rig, each) for each in (service, task, brief)]
    assert states == ["suspended", "suspended", "expired"]
    await rig.authority.sessions.terminate(caller, "shop", service.id, "")
    states = [await state_of(rig, each) for each in (service, task, brief)]
    assert states == ["terminated", "terminated", "expired"]


async def test_user_speaks_through_the_application(rig: Rig) -> None:
    """Who the user is goes into the session, the ledger and every mandate, the token nowhere."""
    users = knows_users(rig)
    session = await start(rig, id_token="token-of-anna")
    assert (session.subject, session.subject_type, session.user) == (ANNA.id, "user", ANNA)
    assert (session.parent, session.root) == (rig.standing("agent"), rig.standing("agent"))
    entry = await rig.last()
    assert (entry.type, entry.details["for"]) == ("session.start", ANNA.id)
    assert entry.details["issuer"] == "https://login.example"
    assert "token-of-anna" not in repr((entry, session, SessionStart("shop", id_token="token-of")))
    child = await start(rig, parent=session.id)
    assert (child.subject, child.user) == (ANNA.id, ANNA)
    assert users.asked == 1


async def test_bad_id_token_starts_nothing(rig: Rig) -> None:
    """SUBJECT_TOKEN_INVALID; and who has no good parent is not even asked for the user."""
    users = knows_users(rig)
    caller = await rig.caller("agent")
    before = rig.state.sessions("shop")
    with refused(Reason.SUBJECT_TOKEN_INVALID):
        await start(rig, caller, id_token="stolen")
    assert rig.state.sessions("shop") == before
    with refused(Reason.SESSION_NOT_ACTIVE):
        await start(rig, caller, id_token="token-of-anna", parent=rig.standing("orders"))
    assert users.asked == 1


async def test_user_below_a_user_is_refused(rig: Rig) -> None:
    """FIELD_INVALID: an application speaks for one of them."""
    knows_users(rig)
    annas = await start(rig, id_token="token-of-anna")
    with refused(Reason.FIELD_INVALID) as seen:
        await start(rig, id_token="token-of-anna", parent=annas.id)
    assert seen.fields == ["parent_id"]


async def test_no_users_without_issuers(rig: Rig) -> None:
    """An ID token that nobody vouches for is refused."""
    with refused(Reason.SUBJECT_TOKEN_INVALID):
        await start(rig, id_token="token-of-anna")


KINDS = {
    "a lease of a task": ({"lease": 60}, "lease"),
    "a service for a user": ({"kind": "service", "id_token": "token-of-anna"}, "kind"),
}


@pytest.mark.parametrize("case", KINDS)
async def test_kind_that_cannot_be(rig: Rig, case: str) -> None:
    """FIELD_INVALID."""
    asked, field = KINDS[case]
    rig.authority.sessions._users = KnownUsers()
    with refused(Reason.FIELD_INVALID) as seen:
        await start(rig, **asked)
    assert seen.fields == [field]


async def test_service_below_a_task_or_a_user_is_refused(rig: Rig) -> None:
    """FIELD_INVALID; below the standing session and below a service it may be."""
    knows_users(rig)
    for parent in (await start(rig), await start(rig, id_token="token-of-anna")):
        with refused(Reason.FIELD_INVALID) as seen:
            await start(rig, kind="service", parent=parent.id)
        assert seen.fields == ["kind"]
    service = await start(rig, kind="service")
    below = await start(rig, kind="service", parent=service.id, life=600)
    assert (service.expires_at, below.expires_at) == (None, int(rig.clock.now()) + 600)
    assert (await start(rig, kind="service", parent=below.id)).expires_at == below.expires_at
