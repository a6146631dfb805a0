"""Who may call what: every method of the authority, tried by everybody who must not."""

from __future__ import annotations

import pytest

from caracal_grpc.core.limits import AUTHORITY_SCOPES
from caracal_grpc.core.reason import Reason
from tests.services.access_cases import (
    ACKNOWLEDGE,
    DELEGATE,
    GUARDED,
    HEARTBEAT,
    LIST_ZONES,
    PUBLIC,
    RELEASE,
    TAKE_OVER,
    Target,
    call,
    filled,
    targets,
)
from tests.support.authority import Running, bearer, reason_of
from tests.support.contract import METHODS
from tests.support.shop import CARACAL, ORDERS, shop


def test_only_two_methods_are_public() -> None:
    """Everything else asks for a mandate."""
    assert PUBLIC == ["/caracal.v1.KeyService/GetKeySet", "/caracal.v1.TokenService/Exchange"]


async def test_nobody_calls_without_a_mandate(authority: Running) -> None:
    """MANDATE_MISSING on every method that is not public."""
    target = await targets(authority)
    for path in GUARDED:
        assert await reason_of(call(authority, path, filled(path, target))) is (
            Reason.MANDATE_MISSING
        ), path


async def test_mandate_for_a_resource_opens_nothing_here(authority: Running) -> None:
    """USE_MISMATCH: what services accept, the authority does not."""
    target = await targets(authority)
    token = bearer((await authority.exchange("agent", ORDERS)).mandate)
    for path in GUARDED:
        refusal = await reason_of(call(authority, path, filled(path, target), token))
        assert refusal is Reason.USE_MISMATCH, path


async def test_application_has_its_own_sessions_and_the_feed_only(authority: Running) -> None:
    """Without a grant on the authority all else is SCOPE_INSUFFICIENT."""
    target, token = await targets(authority), await authority.caller("agent")
    open_to_all = {
        "/caracal.v1.ApprovalService/Get",
        "/caracal.v1.ApprovalService/List",
        "/caracal.v1.ApprovalService/Wait",
        "/caracal.v1.AuditService/Record",
        *(path for path in METHODS if "/caracal.v1.DelegationService/" in path),
        "/caracal.v1.RevocationService/Watch",
        *(path for path in METHODS if "/caracal.v1.SessionService/" in path),
        "/caracal.v1.TokenService/Consume",
    }
    wanted: dict[str, Reason | None] = dict.fromkeys(open_to_all)
    wanted |= {ACKNOWLEDGE: Reason.OBJECT_NOT_FOUND, RELEASE: Reason.FIELD_INVALID}
    wanted[TAKE_OVER] = Reason.SESSION_NOT_ACTIVE  # it has just been suspended
    for path in sorted(GUARDED):
        refusal = await reason_of(call(authority, path, filled(path, target), token))
        assert refusal is wanted.get(path, Reason.SCOPE_INSUFFICIENT), path


async def mall_admin(authority: Running) -> tuple[tuple[str, str], ...]:
    """The metadata of an application that has every scope there is, in another zone."""
    zone = shop(name="mall")
    zone["policy"]["grants"].append(
        {"application": "agent", "resource": CARACAL, "scopes": list(AUTHORITY_SCOPES)}
    )
    await authority.apply(zone)
    return await authority.caller("agent", "mall")


async def test_no_zone_touches_another(authority: Running) -> None:
    """ZONE_FORBIDDEN on every method, whatever scopes the caller has at home."""
    target, token = await targets(authority), await mall_admin(authority)
    for path in sorted(set(GUARDED) - {LIST_ZONES}):
        refusal = await reason_of(call(authority, path, filled(path, target), token))
        assert refusal is Reason.ZONE_FORBIDDEN, path


async def test_unknown_zone_reads_as_forbidden(authority: Running) -> None:
    """Whether another zone exists is nobody's business."""
    token = await mall_admin(authority)
    target = Target("nowhere", (await targets(authority)).session, "mnd_x", "aud_x")
    for path in sorted(set(GUARDED) - {LIST_ZONES}):
        if "Explain" in path or "Revoke" in path:
            continue  # their ids are read first, and belong to no zone
        refusal = await reason_of(call(authority, path, filled(path, target), token))
        assert refusal is Reason.ZONE_FORBIDDEN, path


async def test_zone_does_not_declare_itself(authority: Running) -> None:
    """Only operators of the zone caracal declare zones, their own among them."""
    token = await mall_admin(authority)
    path = "/caracal.v1.ZoneService/Apply"
    target = Target("mall", "", "", "")
    assert await reason_of(call(authority, path, filled(path, target), token)) is (
        Reason.ZONE_FORBIDDEN
    )


