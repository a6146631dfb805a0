"""The third axis: how the mandate of a call that runs dies, and where its handler is then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from caracal_grpc.core.reason import Reason
from tests.conformance.journal import Journal
from tests.conformance.stage import BOUND, Stage, eventually
from tests.conformance.styles import GIVING, STREAMS, TAKING, Handler


@dataclass(frozen=True)
class End:
    """One death."""

    reason: Reason
    comes: Callable[[Stage], object]
    told: Callable[[Stage], dict[str, str]] = lambda _: {}
    """The metadata of the refusal that follows."""


ENDS: dict[str, End] = {
    "revoked": End(
        Reason.MANDATE_REVOKED,
        lambda stage: stage.feed.revoke(stage.mandate.session),
        lambda stage: {"anchor": stage.mandate.session},
    ),
    "floor_raised": End(
        Reason.MANDATE_REVOKED,
        lambda stage: stage.feed.revoke_issued_before(stage.mandate.issued_at + 1),
        lambda stage: {"anchor": stage.mandate.zone},
    ),
    "expired": End(Reason.MANDATE_EXPIRED, lambda stage: stage.authority.clock.advance(600)),
    "key_gone": End(
        Reason.KEY_UNKNOWN,
        lambda stage: stage.feed.forget_key(stage.mandate.kid),
        lambda stage: {"kid": stage.mandate.kid},
    ),
    "stale": End(Reason.AUTHORITY_STALE, lambda stage: stage.feed.go_stale()),
}


def _began(answers: int) -> Callable[[Journal], bool]:
    return lambda journal: journal.begun >= answers


@dataclass(frozen=True)
class Moment:
    """What a handler does when the end comes."""

    words: tuple[str, ...]
    """What it is told to do; the second it is not to see."""
    handlers: list[Handler]
    come: Callable[[Journal], object] = lambda _: True
    """Whether it does it."""
    held_up: bool = False
    """Whether its client does not read, until the server can send no more."""


MOMENTS: dict[str, Moment] = {
    "idle": Moment(("wait", "unseen"), STREAMS, lambda journal: journal.waiting),
    "reading": Moment(("read",), TAKING),
    "answering": Moment(("busy",), GIVING),
    "idle_unread": Moment(("wait unread", "unseen"), GIVING, _began(1), held_up=True),
    "in_a_later_write": Moment(("flood",), GIVING, _began(2), held_up=True),
}


async def enter(stage: Stage, moment: Moment, *, timeout: float = BOUND) -> object:
    """The call, its handler in that moment."""
    words = moment.words[:1] if stage.handler.style.reads_on else moment.words
    call = await stage.open(*words, timeout=timeout)
    await eventually(lambda: moment.come(stage.journal))
    while moment.held_up and await _goes_on(stage):
        pass
    return call


async def _goes_on(stage: Stage) -> bool:
    """Whether the handler answers on, although nobody reads."""
    begun = stage.journal.begun
    for _ in range(12):
        await asyncio.sleep(0.003)
    return stage.journal.begun != begun
