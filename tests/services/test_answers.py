"""Each method, provoked: what it answers with is what its comment in the contract promises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration

from caracal_grpc.authority.authority import Authority
from caracal_grpc.authority.state.unfinished import Unfinished
from caracal_grpc.core.reason import Reason
from caracal_grpc.v1 import application_pb2, session_service_pb2, token_service_pb2
from tests.services.access_cases import GUARDED, LIST_ZONES, Target, call, filled, targets
from tests.support.authority import Running, bearer, eventually, reason_of
from tests.support.contract import METHODS, Answers, promised
from tests.support.refusals import refused
from tests.support.shop import CARACAL, ORDERS, PAYMENTS, STOCK, rego, shop

SERVICE = "/caracal.v1."
APPLY, ZONE = f"{SERVICE}ZoneService/Apply", f"{SERVICE}ZoneService/Get"
EXCHANGE = f"{SERVICE}TokenService/Exchange"
START, TERMINATE = f"{SERVICE}SessionService/Start", f"{SERVICE}SessionService/Terminate"
SUSPEND, RESUME = f"{SERVICE}SessionService/Suspend", f"{SERVICE}SessionService/Resume"
HEARTBEAT, TAKE_OVER = f"{SERVICE}SessionService/Heartbeat", f"{SERVICE}SessionService/TakeOver"
OWN = {START, HEARTBEAT, TAKE_OVER}
"""What only the application itself may ask."""
ROTATE, REVOKE = f"{SERVICE}KeyService/RotateKey", f"{SERVICE}RevocationService/Revoke"
WATCH = f"{SERVICE}RevocationService/Watch"
CONSUME = f"{SERVICE}TokenService/Consume"
MAKE, UNMAKE = f"{SERVICE}PolicyService/Create", f"{SERVICE}PolicyService/Delete"
ACTIVATE, ROLLBACK = f"{SERVICE}PolicyService/Activate", f"{SERVICE}PolicyService/Rollback"
POLICY = f"{SERVICE}PolicyService/Get"
FREEZE, UNFREEZE = f"{SERVICE}ZoneService/Freeze", f"{SERVICE}ZoneService/Unfreeze"
MAKE_ZONE = f"{SERVICE}ZoneService/Create"
NAMING = {APPLY, MAKE_ZONE, f"{SERVICE}ZoneService/Update"}
"""Those whose zone is a message that has its name."""
EDITED = (
    "Credential",
    "Application",
    "Issuer",
    "ProofSystem",
    "Resource",
    "Upstream",
    "WorkloadIssuer",
)
EDITS = [
    f"{SERVICE}{kind}Service/{method}"
    for kind in EDITED
    for method in ("Create", "Update", "Delete")
    if (kind, method) != ("Credential", "Update")
]
DEFAULTING = {
    f"{SERVICE}DiagnosticsService/Diagnose",
    f"{SERVICE}KeyService/ResealKeys",
}
"""Those to which no zone means every zone, or the caller's."""
APPROVE, REJECT = f"{SERVICE}ApprovalService/Approve", f"{SERVICE}ApprovalService/Reject"


def parts(authority: Running) -> Authority:
    """The authority behind the server."""
    found = authority.server._authority
    assert found is not None
    return found


async def good(authority: Running, path: str, target: Target) -> tuple[Any, Any]:
    """A request that the method would grant, and the metadata of who may ask it."""
    if path == EXCHANGE:
        return authority.request("agent", ORDERS), ()
    request = filled(path, target)
    if path == APPLY:
        request.zone.applications.add(name="newcomer")
    return request, await (authority.caller("agent") if path in OWN else authority.operator())


async def refusals(
    authority: Running, paths: list[str], break_it: Callable[[], Awaitable[Any] | None]
) -> dict[str, Reason | None]:
    """Why each method refuses a good request after something broke."""
    target = await targets(authority)
    asked = {path: await good(authority, path, target) for path in paths}
    broken = break_it()
    if broken is not None:
        await broken
    return {
        path: await reason_of(call(authority, path, request, metadata))
        for path, (request, metadata) in asked.items()
    }


