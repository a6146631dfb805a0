"""Sessions and delegations of an asyncio edge: where exchanges act, and what is left behind."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import Edge, acting_in, connect
from caracal_grpc.interceptors.context.current import leave
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.sessions.methods import METHODS
from caracal_grpc.v1 import session_pb2
from tests.interceptors.calling import enter_handler
from tests.interceptors.calling import say_aio as say
from tests.interceptors.sessions.desk import Desk
from tests.interceptors.support import EXPIRED, RESOURCE, RULES, Echo, calls, profile
from tests.support.refusals import refused

SCOPES = ["echo:say"]
OTHER = "ses_01h455vb4pex5vsknk084sn02q"
DOWN = CaracalError(Reason.STORE_UNAVAILABLE, "etcd does not answer", retry_after=0.01)


def places(desk: Desk) -> list[str]:
    """The sessions that mandates for the echo service were asked for in."""
    return [request.session_id for request in desk.asked()]


async def test_calls_within_act_in_the_session_and_no_others(
    edge: Edge, address: str, authority: Desk
) -> None:
    """Each session has mandates of its own, on one channel."""
    async with edge.channel(address) as channel:
        stubs = calls(channel)
        await say(stubs, "UnaryUnary")
        async with edge.session() as session:
            await say(stubs, "UnaryUnary")
            await say(stubs, "UnaryStream")
        await say(stubs, "UnaryUnary")
    assert places(authority) == ["", session.id]


async def test_start_says_what_is_wanted(edge: Edge, authority: Desk) -> None:
    """Labels, ceiling, life and token go along, in a mandate of the standing session."""
    async with edge.session(
        labels=["nightly"],
        ceiling={RESOURCE: "echo:say echo:hear", "resource://x": ["x:read"]},
        ttl=60,
        id_token="a.b.c",
    ) as session:
        assert (session.user, session.labels) == (("https://idp", "alice"), ("nightly",))
    (request,) = authority.heard["Start"]
    assert (request.zone, request.parent_id, list(request.labels)) == ("shop", "", ["nightly"])
    assert [(each.resource, list(each.scopes)) for each in request.ceiling] == [
        (RESOURCE, ["echo:hear", "echo:say"]),
        ("resource://x", ["x:read"]),
    ]
    assert (request.ttl.seconds, request.id_token) == (60, "a.b.c")
    assert request.kind == session_pb2.SESSION_KIND_TASK
    assert {request.session_id for request in authority.requests} == {""}


async def test_sessions_nest(edge: Edge, authority: Desk) -> None:
    """The inner one is below the outer one, and ends before it."""
    async with edge.session() as outer, edge.session() as inner:
        await edge.exchange(RESOURCE, SCOPES)
    assert [request.parent_id for request in authority.heard["Start"]] == ["", outer.id]
    assert authority.ended == [inner.id, outer.id]
    assert places(authority) == [inner.id]


async def test_a_session_ends_with_an_error_and_with_a_cancellation(
    edge: Edge, authority: Desk
) -> None:
    """However it is left."""
    with pytest.raises(ZeroDivisionError):
        async with edge.session() as first:
            raise ZeroDivisionError

    async def work() -> None:
        async with edge.session():
            entered.set()
            await asyncio.sleep(60)

    entered = asyncio.Event()
    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert authority.ended == [first.id, list(authority.sessions)[1]]


async def test_trouble_at_the_end_does_not_hold_up_who_leaves(
    edge: Edge, authority: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """A lost answer is asked for again; a refusal is logged, and is no error of the work."""
    authority.trouble["Terminate"].append(DOWN)
    async with edge.session() as first:
        pass
    assert authority.ended == [first.id]
    authority.trouble["Terminate"].append(CaracalError(Reason.ZONE_FORBIDDEN, "no"))
    async with edge.session() as second:
        pass
    assert f"{second.id} was left, and could not be ended: ZONE_FORBIDDEN" in caplog.text


async def test_a_refused_start_is_an_rpc_error(edge: Edge, authority: Desk) -> None:
    """It reads as one of a call, and is sent once: who knows what it began."""
    authority.trouble["Start"].append(DOWN)
    with refused(Reason.STORE_UNAVAILABLE):
        async with edge.session():
            pytest.fail("it has no session")
    assert len(authority.heard["Start"]) == 1


async def test_a_mandate_that_ended_is_replaced(edge: Edge, authority: Desk) -> None:
    """A dead mandate of the application's own is nobody's trouble."""
    authority.trouble["Start"].append(EXPIRED)
    async with edge.session():
        pass
    assert len(set(authority.shown[:2])) == 2


async def test_who_receives_acts_in_what_it_was_handed(edge: Edge, authority: Desk) -> None:
    """By the id of the session; `None` is the standing one again."""
    with acting_in(OTHER):
        await edge.exchange(RESOURCE, SCOPES)
        with acting_in(None):
            await edge.exchange(RESOURCE, SCOPES)
        await edge.exchange(RESOURCE, SCOPES, session="ses_named")
        async with edge.session():
            pass
    assert places(authority) == [OTHER, "", "ses_named"]
    assert authority.heard["Start"][0].parent_id == OTHER


async def test_a_channel_stays_with_the_session_that_it_was_made_for(
    edge: Edge, address: str, authority: Desk
) -> None:
    """Also where somebody acts in another; an open session will do as its id does."""
    async with (
        edge.session() as session,
        edge.channel(address, session=session) as held,
        edge.channel(address, session="ses_named") as named,
    ):
        with acting_in(OTHER):
            await say(calls(held), "UnaryUnary")
            await say(calls(named), "UnaryUnary")
    assert places(authority) == [session.id, "ses_named"]


async def test_a_handler_acts_for_its_caller_within_its_own_session(
    edge: Edge, address: str, authority: Desk, echo: Echo
) -> None:
    """Both go along; a mandate that is forwarded is what it is."""
    mark = enter_handler("theirs")
    try:
        async with (
            edge.session() as session,
            edge.channel(address, on_behalf="exchange") as exchanging,
            edge.channel(address, on_behalf="forward") as forwarding,
        ):
            await say(calls(exchanging), "UnaryUnary")
            await say(calls(forwarding), "UnaryUnary")
    finally:
        leave(mark)
    (asked,) = authority.asked()
    assert (asked.subject_token, asked.session_id) == ("theirs", session.id)
    assert echo.tokens == [authority.answered(asked), "theirs"]


async def test_an_edge_of_another_application_does_not_act_in_it(
    edge: Edge, address: str, authority: Desk
) -> None:
    """A session is its application's own; what is handed over by its id is whoever's."""
    other = profile(address, application_id="app_2")
    async with connect(other, rules=RULES) as stranger, stranger.session() as theirs:
        async with edge.session() as ours:
            await stranger.exchange(RESOURCE, SCOPES)
            with acting_in(OTHER):
                await stranger.exchange(RESOURCE, SCOPES)
        await edge.exchange(RESOURCE, SCOPES)
    assert places(authority) == [theirs.id, OTHER, ""]
    assert authority.ended == [ours.id, theirs.id]


async def test_tasks_act_each_in_their_own(edge: Edge, authority: Desk) -> None:
    """What one began is not another's beside it."""

    async def work() -> str:
        async with edge.session() as session:
            await asyncio.sleep(0)
            await edge.exchange(RESOURCE, SCOPES)
            return session.id

    assert sorted(await asyncio.gather(work(), work())) == sorted(places(authority))


