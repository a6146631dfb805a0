"""When the heartbeats of one stream were sent, on the clock of this process alone."""

from __future__ import annotations

from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason

AHEAD: Final = 2.0
"""Seconds that the authority's clock may gain on ours within a stream. An hour of the fastest slew
that NTP makes is 1.8 s; what gains more was set forwards."""

PATIENCE: Final = 3.5
"""Seconds for which the heartbeats of a stream may be late before it is given up. A process that
was stopped reads through what has queued in far less."""


class Proof:
    """Bounds from below when each heartbeat of one stream was sent; no clocks need agree.

    The authority stamps each heartbeat with its clock. It stamped the first one after the stream
    was asked for, hence not before `opened` on our monotonic clock, and each later one as long
    after the first as the stamps are apart. Whoever holds heartbeats back, on the way or in the
    queue of a stopped process, makes them old; so does whoever holds back a new stream, so that
    breaking the old one gains nothing. No base is carried from stream to stream, and another
    replica may have another clock.

    A clock that is set forwards would hide a delay: beyond `AHEAD` the stream is refused at once. A
    clock that is set backwards makes heartbeats look late: they age the view, and when they are
    older than `late` for `PATIENCE`, the stream is refused as well, and the next one proves itself
    anew. What remains: a delay of up to `AHEAD`, while the authority's clock gains as much; and a
    machine that sleeps with its monotonic clock stopped.
    """

    __slots__ = ("_base", "_late", "_late_since", "_opened")

    def __init__(self, opened: float, late: float) -> None:
        self._opened = opened
        self._late = late
        self._base: float | None = None
        self._late_since: float | None = None

    def sent(self, stamp: float, now: float) -> float:
        """The monotonic time before which a heartbeat that arrives `now` was not sent.

        `stamp` is in Unix seconds of the authority. Raises `AUTHORITY_STALE` when the stream is no
        proof any more and must be opened again.
        """
        if self._base is None:
            self._base = self._opened - stamp
        sent = self._base + stamp
        if sent - now > AHEAD:
            raise _opened_again("the authority's clock was set forwards")
        if now - sent <= self._late:
            self._late_since = None
        elif self._late_since is None:
            self._late_since = now
        elif now - self._late_since > PATIENCE:
            raise _opened_again("its heartbeats are late, or the authority's clock was set back")
        return min(sent, now)


def _opened_again(what: str) -> CaracalError:
    return CaracalError(Reason.AUTHORITY_STALE, f"the feed proves nothing: {what}; open it again")