@pytest.mark.parametrize("zone", ["", "../shop", "SHOP", "x" * 100])
async def test_bad_zone_is_a_bad_field_of_every_method(authority: Running, zone: str) -> None:
    """FIELD_INVALID."""
    target = await targets(authority)
    for path in METHODS.keys() - {LIST_ZONES}:
        request, metadata = await good(authority, path, target)
        asking = request if "zone" in request.DESCRIPTOR.fields_by_name else request.query
        asking.MergeFrom(type(asking)(zone={"name": zone} if path in NAMING else zone))
        if not zone:
            asking.ClearField("zone")
        refusal = await reason_of(call(authority, path, request, metadata))
        wanted = None if path in DEFAULTING and not zone else Reason.FIELD_INVALID
        assert refusal is wanted, path


async def test_unknown_zone_is_not_found_by_any_method(authority: Running) -> None:
    """OBJECT_NOT_FOUND, but for the exchange, which tells nobody, and those who make it."""
    known = await targets(authority)
    target = Target("nowhere", known.session, known.mandate, known.entry)
    for path in sorted(
        {*GUARDED, f"{SERVICE}KeyService/GetKeySet"} - {APPLY, MAKE_ZONE, LIST_ZONES}
    ):
        refusal = await reason_of(
            call(authority, path, filled(path, target), await authority.operator())
        )
        assert refusal is Reason.OBJECT_NOT_FOUND, path


async def test_draining_server_says_so_to_every_method(authority: Running) -> None:
    """DRAINING, whoever calls."""
    seen = await refusals(authority, list(METHODS), authority.server._drain.close)
    assert set(seen.values()) == {Reason.DRAINING}


async def test_stale_authority_changes_and_grants_nothing(authority: Running) -> None:
    """AUTHORITY_STALE, but a revocation goes through."""

    def age() -> None:
        parts(authority).state._max_staleness = -1.0

    policies = [MAKE, UNMAKE, ACTIVATE, ROLLBACK, FREEZE, UNFREEZE]
    paths = [APPLY, *OWN, ROTATE, EXCHANGE, CONSUME, APPROVE, REJECT, *policies, *EDITS]
    seen = await refusals(authority, paths, age)
    assert set(seen.values()) == {Reason.AUTHORITY_STALE}


async def test_without_its_store_nothing_is_changed(authority: Running) -> None:
    """STORE_UNAVAILABLE."""
    store = authority.server._store
    assert store is not None
    ending = [REVOKE, TERMINATE, SUSPEND, RESUME]
    policies = [MAKE, UNMAKE, ACTIVATE, FREEZE, UNFREEZE, POLICY, ZONE]
    changing = [APPLY, *OWN, ROTATE, *ending, CONSUME, APPROVE, REJECT, *policies, *EDITS]
    seen = await refusals(authority, changing, store.close)
    assert set(seen.values()) == {Reason.STORE_UNAVAILABLE}


async def test_without_a_ledger_only_revoking_goes_on(authority: Running) -> None:
    """AUDIT_UNAVAILABLE; what was revoked or ended is so, with no entry to name."""
    audit: Any = parts(authority).proving.audit
    target, metadata = await targets(authority), await authority.operator()
    recorded = [ROTATE, START, TAKE_OVER, RESUME, EXCHANGE, CONSUME, APPROVE, REJECT, APPLY]
    recorded += [MAKE, UNMAKE, ACTIVATE, ROLLBACK, FREEZE, UNFREEZE]
    recorded = [*EDITS, *recorded]  # an apply that broke off is in their way
    seen = await refusals(authority, recorded, audit._ledger._writer.close)
    assert set(seen.values()) == {Reason.AUDIT_UNAVAILABLE}
    for path in (REVOKE, TERMINATE):
        answer = await call(authority, path, filled(path, target), metadata)
        assert answer.audit_id == ""
        assert answer.revision > 0


