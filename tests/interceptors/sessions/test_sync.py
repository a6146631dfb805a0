"""Sessions, leases and delegations of an edge for threads: what its asyncio sibling does."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import SyncEdge, acting_in, connect_sync
from tests.interceptors.calling import eventually
from tests.interceptors.calling import say_sync as say
from tests.interceptors.sessions.desk import Desk
from tests.interceptors.support import EXPIRED, RESOURCE, RULES, calls, profile
from tests.support.refusals import refused

SCOPES = ["echo:say"]
OTHER = "ses_01h455vb4pex5vsknk084sn02q"
DOWN = CaracalError(Reason.STORE_UNAVAILABLE, "etcd does not answer", retry_after=0.01)


@pytest.fixture
def authority() -> Desk:
    """One that gives leases which are soon over."""
    return Desk(lease_ms=90)


def places(desk: Desk) -> list[str]:
    """The sessions that mandates for the echo service were asked for in."""
    return [request.session_id for request in desk.asked()]


def beating() -> bool:
    """Whether a heartbeat runs in this process."""
    return any("caracal heartbeat" in thread.name for thread in threading.enumerate())


def test_calls_within_act_in_the_session(
    sync_edge: SyncEdge, sync_address: str, authority: Desk
) -> None:
    """Nested ones in the inner one; each ends when it is left, also by an error."""
    stubs = calls(sync_edge.channel(sync_address))
    say(stubs, "UnaryUnary")

    def work() -> None:
        with sync_edge.session(ttl=60) as outer:
            with sync_edge.session(ceiling={RESOURCE: SCOPES}) as inner:
                say(stubs, "UnaryUnary")
                say(stubs, "UnaryStream")
            begun.extend([outer.id, inner.id])
            raise ZeroDivisionError

    begun: list[str] = []
    with pytest.raises(ZeroDivisionError):
        work()
    outer, inner = begun
    assert places(authority) == ["", inner]
    assert [request.parent_id for request in authority.heard["Start"]] == ["", outer]
    assert authority.ended == [inner, outer]


def test_a_thread_acts_in_what_it_was_told(sync_edge: SyncEdge, authority: Desk) -> None:
    """Threads of a pool inherit nothing: they are handed the session, or its id."""

    def work(session: object) -> None:
        with acting_in(session):  # type: ignore[arg-type]
            sync_edge.exchange(RESOURCE, SCOPES)

    with sync_edge.service_session() as session, ThreadPoolExecutor(1) as pool:
        pool.submit(sync_edge.exchange, RESOURCE, SCOPES).result()
        pool.submit(work, session).result()
        pool.submit(work, OTHER).result()
    assert [(each.session_id, each.lease_generation) for each in authority.asked()] == [
        ("", 0),
        (session.id, 1),
        (OTHER, 0),
    ]


def test_trouble_at_the_end_is_logged(
    sync_edge: SyncEdge, authority: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """A lost answer is asked for again, and a mandate that ended is replaced."""
    authority.trouble["Terminate"].extend([EXPIRED, DOWN])
    with sync_edge.session() as first:
        pass
    assert authority.ended == [first.id]
    authority.trouble["Terminate"].append(CaracalError(Reason.ZONE_FORBIDDEN, "no"))
    with sync_edge.session() as second:
        pass
    assert f"{second.id} was left, and could not be ended: ZONE_FORBIDDEN" in caplog.text


def test_a_delegation_is_made_and_revoked(sync_edge: SyncEdge, authority: Desk) -> None:
    """Out of the session that is acted in."""
    with sync_edge.session() as session:
        made = sync_edge.delegate("reader", ceiling={RESOURCE: SCOPES}, ttl=60, max_hops=1)
        assert authority.heard["Delegate"][0].session_id == session.id
        assert made.revoke("done") == 9
    with refused(Reason.SESSION_NOT_ACTIVE), acting_in(made.session_id):
        sync_edge.exchange(RESOURCE, SCOPES)


def test_the_lease_is_renewed(sync_edge: SyncEdge, authority: Desk) -> None:
    """Whatever passes; then the session is ended, and its thread with it."""
    authority.trouble["Heartbeat"].extend([DOWN, EXPIRED])
    with sync_edge.service_session(lease=60) as session:
        eventually(lambda: len(authority.heard["Heartbeat"]) >= 4)
        assert not session.lost.is_set()
        assert beating()
    assert authority.ended == [session.id]
    assert not beating()


def test_who_is_fenced_stops(sync_edge: SyncEdge, sync_address: str, authority: Desk) -> None:
    """The event is set, calls fail at once, and leaving ends nothing."""
    stubs = calls(sync_edge.channel(sync_address))
    with (
        connect_sync(profile(sync_address), rules=RULES) as successor,
        sync_edge.service_session() as session,
    ):
        say(stubs, "UnaryUnary")
        with successor.service_session(take_over=session.id, keep=True) as taken:
            assert (taken.id, taken.generation) == (session.id, 2)
            assert session.lost.wait(5)
        assert session.lost.refusal is not None
        assert session.lost.refusal.reason is Reason.LEASE_FENCED
        before = authority.count
        with refused(Reason.LEASE_FENCED):
            say(stubs, "UnaryUnary")
        with refused(Reason.LEASE_FENCED):
            sync_edge.exchange(RESOURCE, SCOPES)
        assert authority.count == before
    assert authority.ended == []


def test_what_is_taken_over_stays_what_it_is(sync_edge: SyncEdge) -> None:
    """What it was begun with cannot be said anew."""
    with refused(Reason.FIELD_INVALID) as seen:
        sync_edge.service_session(take_over="ses_1", lease=60)
    assert seen.fields == ["lease"]


def test_a_closed_edge_lets_the_heart_stop(sync_edge: SyncEdge, authority: Desk) -> None:
    """The session is left to its lease; nothing is begun any more."""
    with sync_edge.service_session():
        sync_edge.close()
        assert not beating()
    assert authority.ended == []
    with refused(Reason.DRAINING), sync_edge.session():
        pytest.fail("it has no session")
