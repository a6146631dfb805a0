"""Random work of four applications, two users, a reviewer and an operator in one zone."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from tests.model import reference
from tests.model.play import Paused, Play
from tests.model.reference import Mandate, Reach, Request, Session
from tests.model.stage import USERS, WORKERS, Stage

READ = frozenset({"docs:read"})
BOTH = frozenset({"docs:read", "docs:write"})
DROP = frozenset({reference.DROP})
SEND = frozenset({"mail:send"})

reaches = st.sampled_from([{reference.DOCS: READ}, {reference.DOCS: BOTH}, dict(reference.SCOPES)])
wishes = st.sampled_from(
    [
        (reference.DOCS, READ),
        (reference.DOCS, BOTH),
        (reference.DOCS, DROP),
        (reference.MAIL, SEND),
    ]
)
workers = st.sampled_from(WORKERS)
others = st.sampled_from([""] * 16 + [*WORKERS])
"""Usually nobody but the holder of the session; now and then somebody tries whose it is not."""
lives = st.sampled_from((60, 600, 6000))
places = st.integers(0, 99)
seldom = st.sampled_from([False, False, True])


class AuthorityMachine(RuleBasedStateMachine):
    """`seen` counts what was answered, over all runs."""

    sessions = Bundle("sessions")
    mandates = Bundle("mandates")

    def __init__(self, stage: Stage, seen: Counter[str]) -> None:
        super().__init__()
        self.stage = stage
        self.seen = seen
        self.play: Play | None = None

    def teardown(self) -> None:
        """Whatever came of it."""
        if self.play is not None:
            self.play.close()

    @initialize(target=sessions, visibility=st.sampled_from(["FULL", "HASHED", "LAST"]))
    def begin(self, visibility: str) -> Any:
        """Every application has its standing session, and some have passed authority on."""
        play = self.play = Play(self.stage, visibility, self.seen)
        anna, bert, cleo, dora = WORKERS
        login = play.start(anna, play.standing[anna], None, 6000, USERS[0])
        assert login
        made = [login]
        for giver, receiver in ((anna, bert), (bert, cleo)):
            landing = play.delegate(giver, made[-1], receiver, {reference.DOCS: BOTH}, 6000, None)
            assert landing
            made.append(landing)
        plain = play.delegate(dora, play.standing[dora], anna, {reference.DOCS: READ}, 600, None)
        assert plain
        task = play.start(dora, play.standing[dora], None, 200, "")
        assert task
        below = play.start(dora, task, None, 6000, "")
        assert below
        return multiple(below, task, *play.standing.values(), *made, plain)

    @rule(
        target=sessions,
        above=sessions,
        other=others,
        reach=st.none() | reaches,
        life=lives,
        user=st.sampled_from(["", "", "", *USERS]),
    )
    def start(self, above: Session, other: str, reach: Reach | None, life: int, user: str) -> Any:
        """A session below another."""
        return _made(self._play.start(other or above.holder, above, reach, life, user))

    @rule(
        target=sessions,
        above=sessions,
        other=others,
        receiver=workers,
        reach=reaches,
        life=lives,
        hops=st.sampled_from([None, None, 0, 1, 2]),
    )
    def delegate(
        self,
        above: Session,
        other: str,
        receiver: str,
        reach: Reach,
        life: int,
        hops: int | None,
    ) -> Any:
        """A session of somebody else below another."""
        holder = other or above.holder
        return _made(self._play.delegate(holder, above, receiver, reach, life, hops))

    @rule(target=mandates, session=sessions, wish=wishes, other=others)
    def exchange(self, session: Session, wish: Any, other: str) -> Any:
        """A mandate, as plain as can be."""
        request = Request(other or session.holder, session, *wish)
        return _made(self._play.exchange(request, None))

    @rule(
        target=mandates,
        session=sessions,
        wish=wishes,
        behind=mandates,
        life=st.sampled_from([None, 30]),
        index=st.none() | places,
    )
    def exchange_on_behalf(
        self, session: Session, wish: Any, behind: Mandate, life: int | None, index: int | None
    ) -> Any:
        """A mandate on behalf of the holder of another, with whatever approval there is."""
        request = Request(session.holder, session, *wish, behind, life)
        return _made(self._play.exchange(request, self._paused(index)))

    @rule(target=mandates, session=sessions, next_one=sessions, wish=wishes)
    def call_on(self, session: Session, next_one: Session, wish: Any) -> Any:
        """A mandate, and at once another on behalf of its holder."""
        first = self._play.exchange(Request(session.holder, session, *wish), None)
        if first is None:
            return multiple()
        request = Request(next_one.holder, next_one, *wish, first)
        second = self._play.exchange(request, None)
        return multiple(*(each for each in (first, second) if each))

    @rule(target=mandates, session=sessions, approved=st.sampled_from([True, True, False]))
    def ask_first(self, session: Session, approved: bool) -> Any:
        """What needs an approval, asked for, decided about and used at once."""
        known = len(self._play.paused)
        request = Request(session.holder, session, reference.DOCS, DROP)
        self._play.exchange(request, None)
        for paused in self._play.paused[known:]:
            self._play.review(paused, approved=approved, own=False)
            return _made(self._play.exchange(request, paused))
        return multiple()

    @precondition(lambda self: self.play and self.play.paused)
    @rule(target=mandates, index=places)
    def use(self, index: int) -> Any:
        """A request is made again with the approval that it waits for."""
        paused = self._paused(index)
        assert paused is not None
        return _made(self._play.exchange(paused.model.request, paused))

    @precondition(lambda self: self.play and self.play.paused)
    @rule(index=places, approved=st.sampled_from([True, True, False]), own=seldom)
    def review(self, index: int, approved: bool, own: bool) -> None:
        """A held request is decided about."""
        paused = self._paused(index)
        assert paused is not None
        self._play.review(paused, approved=approved, own=own)

    @rule(mandate=mandates, index=places)
    def stop(self, mandate: Mandate, index: int) -> None:
        """A session that a mandate stands on is suspended, or resumed."""
        self._play.stop(_part(mandate, index))

    @rule(mandate=mandates, index=places)
    def revoke_session(self, mandate: Mandate, index: int) -> None:
        """A session with all below it; now and then a standing one."""
        session = _part(mandate, index)
        if session.above or not index % 4:
            self._play.revoke("session", mandate, session)

    @rule(mandate=mandates, index=places)
    def revoke_delegation(self, mandate: Mandate, index: int) -> None:
        """A delegation with all below it."""
        delegated = [each for each in mandate.lineage() if each.delegated]
        if delegated:
            self._play.revoke("delegation", mandate, delegated[index % len(delegated)])

    @rule(mandate=mandates)
    def revoke_mandate(self, mandate: Mandate) -> None:
        """A mandate alone."""
        self._play.revoke("mandate", mandate, mandate.session)

    @rule(mandate=mandates)
    def revoke_user(self, mandate: Mandate) -> None:
        """Whoever the mandate speaks for, if that is a person."""
        for session in mandate.lineage():
            if session.user:
                self._play.revoke("user", mandate, session)

    @rule(mandate=mandates, index=places)
    def revoke_application(self, mandate: Mandate, index: int) -> None:
        """An application with all that it holds; now and then, since it never comes back."""
        if not index % 8:
            self._play.revoke("application", mandate, _part(mandate, index))

    @rule(seconds=st.sampled_from([10, 40, 200]))
    def expire(self, seconds: int) -> None:
        """Time goes by."""
        self._play.pass_time(seconds)

    @invariant()
    def guards_agree(self) -> None:
        """Nothing that is dead passes a guard, and nothing that lives is refused."""
        if self.play is not None:
            self.play.compare_guards()

    @property
    def _play(self) -> Play:
        assert self.play is not None
        return self.play

    def _paused(self, index: int | None) -> Paused | None:
        paused = self._play.paused
        return None if index is None or not paused else paused[index % len(paused)]


def _made(value: Session | Mandate | None) -> Any:
    return multiple() if value is None else value


def _part(mandate: Mandate, index: int) -> Session:
    stands_on = mandate.lineage()
    return stands_on[index % len(stands_on)]
