"""Calls of an edge that has an observer, each watched from before its mandate is asked for.

Two layers of interceptors go around those that attach the mandate: the outer one begins the
observation, so that an exchange takes place within it, and the inner one sees it end with the call
that is really made. One that is made once more is a call of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import grpc

from caracal_grpc.interceptors.observer import Observer, OutgoingCall, tell
from caracal_grpc.interceptors.rules.rules import Rules

Metadata = Iterable[tuple[str, str | bytes]] | None


class Watched:
    """A call that an observer hears of: whatever goes wrong there changes nothing of the call."""

    __slots__ = ("_call",)

    def __init__(self, call: OutgoingCall) -> None:
        self._call = call

    def current(self) -> AbstractContextManager[Any]:
        """As in `OutgoingCall`."""
        within: AbstractContextManager[Any] | None = tell(self._call.current)
        return nullcontext() if within is None else within

    def carried(self, metadata: Metadata) -> list[tuple[str, str | bytes]]:
        """As in `OutgoingCall`."""
        entries = list(metadata or ())
        carried: list[tuple[str, str | bytes]] | None = tell(self._call.carried, entries)
        return entries if carried is None else carried

    def sent(self, metadata: Metadata) -> None:
        """As in `OutgoingCall`."""
        tell(self._call.sent, metadata)

    def ended(self, code: grpc.StatusCode, trailing_metadata: Any) -> None:
        """As in `OutgoingCall`."""
        tell(self._call.ended, code, trailing_metadata)


@dataclass(frozen=True, slots=True)
class Tracing:
    """Who watches the calls of one channel, and what they are for."""

    observer: Observer
    application: str
    rules: Rules | None = None

    def begin(self, method: str | bytes, request: Any) -> Watched | None:
        """A call that is watched from now on; `None` when it is not."""
        method = method if isinstance(method, str) else method.decode()
        rule = None if self.rules is None else self.rules.find(method)
        # An exchange has no rule, and says what it is for.
        resource = getattr(request, "resource", "") if rule is None else rule.resource
        call: OutgoingCall | None = tell(self.observer.calling, method, resource, self.application)
        return None if call is None else Watched(call)


_Pending = tuple[Tracing, list[Watched]]
_PENDING: Final[ContextVar[_Pending | None]] = ContextVar("caracal_pending", default=None)
"""The call that the outer layer of a channel began, until the inner one of that takes it."""


@contextmanager
def pending(tracing: Tracing, call: Watched) -> Iterator[list[Watched]]:
    """Within it the inner layer finds `call`, in a list that is empty once it has."""
    waiting = [call]
    mark = _PENDING.set((tracing, waiting))
    try:
        with call.current():
            yield waiting
    finally:
        _PENDING.reset(mark)


def taken(tracing: Tracing) -> Watched | None:
    """The call that waits for the inner layer; that of an exchange finds none of another channel,
    though it takes place within its call.
    """
    whose, waiting = _PENDING.get() or (None, [])
    return waiting.pop() if whose is tracing and waiting else None
