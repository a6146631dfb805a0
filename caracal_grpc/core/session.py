"""Sessions: the running units that are granted, narrowed and revoked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from caracal_grpc.core.ceiling import UNBOUNDED, Ceiling
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import SubjectType
from caracal_grpc.core.reason import Reason

SessionState = Literal["active", "terminated", "expired"]


@dataclass(frozen=True, slots=True)
class Session:
    """One session. `expires_at` is `None` for an application's standing session.

    Times are in seconds since the Unix epoch; `parent` is empty and `root` is itself for a root.
    """

    id: str
    zone: str
    application: str
    subject: str
    root: str
    created_at: int
    subject_type: SubjectType = "application"
    parent: str = ""
    labels: tuple[str, ...] = ()
    ceiling: Ceiling = UNBOUNDED
    expires_at: int | None = None
    terminated_at: int | None = None
    standing: bool = False

    def state(self, now: float) -> SessionState:
        """What the session is at `now`, by itself; its ancestors are asked separately."""
        if self.terminated_at is not None:
            return "terminated"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return "active"

    def terminated(self, now: float) -> Session:
        """The session as ended at `now`; ending again keeps the first time."""
        return self if self.terminated_at is not None else replace(self, terminated_at=int(now))

    def to_value(self) -> dict[str, Any]:
        """The JSON form for the store."""
        return {
            "id": self.id,
            "zone": self.zone,
            "application": self.application,
            "subject": self.subject,
            "subject_type": self.subject_type,
            "root": self.root,
            "parent": self.parent,
            "labels": list(self.labels),
            "ceiling": self.ceiling.to_value(),
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "terminated_at": self.terminated_at,
            "standing": self.standing,
        }

    @staticmethod
    def from_value(value: Mapping[str, Any]) -> Session:
        """The session that `to_value` wrote."""
        known = {name: value[name] for name in _PLAIN if name in value}
        return Session(
            **known,
            labels=tuple(value["labels"]),
            ceiling=Ceiling.from_value(value["ceiling"]),
        )


_PLAIN = (
    "id",
    "zone",
    "application",
    "subject",
    "subject_type",
    "root",
    "parent",
    "created_at",
    "expires_at",
    "terminated_at",
    "standing",
)


def require_alive(lineage: Sequence[Session], now: float) -> None:
    """Raises `SESSION_NOT_ACTIVE`, naming the session, unless each of `lineage` is active."""
    for session in lineage:
        state = session.state(now)
        if state != "active":
            raise session_not_active(session.id, state)


def session_not_active(session: str, state: str) -> CaracalError:
    """The refusal of work in a session that is over or unknown (`SESSION_NOT_ACTIVE`)."""
    return CaracalError(
        Reason.SESSION_NOT_ACTIVE,
        f"the session is {state}; start a new one",
        metadata={"session": session},
    )