async def test_zone_that_is_being_changed_grants_nothing(authority: Running) -> None:
    """STORE_UNAVAILABLE while only some writes of an apply are made."""

    async def begin() -> None:
        store, state = authority.server._store, parts(authority).state
        assert store is not None
        mark = Unfinished("req_01h455vb4pex5vsknk084sn02q").put("shop", changing=True)
        await state.reached(await store.commit([mark]))

    seen = await refusals(authority, [EXCHANGE], begin)
    assert set(seen.values()) == {Reason.STORE_UNAVAILABLE}


async def test_no_application_takes_all_the_room(authority: Running) -> None:
    """LIMIT_EXCEEDED for watches and for request ids."""
    feed, replay = parts(authority).feed, parts(authority).exchange._replay
    feed._capacity.share = replay._capacity.share = 0
    request, metadata = await good(authority, WATCH, Target("shop", "", "", ""))
    assert await reason_of(call(authority, WATCH, request, metadata)) is Reason.LIMIT_EXCEEDED
    again = authority.exchange("agent", ORDERS, request_id="r1")
    assert await reason_of(again) is Reason.LIMIT_EXCEEDED


async def test_apply_on_what_has_changed_is_refused(authority: Running) -> None:
    """CONFLICT: the declaration was made for an older state."""
    seen = (await authority.apply(shop(), dry_run=True)).revision
    await authority.apply(shop(settings={"max_hops": 3}), expected_revision=seen)
    late = authority.apply(shop(), expected_revision=seen)
    assert await reason_of(late) is Reason.CONFLICT


async def test_second_rotation_waits_for_the_first(authority: Running) -> None:
    """KEY_STATE_CONFLICT."""
    request, metadata = await good(authority, ROTATE, await targets(authority))
    assert await reason_of(call(authority, ROTATE, request, metadata)) is None
    assert await reason_of(call(authority, ROTATE, request, metadata)) is Reason.KEY_STATE_CONFLICT


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"labels": ["not mine"]}, Reason.CEILING_EXCEEDED),
        ({"parent_id": "ses_01h455vb4pex5vsknk084sn02q"}, Reason.SESSION_NOT_ACTIVE),
        ({"ttl": Duration(seconds=-1)}, Reason.FIELD_INVALID),
        ({"ceiling": [application_pb2.Ceiling(resource="orders")]}, Reason.FIELD_INVALID),
    ],
    ids=str,
)
async def test_session_that_is_not_started(
    authority: Running, answers: Answers, fields: dict[str, Any], reason: Reason
) -> None:
    """What it names is what its comment names."""
    request = session_service_pb2.SessionServiceStartRequest(zone="shop", **fields)
    metadata = await authority.caller("agent")
    assert await reason_of(call(authority, START, request, metadata)) is reason
    await noted(answers, START, reason.value)


async def too_deep(authority: Running) -> Any:
    """A start below the deepest session that there may be."""
    metadata, parent = await authority.caller("agent"), ""
    while True:
        request = session_service_pb2.SessionServiceStartRequest(zone="shop", parent_id=parent)
        parent = (await authority.stubs.sessions.Start(request, metadata=metadata)).session.id


async def test_sessions_have_a_bottom(authority: Running) -> None:
    """LIMIT_EXCEEDED."""
    assert await reason_of(too_deep(authority)) is Reason.LIMIT_EXCEEDED


UNKNOWN = "ses_01h455vb4pex5vsknk084sn02q"
Asked = tuple[str, str, tuple[str, ...], dict[str, Any]]
REFUSED: dict[Reason, Asked] = {
    Reason.SUBJECT_TOKEN_INVALID: ("orders", PAYMENTS, (), {"subject_token": "x.y.z"}),
    Reason.ACTOR_FORBIDDEN: ("orders", CARACAL, (), {"subject_token": "x.y.z"}),
    Reason.POLICY_DENIED: ("agent", PAYMENTS, ("payments:charge",), {}),
    Reason.STEP_UP_REQUIRED: ("agent", PAYMENTS, ("payments:refund",), {}),
    Reason.SCOPE_INSUFFICIENT: ("agent", ORDERS, ("orders:eat",), {}),
    Reason.CEILING_EXCEEDED: ("bounded", ORDERS, ("orders:cancel",), {}),
    Reason.SESSION_NOT_ACTIVE: ("agent", ORDERS, (), {"session_id": UNKNOWN}),
    Reason.OBJECT_NOT_FOUND: ("agent", "resource://nothing", (), {}),
    Reason.CONFLICT: ("agent", ORDERS, (), {"request_id": "used"}),
    Reason.CLIENT_AUTH_FAILED: ("agent", ORDERS, (), {"zone": "caracal"}),
    Reason.FIELD_INVALID: ("agent", ORDERS, (), {"request_id": "é"}),
}


