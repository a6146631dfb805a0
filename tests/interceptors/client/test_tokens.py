"""The life of a mandate on the client, as pure state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.tokens import Ask, Granted, TokenBook
from caracal_grpc.interceptors.status import Status, to_status

ASK = Ask("resource://echo", frozenset({"echo:say"}))
KEY = ASK.key
FAILURE = Status(grpc.StatusCode.UNAVAILABLE, "down", ())


def _book(jitter: float = 0.5, size: int = 1024) -> TokenBook:
    return TokenBook(lambda: jitter, size=size)


def test_unknown_mandate_is_due() -> None:
    """What was never asked for is asked for now."""
    assert _book().look(KEY, 0.0) == (None, True, None)


def test_mandate_serves_its_life_and_is_due_at_four_fifths() -> None:
    """Renewal begins at 80 %, service ends at 100 %, both from receipt."""
    book = _book()
    book.store(KEY, Granted("t", 300.0), now=1_000.0)
    assert book.look(KEY, 1_239.9) == ("t", False, None)
    assert book.look(KEY, 1_240.1) == ("t", True, None)
    assert book.look(KEY, 1_299.9) == ("t", True, None)
    assert book.look(KEY, 1_300.0) == (None, True, None)


@given(jitter=st.floats(0, 1, exclude_max=True), life=st.floats(5, 3_600))
def test_jitter_moves_renewal_by_five_percent_at_most(jitter: float, life: float) -> None:
    """Whatever the dice say, renewal begins between 75 % and 85 % of the life."""
    book = _book(jitter)
    book.store(KEY, Granted("t", life), now=0.0)
    assert not book.look(KEY, life * 0.7499).due
    assert book.look(KEY, life * 0.8501).due


def test_failure_is_answered_again_for_a_moment() -> None:
    """Half a second of failing fast, then the authority is asked again."""
    book = _book()
    book.fail(KEY, FAILURE, now=0.0)
    assert book.look(KEY, 0.4) == (None, False, FAILURE)
    assert book.look(KEY, 0.6) == (None, True, None)


@pytest.mark.parametrize(("wait", "pause"), [(3.0, 3.0), (0.0, 0.5), (3_600.0, 30.0)])
def test_failure_waits_as_long_as_the_authority_says(wait: float, pause: float) -> None:
    """A wait that was asked for is kept, within bounds."""
    book = _book()
    error = CaracalError(Reason.RATE_LIMITED, "slow down", retry_after=wait)
    book.fail(KEY, to_status(error), now=0.0)
    assert not book.look(KEY, pause - 0.01).due
    assert book.look(KEY, pause + 0.01).due


def test_rate_limit_holds_for_all_that_the_process_asks() -> None:
    """Nothing is asked for until it is over; what there is serves on."""
    book, other = _book(), KEY._replace(resource="resource://other")
    book.store(other, Granted("t", 300.0), now=-280.0)
    error = CaracalError(Reason.RATE_LIMITED, "slow down", retry_after=3.0)
    book.fail(KEY, to_status(error), now=0.0)
    third = KEY._replace(resource="resource://third")
    assert book.look(other, 2.9) == ("t", False, None)
    assert book.look(third, 2.9) == (None, False, to_status(error))
    assert book.look(other, 3.1) == ("t", True, None)
    assert book.look(third, 3.1).due


def test_failed_renewal_keeps_the_old_mandate() -> None:
    """The old one serves on; renewal is tried again after a share of the life, not at once."""
    book = _book()
    book.store(KEY, Granted("t", 300.0), now=0.0)
    book.fail(KEY, FAILURE, now=250.0)
    assert book.look(KEY, 255.9) == ("t", False, None)
    assert book.look(KEY, 256.1) == ("t", True, None)
    assert book.look(KEY, 300.1) == (None, True, None)


def test_failed_renewal_near_the_end_is_tried_again_at_the_end() -> None:
    """The pause of a renewal never outlives the mandate."""
    book = _book()
    book.store(KEY, Granted("t", 300.0), now=0.0)
    book.fail(KEY, FAILURE, now=299.0)
    assert book.look(KEY, 300.0).due


def test_success_forgets_the_failure() -> None:
    """A mandate after a failure is as good as any."""
    book = _book()
    book.fail(KEY, FAILURE, now=0.0)
    book.store(KEY, Granted("t", 300.0), now=1.0)
    assert book.look(KEY, 2.0) == ("t", False, None)


def test_dropped_mandate_is_due() -> None:
    """A refused mandate is not used again."""
    book = _book()
    book.store(KEY, Granted("t", 300.0), now=0.0)
    assert book.drop(KEY, "t", now=1.0)
    assert book.look(KEY, 1.0) == (None, True, None)


def test_late_refusal_of_an_old_mandate_drops_no_new_one() -> None:
    """A call refused with the old mandate, after another brought a new one, uses that."""
    book = _book()
    book.store(KEY, Granted("new", 300.0), now=0.0)
    assert book.drop(KEY, "old", now=1.0)
    assert book.look(KEY, 1.0).token == "new"


def test_drops_are_a_second_apart() -> None:
    """A server that refuses fresh mandates does not make a flood of exchanges."""
    book = _book()
    book.store(KEY, Granted("a", 300.0), now=0.0)
    assert book.drop(KEY, "a", now=1.0)
    book.store(KEY, Granted("b", 300.0), now=1.1)
    assert not book.drop(KEY, "b", now=1.2)
    assert book.look(KEY, 1.2).token == "b"
    assert book.drop(KEY, "b", now=2.1)


def test_least_recently_used_is_forgotten() -> None:
    """The book holds no more than its size."""
    book = _book(size=2)
    keys = [Ask("resource://echo", frozenset({name})).key for name in "abc"]
    for key in keys[:2]:
        book.store(key, Granted("t", 300.0), now=0.0)
    book.look(keys[0], 0.0)
    book.fail(keys[2], FAILURE, now=0.0)
    assert len(book) == 2
    assert book.look(keys[0], 0.0).token == "t"
    assert book.look(keys[1], 0.0).token is None


@pytest.mark.parametrize(
    "other",
    [
        Ask("resource://other", frozenset({"echo:say"})),
        Ask("resource://echo", frozenset({"echo:say", "echo:shout"})),
        Ask("resource://echo", frozenset({"echo:say"}), subject_token="s"),
        Ask("resource://echo", frozenset({"echo:say"}), session="ses_1"),
        Ask("resource://echo", frozenset({"echo:say"}), ttl=60),
    ],
)
def test_askings_that_differ_share_nothing(other: Ask) -> None:
    """Resource, scopes, subject, session and life are all part of the key."""
    book = _book()
    book.store(KEY, Granted("t", 300.0), now=0.0)
    assert book.look(other.key, 0.0).token is None


def test_keys_and_texts_hold_no_token() -> None:
    """Neither the key nor anything printable holds a subject's or one's own token."""
    ask = Ask("resource://echo", frozenset({"a"}), subject_token="a.secret.token")
    book = _book()
    book.store(ask.key, Granted("another.secret.token", 300.0), now=0.0)
    shown = f"{ask!r} {ask.key!r} {book!r} {book._entries!r}"
    assert "secret" not in shown


DENIED = Status(grpc.StatusCode.FAILED_PRECONDITION, "the session is over", ())


def test_a_no_is_asked_about_less_and_less_often() -> None:
    """Twice the pause each time, half a minute at most: nothing is retried for ever."""
    book, now, pauses = _book(), 0.0, []
    for _ in range(9):
        book.fail(KEY, DENIED, now)
        pause = next(tenth / 10 for tenth in range(1, 400) if book.look(KEY, now + tenth / 10).due)
        pauses.append(pause)
        now += pause
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_what_may_be_over_at_any_moment_is_asked_about_soon() -> None:
    """An authority that was down for long is found again at once."""
    book = _book()
    for number in range(20):
        book.fail(KEY, FAILURE, now=float(number))
    assert book.look(KEY, 19.5).due


@pytest.mark.parametrize("interval", ["granted", "failed"])
def test_denials_in_a_row_are_forgotten_with_the_row(interval: str) -> None:
    """A grant ends it, and so does a failure of another kind."""
    book = _book()
    for _ in range(5):
        book.fail(KEY, DENIED, now=0.0)
    if interval == "granted":
        book.store(KEY, Granted("t", 1.0), now=0.0)
    else:
        book.fail(KEY, FAILURE, now=0.0)
    book.fail(KEY, DENIED, now=10.0)
    assert book.look(KEY, 10.5).due


def test_denied_renewal_is_tried_again_at_the_end() -> None:
    """However long the row, whoever has a mandate no more asks once."""
    book = _book()
    book.store(KEY, Granted("t", 300.0), now=0.0)
    for _ in range(9):
        book.fail(KEY, DENIED, now=290.0)
    assert book.look(KEY, 299.0) == ("t", False, None)
    assert book.look(KEY, 300.0).due


def test_what_does_not_renew_serves_to_its_end() -> None:
    """A mandate that took an approval is not asked for ahead of its time, whatever the dice say."""
    for jitter in (0.0, 0.5, 1.0):
        book = _book(jitter)
        book.store(KEY, Granted("t", 300.0, renews=False), now=0.0)
        assert book.look(KEY, 299.9) == ("t", False, None)
        assert book.look(KEY, 300.0) == (None, True, None)


@pytest.mark.parametrize(
    "more",
    [
        {"session": "ses_1"},
        {"session": "ses_1", "generation": 1},
        {"session": "ses_1", "generation": 2},
        {"approval": "apr_1"},
        {"request_id": "mine"},
        {"actor_token": "a.a.a"},
    ],
)
def test_all_that_is_asked_for_makes_another_mandate(more: dict[str, Any]) -> None:
    """No mandate of one session, holder or approval is used for another."""
    assert replace(ASK, **more).key not in {KEY, replace(ASK, session="ses_2").key}
    assert replace(ASK, **more).key == replace(ASK, **more).key


def test_askings_of_single_use_are_told_apart_by_no_request_id() -> None:
    """Each has one of its own, and a no to one is a no to the next."""
    once = replace(ASK, single_use=True)
    assert replace(once, request_id="mine").key == once.key != KEY


def test_what_an_approval_gave_will_do_for_who_asks_without() -> None:
    """And nothing else will."""
    released = replace(ASK, approval="apr_1", request_id="mine")
    assert released.served == (released.key, KEY)
    assert replace(ASK, request_id="mine").served == (replace(ASK, request_id="mine").key,)


def test_tokens_do_not_show() -> None:
    """Not the subject's, nor the actor's."""
    shown = repr(Ask("resource://echo", frozenset(), "s.s.s", actor_token="a.a.a"))
    assert "s.s.s" not in shown
    assert "a.a.a" not in shown
