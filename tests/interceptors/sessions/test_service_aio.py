"""Service sessions of an asyncio edge: kept alive, lost, taken over and left."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import session_not_active
from caracal_grpc.interceptors import Edge, acting_in, connect
from caracal_grpc.interceptors.sessions.fate import is_final
from caracal_grpc.interceptors.sessions.pulse import Beats
from caracal_grpc.v1 import session_pb2
from tests.interceptors.calling import say_aio as say
from tests.interceptors.sessions.desk import Desk
from tests.interceptors.support import EXPIRED, RESOURCE, RULES, calls, eventually, profile
from tests.support.refusals import refused

SCOPES = ["echo:say"]
FENCED = CaracalError(Reason.LEASE_FENCED, "stop the work", metadata={"generation": "2"})


@pytest.fixture
def authority() -> Desk:
    """One that gives leases which are soon over."""
    return Desk(lease_ms=90)


async def test_the_lease_is_renewed_and_exchanges_carry_its_generation(
    edge: Edge, authority: Desk
) -> None:
    """By itself, as the holder that it is; then the session is ended, and nothing beats on."""
    async with edge.service_session(lease=60, labels=["blue"]) as session:
        await edge.exchange(RESOURCE, SCOPES)
        await eventually(lambda: len(authority.heard["Heartbeat"]) >= 3)
    request = authority.heard["Start"][0]
    assert request.kind == session_pb2.SESSION_KIND_SERVICE
    assert (request.lease.seconds, list(request.labels)) == (60, ["blue"])
    assert {(beat.id, beat.generation) for beat in authority.heard["Heartbeat"]} == {
        (session.id, 1)
    }
    (asked,) = authority.asked()
    assert (asked.session_id, asked.lease_generation) == (session.id, 1)
    assert authority.ended == [session.id]
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert "caracal heartbeat" not in names


async def test_a_transient_failure_is_tried_again_at_the_next_beat(
    edge: Edge, authority: Desk
) -> None:
    """Trouble of the authority, a mandate that ended, and a session that will be resumed."""
    authority.trouble["Heartbeat"].extend(
        [
            CaracalError(Reason.STORE_UNAVAILABLE, "etcd does not answer"),
            EXPIRED,
            session_not_active("ses_1", "suspended"),
        ]
    )
    async with edge.service_session() as session:
        await eventually(lambda: len(authority.heard["Heartbeat"]) >= 5)
        assert not session.lost.is_set()
        await edge.exchange(RESOURCE, SCOPES)


async def test_who_is_fenced_stops(edge: Edge, address: str, authority: Desk) -> None:
    """The event is set; calls fail at once, with a mandate in hand or not; nothing is ended."""
    async with edge.channel(address) as channel, edge.service_session() as session:
        stubs = calls(channel)
        await say(stubs, "UnaryUnary")
        authority.sessions[session.id].lease.generation = 2
        async with asyncio.timeout(5):
            await session.lost.wait()
        assert session.lost.refusal is not None
        assert session.lost.refusal.reason is Reason.LEASE_FENCED
        before = (authority.count, len(authority.heard["Heartbeat"]))
        for _ in range(2):
            with refused(Reason.LEASE_FENCED):
                await say(stubs, "UnaryUnary")
            with refused(Reason.LEASE_FENCED):
                await edge.exchange(RESOURCE, SCOPES)
        with refused(Reason.LEASE_FENCED):
            async with edge.session():
                pytest.fail("it has no session")
        with acting_in(None):
            await edge.exchange(RESOURCE, SCOPES)
        assert (authority.count, len(authority.heard["Heartbeat"])) == (before[0] + 1, before[1])
    assert authority.ended == []


async def test_a_session_that_was_ended_is_lost(edge: Edge, authority: Desk) -> None:
    """By whomever: the refusal says so."""
    async with edge.service_session() as session:
        authority.end(session.id)
        async with asyncio.timeout(5):
            await session.lost.wait()
        with refused(Reason.SESSION_NOT_ACTIVE) as seen:
            await edge.exchange(RESOURCE, SCOPES)
    assert seen.metadata["state"] == "terminated"


async def test_another_process_takes_over(edge: Edge, address: str, authority: Desk) -> None:
    """It goes on in the same session, and the one before ends nothing when it leaves."""
    async with connect(profile(address), rules=RULES) as successor:
        async with edge.service_session() as before:
            taken = successor.service_session(take_over=before.id)
            after = await taken.__aenter__()
        assert (after.id, after.generation) == (before.id, 2)
        assert authority.ended == []
        await successor.exchange(RESOURCE, SCOPES, session=after)
        assert authority.asked()[-1].lease_generation == 2
        await taken.__aexit__(None, None, None)
    assert authority.ended == [before.id]


@pytest.mark.parametrize("ended", [False, True])
async def test_who_asks_hears_at_once_that_it_is_lost(
    edge: Edge, authority: Desk, ended: bool
) -> None:
    """Before its next heartbeat, and for all that it holds; not what became of its caller."""
    authority.lease_ms = 60_000
    async with edge.service_session() as session:
        await edge.exchange(RESOURCE, SCOPES)
        authority.refusals.append(session_not_active("ses_of_the_caller", "terminated"))
        with refused(Reason.SESSION_NOT_ACTIVE):
            await edge.exchange("resource://x", SCOPES)
        assert not session.lost.is_set()
        if ended:
            authority.end(session.id)
        else:
            authority.sessions[session.id].lease.generation = 2
        with pytest.raises(grpc.RpcError):
            await edge.exchange("resource://y", SCOPES)
        assert session.lost.is_set()
        with refused(Reason.SESSION_NOT_ACTIVE if ended else Reason.LEASE_FENCED):
            await edge.exchange(RESOURCE, SCOPES)
    assert authority.heard["Heartbeat"] == authority.heard["Terminate"] == []


async def test_who_leaves_before_its_next_beat_asks_whether_it_was_taken_over(
    edge: Edge, authority: Desk
) -> None:
    """The lease is long, and nobody told it."""
    authority.lease_ms = 60_000
    async with edge.service_session() as session:
        authority.sessions[session.id].lease.generation = 2
    assert (authority.ended, len(authority.heard["Heartbeat"])) == ([], 1)


async def test_one_that_is_kept_is_left_to_its_lease(edge: Edge, authority: Desk) -> None:
    """For another to take over."""
    async with edge.service_session(keep=True):
        pass
    assert authority.ended == []


@pytest.mark.parametrize(
    "more", [{"lease": 60}, {"labels": ["x"]}, {"ceiling": {RESOURCE: "x"}}, {"ttl": 60}]
)
async def test_what_is_taken_over_stays_what_it_is(edge: Edge, more: dict[str, Any]) -> None:
    """What it was begun with cannot be said anew."""
    with refused(Reason.FIELD_INVALID) as seen:
        edge.service_session(take_over="ses_1", **more)
    assert seen.fields == list(more)


async def test_a_closed_edge_lets_the_heart_stop(address: str, authority: Desk) -> None:
    """The session is left to its lease, and leaving it later is no error."""
    async with connect(profile(address), rules=RULES) as edge, edge.service_session():
        await edge.close()
        assert "caracal heartbeat" not in {task.get_name() for task in asyncio.all_tasks()}
    assert authority.ended == []


def test_a_fleet_does_not_beat_at_once() -> None:
    """A third of the lease, a tenth of that either way; one may take no longer than ten seconds."""
    session = session_pb2.Session(id="ses_1")
    session.lease.duration.FromSeconds(60)
    beats = Beats("shop", session)
    assert [round(beats.pause(random), 6) for random in (0, 0.5, 1)] == [18, 20, 22]
    assert beats.timeout == 10


@pytest.mark.parametrize(
    ("refusal", "final"),
    [
        (FENCED, True),
        (session_not_active("ses_1", "terminated"), True),
        (session_not_active("ses_1", "expired"), True),
        (session_not_active("ses_1", "suspended"), False),
        (session_not_active("ses_1", "lapsed"), False),
        (CaracalError(Reason.OBJECT_NOT_FOUND, "no such session"), True),
        (CaracalError(Reason.AUTHORITY_STALE, "later"), False),
        (None, False),
    ],
)
def test_what_is_gone_for_good(refusal: CaracalError | None, final: bool) -> None:
    """The rest may come back."""
    assert is_final(refusal) is final