@pytest.mark.parametrize("reason", REFUSED)
async def test_exchange_that_is_refused(
    authority: Running, answers: Answers, reason: Reason
) -> None:
    """Each reason that is the caller's own doing; recorded, but for a malformed request."""
    name, resource, scopes, more = REFUSED[reason]
    await authority.exchange("agent", STOCK, request_id="used")
    request = authority.request(name, resource, *scopes)
    request.MergeFrom(token_service_pb2.ExchangeRequest(**more))
    with refused(reason) as seen:
        await authority.stubs.tokens.Exchange(request)
    assert ("audit_id" in seen.metadata) is (reason is not Reason.FIELD_INVALID)
    await noted(answers, EXCHANGE, reason.value)
    assert reason.value in promised(EXCHANGE)


async def test_refusal_in_a_zone_that_is_not_has_no_entry(authority: Running) -> None:
    """CLIENT_AUTH_FAILED: there is no ledger to record it in."""
    request = authority.request("agent", ORDERS)
    request.zone = "nowhere"
    with refused(Reason.CLIENT_AUTH_FAILED) as seen:
        await authority.stubs.tokens.Exchange(request)
    assert seen.metadata == {}


async def test_exchange_over_a_bound_of_the_zone(authority: Running) -> None:
    """HOPS_EXCEEDED, and POLICY_FAILED for an answer that is none."""
    await authority.apply(shop(settings={"max_hops": 1}))
    token = (await authority.exchange("agent", ORDERS)).mandate
    token = (await authority.exchange("orders", PAYMENTS, subject_token=token)).mandate
    third = authority.exchange("payments", STOCK, subject_token=token)
    assert await reason_of(third) is Reason.HOPS_EXCEEDED
    await authority.apply(shop(policy=rego('{"decision": "perhaps"}')))
    assert await reason_of(authority.exchange("agent", ORDERS)) is Reason.POLICY_FAILED


async def test_failed_authentications_are_limited(authority: Running) -> None:
    """RATE_LIMITED."""
    wrong = token_service_pb2.ExchangeRequest()
    wrong.CopyFrom(authority.request("agent", ORDERS))
    wrong.client.client_secret = "wrong"
    calls = (reason_of(authority.stubs.tokens.Exchange(wrong)) for _ in range(400))
    seen = set(await asyncio.gather(*calls))
    assert seen == {Reason.CLIENT_AUTH_FAILED, Reason.RATE_LIMITED}


async def test_watch_ends_with_its_mandate(authority: Running, answers: Answers) -> None:
    """MANDATE_REVOKED from the guard, on a stream that is open."""
    token = await authority.exchange("agent", CARACAL)
    request = filled(WATCH, Target("shop", "", "", ""))
    feed = authority.stubs.revocations.Watch(request, metadata=bearer(token.mandate))
    await feed.read()
    await authority.revoke(token.jti)

    async def rest() -> None:
        while await feed.read() is not grpc.aio.EOF:
            pass

    assert await reason_of(rest()) is Reason.MANDATE_REVOKED
    await noted(answers, WATCH, "MANDATE_REVOKED")


async def noted(answers: Answers, path: str, reason: str) -> None:
    """Waits for the note of an answer, which is taken just after it has gone to the caller."""

    async def is_noted() -> bool:
        return (path, reason) in answers

    await eventually(is_noted)
