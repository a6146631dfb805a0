"""The chain of a line of sessions, and how far it may still grow."""

from __future__ import annotations

import pytest

from caracal_grpc.core.chain import chain_of, hops_left
from caracal_grpc.core.mandate import Hop
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session
from caracal_grpc.core.user import User
from tests.support.refusals import refused

ALICE = User("https://idp.example", "alice", "corp/alice")


def session(name: str, application: str, **more: object) -> Session:
    """A session that speaks for the application `a`, unless `more` says otherwise."""
    return Session(name, "shop", application, "a", "s0", 0, **more)  # type: ignore[arg-type]


ROOT = session("s0", "a", kind="standing")
TASK = session("s1", "a")
FIRST = session("s2", "b", delegation="d2", max_hops=3)
BELOW = session("s3", "b")
SECOND = session("s4", "c", delegation="d4", max_hops=0)
ALICES = Session("u1", "shop", "a", ALICE.id, "s0", 0, subject_type="user", user=ALICE)


@pytest.mark.parametrize(
    ("line", "chain"),
    [
        ([ROOT], []),
        ([ROOT, TASK], []),
        ([ROOT, TASK, FIRST], [Hop("b", "s2", "d2")]),
        ([ROOT, TASK, FIRST, BELOW], [Hop("b", "s3", "d2")]),
        ([ROOT, FIRST, BELOW, SECOND], [Hop("b", "s3", "d2"), Hop("c", "s4", "d4")]),
        ([ROOT, ALICES], [Hop("a", "u1")]),
    ],
    ids=["root", "task", "delegated", "below it", "twice", "a user"],
)
def test_hops_are_where_authority_was_passed_on(line: list[Session], chain: list[Hop]) -> None:
    """Each named by the deepest session of the party that received it."""
    assert list(chain_of(line)) == chain


CHAIN = [Hop("b", "s3", "d2"), Hop("c", "s4", "d4"), Hop("d", "s5")]


@pytest.mark.parametrize(
    ("most", "bounds", "left"),
    [
        (5, {"d2": 9, "d4": 9}, 2),
        (3, {"d2": 9, "d4": 9}, 0),
        (9, {"d2": 3, "d4": 9}, 1),
        (9, {"d2": 9, "d4": 1}, 0),
    ],
)
def test_hops_left_are_the_fewest_of_all(most: int, bounds: dict[str, int], left: int) -> None:
    """By the zone for the whole, by each delegation for what is below it."""
    assert hops_left(CHAIN, most, bounds) == left


@pytest.mark.parametrize(
    ("most", "bounds", "hops", "limit"),
    [
        (2, {"d2": 9, "d4": 9}, "3", "2"),
        (9, {"d2": 1, "d4": 9}, "2", "1"),
        (9, {"d2": 9, "d4": 0}, "1", "0"),
        (9, {"d2": 9}, "1", "0"),
    ],
    ids=["zone", "first", "second", "a delegation that nobody knows"],
)
def test_more_hops_than_any_of_them_allows(
    most: int, bounds: dict[str, int], hops: str, limit: str
) -> None:
    """HOPS_EXCEEDED with the bound that is broken."""
    with refused(Reason.HOPS_EXCEEDED) as seen:
        hops_left(CHAIN, most, bounds)
    assert seen.metadata == {"hops": hops, "limit": limit}
