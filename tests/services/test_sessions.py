"""Sessions on the wire: services and their leases, suspension, and what of it is wrong to ask."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from caracal_grpc.core.reason import Reason
from caracal_grpc.v1 import mandate_pb2, session_pb2, session_service_pb2
from tests.support.authority import Running, reason_of
from tests.support.refusals import refused
from tests.support.shop import ORDERS

SERVICE = session_pb2.SESSION_KIND_SERVICE
NOBODY = "ses_00000000000000000000000000"


async def ask(authority: Running, method: str, **fields: Any) -> Any:
    """What `SessionService` answers the agent."""
    request = getattr(session_service_pb2, f"SessionService{method}Request")
    metadata = await authority.caller("agent")
    call = getattr(authority.stubs.sessions, method)
    return await call(request(zone="shop", **fields), metadata=metadata)


async def test_task_is_what_is_started_without_a_wish(authority: Running) -> None:
    """With every field of a task, and none of a service."""
    session = (await ask(authority, "Start")).session
    assert session.kind == session_pb2.SESSION_KIND_TASK
    assert session.subject_type == mandate_pb2.SUBJECT_TYPE_APPLICATION
    for field in ("lease", "user", "suspend_time"):
        assert not session.HasField(field)
    assert session.delegation_id == ""
    parent = (await ask(authority, "Get", id=session.parent_id)).session
    assert (parent.kind, parent.standing) == (session_pb2.SESSION_KIND_STANDING, True)


async def test_service_from_start_to_takeover(authority: Running) -> None:
    """Each answer tells the lease; the exchange takes its generation."""
    started = await ask(authority, "Start", kind=SERVICE, lease=Duration(seconds=30))
    session = started.session
    assert session.kind == SERVICE
    assert not session.HasField("expire_time")
    assert (session.lease.generation, session.lease.duration.seconds) == (1, 30)
    began = session.create_time.seconds
    assert session.lease.expire_time.seconds == began + 30
    beat = await ask(authority, "Heartbeat", id=session.id, generation=1)
    assert beat.lease.generation == 1
    assert beat.lease.expire_time.seconds >= began + 30
    await authority.exchange("agent", ORDERS, session_id=session.id, lease_generation=1)
    taken = await ask(authority, "TakeOver", id=session.id)
    assert taken.session.lease.generation == 2
    assert taken.revision > started.revision
    assert taken.audit_id.startswith("aud_")
    with refused(Reason.LEASE_FENCED) as seen:
        await ask(authority, "Heartbeat", id=session.id, generation=1)
    assert dict(seen.metadata) == {"session": session.id, "generation": "2"}
    for generation, reason in ((0, Reason.FIELD_INVALID), (1, Reason.LEASE_FENCED), (2, None)):
        asked = authority.exchange(
            "agent", ORDERS, session_id=session.id, lease_generation=generation
        )
        assert await reason_of(asked) is reason


async def test_suspended_until_it_is_resumed(authority: Running) -> None:
    """The session says since when, and each answer its revision and its entry."""
    session = (await ask(authority, "Start")).session
    stopped = await ask(authority, "Suspend", id=session.id, reason="looks odd")
    assert stopped.session.state == session_pb2.SESSION_STATE_SUSPENDED
    assert stopped.session.suspend_time.seconds >= session.create_time.seconds
    asked = authority.exchange("agent", ORDERS, session_id=session.id)
    assert await reason_of(asked) is Reason.SESSION_NOT_ACTIVE
    resumed = await ask(authority, "Resume", id=session.id, reason="it was nothing")
    assert resumed.session.state == session_pb2.SESSION_STATE_ACTIVE
    assert not resumed.session.HasField("suspend_time")
    assert resumed.revision > stopped.revision > 0
    assert stopped.audit_id.startswith("aud_") and resumed.audit_id.startswith("aud_")  # noqa: PT018
    await authority.exchange("agent", ORDERS, session_id=session.id)


async def test_an_admin_s_suspension_is_not_the_application_s_to_lift(authority: Running) -> None:
    """ACTOR_FORBIDDEN."""
    session = (await ask(authority, "Start")).session
    fields = {"zone": "shop", "id": session.id}
    metadata = await authority.operator()
    request = session_service_pb2.SessionServiceSuspendRequest(**fields)
    await authority.stubs.sessions.Suspend(request, metadata=metadata)
    assert await reason_of(ask(authority, "Resume", id=session.id)) is Reason.ACTOR_FORBIDDEN
    lift = session_service_pb2.SessionServiceResumeRequest(**fields)
    await authority.stubs.sessions.Resume(lift, metadata=metadata)
    await authority.exchange("agent", ORDERS, session_id=session.id)


BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "a standing session": ("Start", {"kind": session_pb2.SESSION_KIND_STANDING}, "kind"),
    "a kind that there is not": ("Start", {"kind": 77}, "kind"),
    "a short lease": ("Start", {"kind": SERVICE, "lease": Duration(seconds=9)}, "lease"),
    "a long lease": ("Start", {"kind": SERVICE, "lease": Duration(seconds=3601)}, "lease"),
    "a lease of a task": ("Start", {"lease": Duration(seconds=60)}, "lease"),
    "an endless ID token": ("Start", {"id_token": "x" * 16_385}, "id_token"),
    "a service for a user": ("Start", {"kind": SERVICE, "id_token": "x"}, "kind"),
    "a heartbeat of no generation": ("Heartbeat", {"id": NOBODY}, "generation"),
    "a heartbeat of a bad session": ("Heartbeat", {"id": "mine", "generation": 1}, "id"),
    "a takeover of a bad session": ("TakeOver", {"id": "mine"}, "id"),
    "a suspension of a bad session": ("Suspend", {"id": "mine"}, "id"),
    "a long reason to suspend": ("Suspend", {"id": NOBODY, "reason": "x" * 501}, "reason"),
    "a long reason to resume": ("Resume", {"id": NOBODY, "reason": "x" * 501}, "reason"),
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_request_names_the_field(authority: Running, case: str) -> None:
    """FIELD_INVALID."""
    method, fields, field = BAD[case]
    with refused(Reason.FIELD_INVALID) as seen:
        await ask(authority, method, **fields)
    assert seen.fields == [field]


async def test_bad_generation_of_an_exchange(authority: Running) -> None:
    """FIELD_INVALID for one below 0, and for one where there is no lease."""
    for generation in (-1, 1):
        with refused(Reason.FIELD_INVALID) as seen:
            await authority.exchange("agent", ORDERS, lease_generation=generation)
        assert seen.fields == ["lease_generation"]


@pytest.mark.parametrize("method", ["Heartbeat", "TakeOver", "Suspend", "Resume"])
async def test_session_that_is_not_there(authority: Running, method: str) -> None:
    """OBJECT_NOT_FOUND."""
    fields = {"generation": 1} if method == "Heartbeat" else {}
    assert await reason_of(ask(authority, method, id=NOBODY, **fields)) is Reason.OBJECT_NOT_FOUND