OWN_AFFAIRS = {
    ACKNOWLEDGE: Reason.OBJECT_NOT_FOUND,
    "/caracal.v1.AuditService/AddCosignature": Reason.FIELD_INVALID,  # it cosigned nothing
    "/caracal.v1.AuditService/Record": Reason.ZONE_FORBIDDEN,
    DELEGATE: Reason.OBJECT_NOT_FOUND,
    RELEASE: Reason.FIELD_INVALID,
    "/caracal.v1.KeyService/RetireKey": Reason.OBJECT_NOT_FOUND,
    "/caracal.v1.KeyService/CompromiseKey": Reason.OBJECT_NOT_FOUND,
    "/caracal.v1.RetentionService/DeleteLegalHold": Reason.OBJECT_NOT_FOUND,
    "/caracal.v1.SessionService/Start": Reason.OBJECT_NOT_FOUND,
    HEARTBEAT: Reason.OBJECT_NOT_FOUND,
    TAKE_OVER: Reason.OBJECT_NOT_FOUND,
    "/caracal.v1.UpstreamService/Release": Reason.ZONE_FORBIDDEN,
    "/caracal.v1.ZoneService/Create": Reason.OBJECT_EXISTS,
    "/caracal.v1.ZoneService/Delete": Reason.FIELD_INVALID,
}
"""What an operator is told who does these in the place of an application, or to a zone in use."""


async def test_operator_may_do_everything_but_start_sessions_of_others(
    authority: Running,
) -> None:
    """In every zone; a session is its own application's affair, and so is what its edges say."""
    target, token = await targets(authority), await authority.operator()
    turn = {
        "/caracal.v1.TokenService/Consume": -1,  # before its mandate is revoked
        "/caracal.v1.CredentialService/Delete": 1,
        "/caracal.v1.IssuerService/Delete": 1,
        "/caracal.v1.ProofSystemService/Delete": 1,
        "/caracal.v1.ResourceService/Delete": 1,
        "/caracal.v1.UpstreamService/Delete": 1,
        "/caracal.v1.WorkloadIssuerService/Delete": 1,
        "/caracal.v1.ZoneService/Apply": 1,
        "/caracal.v1.ApplicationService/Delete": 2,
        "/caracal.v1.SessionService/Terminate": 2,
    }
    for path in sorted(GUARDED, key=lambda path: (turn.get(path, 0), path)):
        refusal = await reason_of(call(authority, path, filled(path, target), token))
        wanted = OWN_AFFAIRS.get(path)
        if path.endswith("/Terminate"):
            continue  # the apply of an empty zone has ended it already
        assert refusal is wanted, path


@pytest.mark.parametrize(
    "method", ["Get", "Terminate", "Heartbeat", "TakeOver", "Suspend", "Resume"]
)
async def test_sessions_of_others_are_unseen(authority: Running, method: str) -> None:
    """OBJECT_NOT_FOUND, the same as for one that does not exist."""
    target, token = await targets(authority), await authority.caller("orders")
    path = f"/caracal.v1.SessionService/{method}"
    unknown = Target("shop", "ses_01h455vb4pex5vsknk084sn02q", "", "")
    for each in (target, unknown):
        refusal = await reason_of(call(authority, path, filled(path, each), token))
        assert refusal is Reason.OBJECT_NOT_FOUND


async def test_list_shows_ones_own_sessions(authority: Running) -> None:
    """An application sees its own; an operator sees all."""
    await targets(authority)
    path = "/caracal.v1.SessionService/List"
    request = filled(path, Target("shop", "", "", ""))
    mine = await call(authority, path, request, await authority.caller("orders"))
    every = await call(authority, path, request, await authority.operator())
    assert {session.application_name for session in mine.sessions} == {"orders"}
    assert {session.application_name for session in every.sessions} >= {"agent", "orders"}
    request.application_id = authority.credentials["shop", "agent"].application_id
    theirs = await call(authority, path, request, await authority.caller("orders"))
    assert not theirs.sessions


async def test_mandate_of_a_dead_session_calls_nothing(authority: Running) -> None:
    """MANDATE_REVOKED at the authority's own guard, as at every other."""
    target, token = await targets(authority), await authority.caller("agent")
    found = authority.server._authority
    assert found is not None
    application = authority.credentials["shop", "agent"].application_id
    await authority.revoke(application)
    path = "/caracal.v1.SessionService/List"
    refusal = await reason_of(call(authority, path, filled(path, target), token))
    assert refusal is Reason.MANDATE_REVOKED
