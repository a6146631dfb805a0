"""What is asked of a new session, and the session that comes of it: never more than its parent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from caracal_grpc.core.ceiling import Ceiling, ceiling_exceeded
from caracal_grpc.core.chain import chain_of
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.limits import DEFAULT_LEASE, DEFAULT_SESSION_LIFE, MAX_SESSION_LIFE
from caracal_grpc.core.session import Lease, Session, SessionKind
from caracal_grpc.core.user import User


@dataclass(frozen=True, slots=True)
class SessionStart:
    """What is asked of a new session; `life` and `lease` are in seconds, 0 for the default.

    With an `id_token` it speaks for that user.
    """

    zone: str
    parent: str = ""
    labels: tuple[str, ...] = ()
    ceiling: Ceiling | None = None
    life: int = 0
    kind: SessionKind = "task"
    lease: int = 0
    id_token: str = field(default="", repr=False)


def require_fits(line: Sequence[Session], start: SessionStart) -> None:
    """Returns when there can be such a session below a line of one application's, root first.

    Raises `FIELD_INVALID` for a kind that cannot be there, `CEILING_EXCEEDED` for what is wider
    than the parent.
    """
    parent = line[-1]
    _require_kind(parent, start)
    if start.id_token:
        _require_own_voice(line)
    ceiling, labels = start.ceiling or parent.ceiling, start.labels or parent.labels
    # A grant may ask for a label, so a label that one gives oneself would be authority.
    if not ceiling.within(parent.ceiling) or not set(labels) <= set(parent.labels):
        raise ceiling_exceeded(parent.id)


def session_below(
    line: Sequence[Session], start: SessionStart, user: User | None, session_id: str, now: int
) -> Session:
    """The session that `start` asks for below a line of sessions of one application, root first.

    It speaks for `user`, or for whom the line speaks for. Raises what `require_fits` raises.
    """
    require_fits(line, start)
    parent = line[-1]
    return Session(
        id=session_id,
        zone=parent.zone,
        application=parent.application,
        subject=user.id if user else parent.subject,
        subject_type="user" if user else parent.subject_type,
        root=parent.root,
        parent=parent.id,
        created_at=now,
        labels=start.labels or parent.labels,
        ceiling=start.ceiling or parent.ceiling,
        expires_at=_end(parent, start, now),
        kind=start.kind,
        lease=_lease(start, now),
        user=user or parent.user,
    )


def _end(parent: Session, start: SessionStart, now: int) -> int | None:
    """When it ends by itself: a service by its lease alone, unless it is told to."""
    life = start.life or (0 if start.kind == "service" else DEFAULT_SESSION_LIFE)
    ends = [parent.expires_at, now + min(life, MAX_SESSION_LIFE) if life else None]
    return min((end for end in ends if end is not None), default=None)


def _lease(start: SessionStart, now: int) -> Lease | None:
    if start.kind != "service":
        return None
    seconds = start.lease or DEFAULT_LEASE
    return Lease(1, seconds, now + seconds)


def _require_kind(parent: Session, start: SessionStart) -> None:
    if start.kind == "task":
        if start.lease:
            raise field_invalid("lease", "must be unset for a task; ask for a service")
        return
    if start.id_token:
        raise field_invalid("kind", "must be a task, to speak for a user")
    if parent.kind == "task":
        raise field_invalid("kind", "must be a task, below a task or a user's session")


def _require_own_voice(line: Sequence[Session]) -> None:
    """A user speaks through one application that speaks for nobody else."""
    if chain_of(line) or line[-1].subject != line[-1].application:
        raise field_invalid("parent_id", "must speak for your application itself, to add a user")