@pytest.mark.parametrize("name", ["", "orders", "app_01h455vb4pex5vsknk084sn02q"])
def test_only_a_session_can_be_acted_in(name: str) -> None:
    """Anything else is a mistake that would act in the standing session."""
    with refused(Reason.FIELD_INVALID) as seen, acting_in(name):
        pass
    assert seen.fields == ["acting_in"]


async def test_a_delegation_is_made_and_revoked(edge: Edge, authority: Desk) -> None:
    """Out of the session that is acted in; its receiver acts in the one that it made."""
    async with edge.session() as session:
        made = await edge.delegate("reader", ceiling={RESOURCE: SCOPES}, ttl=60, max_hops=0)
    request = authority.heard["Delegate"][0]
    assert (request.session_id, request.receiver, request.ttl.seconds) == (session.id, "reader", 60)
    assert (request.HasField("max_hops"), request.max_hops) == (True, 0)
    assert made.session_id in authority.sessions
    assert (made.receiver_id, made.expires_at) == ("app_receiver", 1_800_000_000)
    authority.trouble["Revoke"].append(DOWN)
    assert await made.revoke("done") == 9
    assert authority.heard["Revoke"][1].reason == "done"
    with refused(Reason.SESSION_NOT_ACTIVE), acting_in(made.session_id):
        await edge.exchange(RESOURCE, SCOPES)


async def test_a_delegation_goes_on_as_often_as_what_is_above_allows(
    edge: Edge, authority: Desk
) -> None:
    """Unless something is said."""
    await edge.delegate("reader", ceiling={RESOURCE: SCOPES}, ttl=60)
    assert not authority.heard["Delegate"][0].HasField("max_hops")


async def test_a_closed_edge_begins_nothing(edge: Edge) -> None:
    """A typed refusal, as for everything else of it."""
    await edge.close()
    with refused(Reason.DRAINING):
        async with edge.session():
            pytest.fail("it has no session")
    with refused(Reason.DRAINING):
        await edge.delegate("reader", ceiling={RESOURCE: SCOPES}, ttl=60)


def test_methods_take_the_scopes_that_their_protos_declare() -> None:
    """One rule a method, written once and held here against the other."""
    rules = Rules.default()
    paths: dict[str, Any] = {}

    class Paths:
        """Sees the paths that a stub is made of."""

        def __getattr__(self, _: str) -> Any:
            return lambda path, **__: paths.setdefault(path.rpartition("/")[2], path)

    for method in METHODS:
        paths.clear()
        method.stub(Paths())
        rule = rules.find(paths[method.name])
        assert rule is not None
        assert rule.scopes == {method.scope}


async def test_an_authority_that_is_away_is_told_as_such() -> None:
    """As by an exchange, and the edge closes."""
    async with connect(profile("127.0.0.1:1"), rules=RULES) as edge:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await edge.delegate("reader", ceiling={RESOURCE: SCOPES}, ttl=60)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
