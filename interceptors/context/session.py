"""The session that the running code acts in, when that is another than its standing one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, Protocol

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import SESSION, require_id


class Fate(Protocol):
    """What may become of a session while it is acted in."""

    def refused(self) -> CaracalError | None:
        """Why nothing can be done in it any more; `None` while something can."""
        ...


@dataclass(frozen=True, slots=True)
class InSession:
    """A session that exchanges act in; without an `id` the standing one.

    `application` is whose session it is: edges of others do not act in it. Empty: any edge does.
    `generation` is that of the lease which its holder has, of a service.
    """

    id: str = ""
    application: str = ""
    generation: int = 0
    fate: Fate | None = field(default=None, compare=False, repr=False)

    def require(self) -> InSession:
        """Itself, while something can be done in it; raises why not."""
        refusal = None if self.fate is None else self.fate.refused()
        if refusal is not None:
            raise refusal
        return self


class Held(Protocol):
    """A session as it is handed out by the edge that began it."""

    @property
    def place(self) -> InSession:
        """Where exchanges act within it."""
        ...


Place = str | Held | InSession | None
"""A session as callers name it: by its id, or as the edge handed it out."""

_PLACES: Final[ContextVar[tuple[InSession, ...]]] = ContextVar("caracal_acting_in", default=())
STANDING: Final = InSession()


@contextmanager
def acting_in(session: str | Held | None) -> Iterator[None]:
    """Within it every exchange of this process acts in `session`; the innermost one counts.

    It is for what receives a delegation, in the session that it made, and for threads and tasks
    that do not inherit the session which they belong to: `session` is an id, `ses_…`, or what
    `Edge.session` gave. `None` is the standing session. A channel that was made for a session, and
    an exchange that names one, stay with theirs. Raises `FIELD_INVALID` for what is no id.

        with acting_in(handed.session_id):
            await orders.Place(request)

    The authority of a delegation takes the place of that of a caller, and is not added to it: go
    over a channel of `on_behalf="self"`.
    """
    if isinstance(session, str):
        require_id("acting_in", session, SESSION)
    with placed(place_of(session) or STANDING):
        yield


@contextmanager
def placed(place: InSession) -> Iterator[None]:
    """Within it exchanges act at `place`."""
    mark = _PLACES.set((*_PLACES.get(), place))
    try:
        yield
    finally:
        try:  # noqa: SIM105 - as in `leave` of the call that is served
            _PLACES.reset(mark)
        except ValueError:  # closed by another context, which never was there
            pass


def place_of(session: Place) -> InSession | None:
    """What `session` names; `None` when nothing is said."""
    if session is None or isinstance(session, InSession):
        return session
    return InSession(session) if isinstance(session, str) else session.place


def current_place(application: str) -> InSession | None:
    """Where the exchanges of `application` act here; `None` when nobody said."""
    places = _PLACES.get()
    if not places:
        return None
    return next((each for each in reversed(places) if each.application in ("", application)), None)
