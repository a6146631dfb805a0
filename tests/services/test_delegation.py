"""Delegations on the wire: three hops that narrow, nothing that widens, and who falls with whom."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.testing import bearing as bearer
from caracal_grpc.v1 import (
    application_pb2,
    delegation_service_pb2,
    mandate_pb2,
    session_pb2,
    session_service_pb2,
)
from tests.support.authority import Running, reason_of
from tests.support.relay import BOTH, PLACE, relay
from tests.support.shop import CARACAL, ORDERS, STOCK

ALL_THREE = {ORDERS: ["orders:place", "orders:cancel"], STOCK: ["stock:read"]}
MINUTE = Duration(seconds=60)


@pytest.fixture
async def relays(authority: Running) -> Running:
    """A served authority whose shop has workers."""
    await authority.apply(relay())
    return authority


def parts(ceiling: dict[str, list[str]]) -> list[application_pb2.Ceiling]:
    """A ceiling on the wire."""
    return [application_pb2.Ceiling(resource=name, scopes=ceiling[name]) for name in ceiling]


async def delegate(
    relays: Running, giver: str, receiver: str, ceiling: dict[str, list[str]], **more: Any
) -> Any:
    """The answer to `giver`, who passes `ceiling` on to `receiver`."""
    request = delegation_service_pb2.DelegateRequest(
        **{"zone": "shop", "receiver": receiver, "ceiling": parts(ceiling), "ttl": MINUTE} | more
    )
    metadata = await relays.caller(giver)
    return await relays.stubs.delegations.Delegate(request, metadata=metadata)


async def three_hops(relays: Running) -> list[Any]:
    """From the agent to `first`, `second` and `third`, each time less: reach, life and hops."""
    steps = [("agent", "first", ALL_THREE, 300), ("first", "second", BOTH, 200)]
    made: list[Any] = []
    for giver, receiver, ceiling, life in [*steps, ("second", "third", PLACE, 100)]:
        session = made[-1].receiver_session_id if made else ""
        answer = await delegate(
            relays, giver, receiver, ceiling, ttl=Duration(seconds=life), session_id=session
        )
        made.append(answer.delegation)
    return made


async def test_three_hops_narrow(relays: Running) -> None:
    """Reach, life and hops; the last mandate names all of it, and speaks for the agent."""
    one, two, three = await three_hops(relays)
    assert [list(each.path) for each in (one, two, three)] == [[], [one.id], [one.id, two.id]]
    assert [each.max_hops for each in (one, two, three)] == [4, 3, 2]
    assert one.expire_time.seconds > two.expire_time.seconds > three.expire_time.seconds
    assert (three.application_name, three.receiver_name) == ("second", "third")
    assert three.session_id == two.receiver_session_id
    assert three.subject == relays.credentials["shop", "agent"].application_id
    assert three.subject_type == mandate_pb2.SUBJECT_TYPE_APPLICATION
    assert three.state == session_pb2.SESSION_STATE_ACTIVE
    assert list(three.ceiling) == parts(PLACE)
    for name, delegation, scopes in (
        ("first", one, ["orders:cancel", "orders:place"]),
        ("second", two, ["orders:cancel", "orders:place"]),
        ("third", three, ["orders:place"]),
    ):
        session = delegation.receiver_session_id
        issued = await relays.exchange(name, ORDERS, session_id=session)
        assert list(issued.scopes) == scopes
        assert issued.expires_in.seconds <= delegation.expire_time.seconds - (
            one.create_time.seconds
        )
    await relays.exchange("first", STOCK, session_id=one.receiver_session_id)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ceiling": parts(BOTH)}, Reason.CEILING_EXCEEDED),
        ({"ceiling": parts({STOCK: ["stock:read"]})}, Reason.CEILING_EXCEEDED),
        ({"max_hops": 2}, Reason.HOPS_EXCEEDED),
        ({"receiver": "agent"}, Reason.ACTOR_FORBIDDEN),
        ({"receiver": "first"}, Reason.ACTOR_FORBIDDEN),
        ({"receiver": "nobody"}, Reason.OBJECT_NOT_FOUND),
        ({"receiver": ""}, Reason.FIELD_INVALID),
        ({"receiver": "No Name"}, Reason.FIELD_INVALID),
        ({"ceiling": []}, Reason.FIELD_INVALID),
        ({"ceiling": parts({ORDERS: ["no:scope"]})}, Reason.FIELD_INVALID),
        ({"ceiling": parts(PLACE) * 65}, Reason.FIELD_INVALID),
        ({"ttl": None}, Reason.FIELD_INVALID),
        ({"ttl": Duration()}, Reason.FIELD_INVALID),
        ({"ttl": Duration(seconds=86_401)}, Reason.FIELD_INVALID),
        ({"session_id": "mine"}, Reason.FIELD_INVALID),
        ({"session_id": "ses_01h455vb4pex5vsknk084sn02q"}, Reason.SESSION_NOT_ACTIVE),
    ],
    ids=str,
)
async def test_widening_is_refused(
    relays: Running, changes: dict[str, Any], reason: Reason
) -> None:
    """Each way in which the last of three could reach further than it does."""
    *_, last = await three_hops(relays)
    fields = {"receiver": "payments", "ceiling": parts(PLACE), "ttl": MINUTE} | changes
    fields = {"zone": "shop", "session_id": last.receiver_session_id} | fields
    request = delegation_service_pb2.DelegateRequest(
        **{name: value for name, value in fields.items() if value is not None}
    )
    call = relays.stubs.delegations.Delegate(request, metadata=await relays.caller("third"))
    assert await reason_of(call) is reason


async def test_life_is_shortened_to_what_is_above(relays: Running) -> None:
    """As that of a session is."""
    one = (await delegate(relays, "agent", "first", BOTH)).delegation
    session = one.receiver_session_id
    day = Duration(seconds=86_400)
    two = await delegate(relays, "first", "second", BOTH, session_id=session, ttl=day)
    assert two.delegation.expire_time == one.expire_time


async def test_revoking_the_middle(relays: Running) -> None:
    """Kills what is below it and nothing beside it; again changes nothing."""
    one, two, three = await three_hops(relays)
    beside = await delegate(relays, "first", "third", PLACE, session_id=one.receiver_session_id)
    request = delegation_service_pb2.DelegationServiceRevokeRequest(
        zone="shop", id=two.id, reason="enough"
    )
    metadata = await relays.caller("first")
    ended = await relays.stubs.delegations.Revoke(request, metadata=metadata)
    assert ended.delegation.state == session_pb2.SESSION_STATE_TERMINATED
    assert ended.audit_id.startswith("aud_")
    again = await relays.stubs.delegations.Revoke(request, metadata=metadata)
    assert again.revision == ended.revision
    for name, delegation in (("second", two), ("third", three)):
        call = relays.exchange(name, ORDERS, session_id=delegation.receiver_session_id)
        assert await reason_of(call) is Reason.SESSION_NOT_ACTIVE
    for name, alive in (("first", one), ("third", beside.delegation)):
        await relays.exchange(name, ORDERS, session_id=alive.receiver_session_id)


async def test_get_and_list_show_either_side_its_own(relays: Running) -> None:
    """Page by page in the order of their ids; nobody else sees them."""
    made = [each.id for each in await three_hops(relays)]
    metadata = await relays.caller("second")
    request = delegation_service_pb2.DelegationServiceListRequest(zone="shop", page_size=1)
    found = []
    while True:
        page = await relays.stubs.delegations.List(request, metadata=metadata)
        found += [each.id for each in page.delegations]
        request.page_token = page.next_page_token
        if not request.page_token:
            break
    assert found == made[1:]
    read = delegation_service_pb2.DelegationServiceGetRequest(zone="shop", id=made[0])
    call = relays.stubs.delegations.Get(read, metadata=metadata)
    assert await reason_of(call) is Reason.OBJECT_NOT_FOUND
    whole = await relays.stubs.delegations.Get(read, metadata=await relays.operator())
    assert whole.delegation.id == made[0]


async def test_impact_comes_in_pages(relays: Running) -> None:
    """Those above before those below, each once, with how many there are in all."""
    one, two, three = await three_hops(relays)
    metadata = await relays.caller("agent")
    request = delegation_service_pb2.DelegationServiceImpactRequest(
        zone="shop", id=one.id, page_size=2
    )
    first = await relays.stubs.delegations.Impact(request, metadata=metadata)
    request.page_token = first.next_page_token
    rest = await relays.stubs.delegations.Impact(request, metadata=metadata)
    fallen = [*first.fallen, *rest.fallen]
    assert [each.delegation_id for each in fallen] == [one.id, two.id, three.id]
    assert [each.depth for each in fallen] == [0, 1, 2]
    assert [each.application_name for each in fallen] == ["first", "second", "third"]
    assert fallen[1].parent_id == one.receiver_session_id
    assert {each.state for each in fallen} == {session_pb2.SESSION_STATE_ACTIVE}
    assert (first.count, rest.count, rest.next_page_token) == (3, 3, "")
    request.page_token = "ses_01h455vb4pex5vsknk084sn02q"
    call = relays.stubs.delegations.Impact(request, metadata=metadata)
    assert await reason_of(call) is Reason.FIELD_INVALID


async def test_session_says_which_delegation_made_it(relays: Running) -> None:
    """To its holder, who starts others below it."""
    one, *_ = await three_hops(relays)
    metadata = await relays.caller("first")
    read = session_service_pb2.SessionServiceGetRequest(zone="shop", id=one.receiver_session_id)
    shown = (await relays.stubs.sessions.Get(read, metadata=metadata)).session
    assert (shown.delegation_id, shown.parent_id) == (one.id, one.session_id)


async def test_on_behalf_of_with_an_actor_token(relays: Running) -> None:
    """It names the session to act in; one that is not the caller's own is refused."""
    subject = (await relays.exchange("agent", ORDERS, "orders:place")).mandate
    start = session_service_pb2.SessionServiceStartRequest(zone="shop")
    metadata = await relays.caller("first")
    session = (await relays.stubs.sessions.Start(start, metadata=metadata)).session.id
    actor = (await relays.exchange("first", CARACAL, session_id=session)).mandate
    await relays.exchange("first", ORDERS, subject_token=subject, actor_token=actor)
    explained = await last_entry(relays)
    assert explained.session_id == session
    own = (await relays.exchange("agent", CARACAL)).mandate
    for bad in (own, "not a token"):
        call = relays.exchange("first", ORDERS, subject_token=subject, actor_token=bad)
        assert await reason_of(call) is Reason.ACTOR_TOKEN_INVALID
    assert await reason_of(relays.exchange("first", ORDERS, actor_token=actor)) is (
        Reason.ACTOR_TOKEN_INVALID
    )
    other = relays.exchange(
        "first",
        ORDERS,
        subject_token=subject,
        actor_token=actor,
        session_id="ses_01h455vb4pex5vsknk084sn02q",
    )
    assert await reason_of(other) is Reason.FIELD_INVALID


async def last_entry(relays: Running) -> Any:
    """The newest entry of the shop."""
    from caracal_grpc.v1 import audit_service_pb2

    request = audit_service_pb2.SearchRequest(zone="shop", page_size=1000)
    page = await relays.stubs.audit.Search(request, metadata=await relays.operator())
    return page.entries[-1]


async def test_delegating_needs_no_grant_on_the_authority(relays: Running) -> None:
    """Every application manages its own; a mandate for a resource does not do."""
    token = bearer((await relays.exchange("agent", ORDERS)).mandate)
    request = delegation_service_pb2.DelegateRequest(
        zone="shop", receiver="first", ceiling=parts(PLACE), ttl=MINUTE
    )
    call = relays.stubs.delegations.Delegate(request, metadata=token)
    assert await reason_of(call) is Reason.USE_MISMATCH
    await delegate(relays, "agent", "first", PLACE)
