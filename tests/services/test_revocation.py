"""RevocationService.Revoke on the wire: what may be aimed at, and what is answered."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from caracal_grpc.core.reason import Reason
from caracal_grpc.v1 import (
    audit_service_pb2,
    key_service_pb2,
    revocation_pb2,
    revocation_service_pb2,
    session_pb2,
    session_service_pb2,
)
from tests.support.authority import Running, bearer, reason_of
from tests.support.refusals import refused
from tests.support.shop import CARACAL, ORDERS

UNKNOWN = "ses_01h455vb4pex5vsknk084sn02q"
Answer = revocation_service_pb2.RevocationServiceRevokeResponse
Filter = revocation_pb2.SessionFilter


async def revoke(authority: Running, **fields: Any) -> Answer:
    """What the operator is answered; `fields` are those of the request."""
    request = revocation_service_pb2.RevocationServiceRevokeRequest(
        **({"zone": "shop", "reason": "a test"} | fields)
    )
    metadata = await authority.operator()
    answer: Answer = await authority.stubs.revocations.Revoke(request, metadata=metadata)
    return answer


async def start(authority: Running, parent: str = "", *labels: str) -> str:
    """A session of the agent."""
    request = session_service_pb2.SessionServiceStartRequest(
        zone="shop", parent_id=parent, labels=labels, ttl=Duration(seconds=600)
    )
    metadata = await authority.caller("agent")
    return str((await authority.stubs.sessions.Start(request, metadata=metadata)).session.id)


def now() -> Timestamp:
    """The moment."""
    moment = Timestamp()
    moment.GetCurrentTime()
    return moment


async def revocations(authority: Running) -> list[Any]:
    """The entries of revocations in the shop's ledger."""
    search = audit_service_pb2.SearchRequest(zone="shop", type="revocation")
    found = await authority.stubs.audit.Search(search, metadata=await authority.operator())
    return list(found.entries)


async def test_what_falls_is_told_with_a_dry_run_and_without(authority: Running) -> None:
    """All that is known of each; only the real run writes and records."""
    top = await start(authority)
    child = await start(authority, top)
    told = await revoke(authority, anchor=top, dry_run=True)
    assert (told.revision, told.audit_id, told.fallen_count) == (0, "", 2)
    first, second = told.fallen
    agent = authority.credentials["shop", "agent"].application_id
    assert (first.session_id, first.application_id, first.application_name, first.depth) == (
        top,
        agent,
        "agent",
        0,
    )
    assert (second.session_id, second.parent_id, second.depth) == (child, top, 1)
    assert {each.state for each in told.fallen} == {session_pb2.SESSION_STATE_ACTIVE}
    assert await revocations(authority) == []
    done = await revoke(authority, anchor=top)
    assert (list(done.fallen), done.fallen_count) == (list(told.fallen), 2)
    assert [each.id for each in await revocations(authority)] == [done.audit_id]
    exchange = authority.exchange("agent", ORDERS, session_id=child)
    assert await reason_of(exchange) is Reason.SESSION_NOT_ACTIVE


async def test_every_part_of_a_filter_is_understood(authority: Running) -> None:
    """All of them at once."""
    top = await start(authority)
    night, batch = await start(authority, top, "night"), await start(authority, top, "batch")
    agent = authority.credentials["shop", "agent"].application_id
    wanted = Filter(
        application_id=agent, subject=agent, label="night", below=top, created_before=now()
    )
    wanted.created_before.seconds += 1
    done = await revoke(authority, filter=wanted)
    # The one on top has both labels.
    assert [each.session_id for each in done.fallen] == [top, night, batch]
    assert done.revision > 0
    assert (await revoke(authority, filter=wanted)).fallen_count == 0


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"anchor": UNKNOWN, "filter": Filter(label="night")},
        {"filter": Filter(label="night"), "issued_before": Timestamp(seconds=1)},
        {"anchor": "everything"},
        {"filter": Filter()},
        {"filter": Filter(label="x" * 65)},
        {"filter": Filter(application_id="agent")},
        {"filter": Filter(subject="ses_01h455vb4pex5vsknk084sn02q")},
        {"filter": Filter(below="app_01h455vb4pex5vsknk084sn02q")},
        {"filter": Filter(created_before=Timestamp())},
        {"issued_before": Timestamp()},
        {"issued_before": Timestamp(seconds=-1)},
        {"issued_before": Timestamp(seconds=253402300799)},
        {"anchor": UNKNOWN, "reason": "x" * 501},
        {"anchor": UNKNOWN, "zone": "No"},
    ],
    ids=lambda fields: " ".join(fields) or "nothing",
)
async def test_what_it_cannot_be_aimed_at(authority: Running, fields: dict[str, Any]) -> None:
    """FIELD_INVALID, with a dry run as without."""
    for dry_run in (True, False):
        with refused(Reason.FIELD_INVALID) as seen:
            await revoke(authority, **fields, dry_run=dry_run)
        assert seen.fields


@pytest.mark.parametrize("fields", [{"anchor": UNKNOWN}, {"filter": Filter(below=UNKNOWN)}])
async def test_what_is_not_there(authority: Running, fields: dict[str, Any]) -> None:
    """OBJECT_NOT_FOUND, with a dry run as without."""
    for dry_run in (True, False):
        with refused(Reason.OBJECT_NOT_FOUND) as seen:
            await revoke(authority, **fields, dry_run=dry_run)
        assert seen.metadata == {**seen.metadata, "kind": "session", "id": UNKNOWN}


async def test_a_floor_is_in_the_key_set(authority: Running) -> None:
    """Everybody who verifies is told, and a dry run tells that no session falls."""
    request = key_service_pb2.GetKeySetRequest(zone="shop")
    assert (await authority.stubs.keys.GetKeySet(request)).key_set.issued_before == 0
    moment = now()
    told = await revoke(authority, issued_before=moment, dry_run=True)
    assert (told.revision, told.fallen_count) == (0, 0)
    assert (await authority.stubs.keys.GetKeySet(request)).key_set.issued_before == 0
    done = await revoke(authority, issued_before=moment)
    known = (await authority.stubs.keys.GetKeySet(request)).key_set.issued_before
    assert known in {moment.seconds, moment.seconds + 1}
    assert (await revoke(authority, issued_before=moment)).revision == done.revision


async def test_a_dead_session_mandate_opens_nothing(authority: Running) -> None:
    """At the authority itself it is refused at once, and one that is asked for now is not."""
    old = await authority.caller("agent")
    await revoke(authority, issued_before=now())
    request = session_service_pb2.SessionServiceListRequest(zone="shop")
    with refused(Reason.MANDATE_REVOKED) as seen:
        await authority.stubs.sessions.List(request, metadata=old)
    assert seen.metadata == {**seen.metadata, "anchor": "shop"}
    fresh = bearer((await authority.exchange("agent", CARACAL)).mandate)
    assert (await authority.stubs.sessions.List(request, metadata=fresh)).sessions


async def test_a_floor_is_not_listed(authority: Running) -> None:
    """It is no anchor."""
    await revoke(authority, issued_before=now())
    request = revocation_service_pb2.RevocationServiceListRequest(zone="shop")
    metadata = await authority.operator()
    assert not (await authority.stubs.revocations.List(request, metadata=metadata)).revocations
