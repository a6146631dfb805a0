"""Sessions: the running units that are granted, narrowed and revoked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from caracal_grpc.core.ceiling import UNBOUNDED, Ceiling
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.mandate import SubjectType
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.user import User

SessionKind = Literal["standing", "task", "service"]
SessionState = Literal["active", "suspended", "lapsed", "terminated", "expired"]


@dataclass(frozen=True, slots=True)
class Lease:
    """What keeps a service session alive: renewed for `seconds`, it lasts until `expires_at`.

    `generation` goes up by one whenever another holder takes the session over, so that the holder
    before it is told apart and kept out, however late it wakes up.
    """

    generation: int
    seconds: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Session:
    """One session: standing for an application, a task with a life, or a service with a lease.

    `expires_at` is `None` for one that ends by no time of its own. Times are in seconds since the
    Unix epoch; `parent` is empty and `root` is itself for a root. `delegation` is the one that made
    it, `del_…`, when another application's session is above it; `max_hops` is then how many more
    times authority may be passed on below it. `user` is whom it speaks for when that is a person.
    `suspended_by` is the application that suspended it, and `slots` are the places that it takes of
    how many there may be.
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
    kind: SessionKind = "task"
    suspended_at: int | None = None
    lease: Lease | None = None
    delegation: str = ""
    max_hops: int | None = None
    user: User | None = None
    suspended_by: str = ""
    slots: tuple[str, ...] = ()

    @property
    def standing(self) -> bool:
        """Whether it is its application's own, for calls outside any other."""
        return self.kind == "standing"

    @property
    def ends_at(self) -> int | None:
        """When it is over unless its lease is renewed; `None` for never."""
        ends = [self.expires_at, self.lease.expires_at if self.lease else None]
        return min((end for end in ends if end is not None), default=None)

    def state(self, now: float) -> SessionState:
        """What the session is at `now`, by itself; its ancestors are asked separately."""
        if self.terminated_at is not None:
            return "terminated"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        if self.suspended_at is not None:
            return "suspended"
        if self.lease is not None and self.lease.expires_at <= now:
            return "lapsed"
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
            "kind": self.kind,
            "suspended_at": self.suspended_at,
            "lease": asdict(self.lease) if self.lease else None,
            "delegation": self.delegation,
            "max_hops": self.max_hops,
            "user": self.user.to_value() if self.user else None,
            "suspended_by": self.suspended_by,
            "slots": list(self.slots),
        }

    @staticmethod
    def from_value(value: Mapping[str, Any]) -> Session:
        """The session that `to_value` wrote."""
        known = {name: value[name] for name in _PLAIN if name in value}
        return Session(
            **known,
            labels=tuple(value["labels"]),
            ceiling=Ceiling.from_value(value["ceiling"]),
            lease=Lease(**value["lease"]) if value["lease"] else None,
            user=User(**value["user"]) if value["user"] else None,
            slots=tuple(value["slots"]),
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
    "kind",
    "suspended_at",
    "delegation",
    "max_hops",
    "suspended_by",
)


def session_not_active(session: str, state: str) -> CaracalError:
    """The refusal of work in a session that is over or unknown (`SESSION_NOT_ACTIVE`)."""
    return CaracalError(
        Reason.SESSION_NOT_ACTIVE,
        f"the session is {state}; {_ADVICE.get(state, 'start a new one')}",
        metadata={"session": session, "state": state},
    )


def require_generation(session: Session, generation: int) -> None:
    """Returns when `generation` is that of the session's lease, 0 for a session without one.

    Raises `FIELD_INVALID` for none where there is a lease, or one where there is none,
    `LEASE_FENCED` for the holder that another has taken over from, and `AUTHORITY_STALE` for one
    that is newer than what is known here, since the news of a takeover may be on its way.
    """
    current = session.lease.generation if session.lease else 0
    if generation == current:
        return
    if not current:
        raise field_invalid("lease_generation", "must be 0: the session is no service")
    if not generation:
        raise field_invalid(
            "lease_generation",
            "must be the generation of your lease, as Start or TakeOver answered it, to act in a "
            "service session; sessions below it need none",
        )
    if generation > current:
        raise CaracalError(
            Reason.AUTHORITY_STALE, "no holder of that generation is known yet", retry_after=1.0
        )
    raise CaracalError(
        Reason.LEASE_FENCED,
        "another holder has taken the session over; stop the work",
        metadata={"session": session.id, "generation": str(current)},
    )


_ADVICE = {
    "suspended": "wait until it is resumed",
    "lapsed": "renew its lease, or take it over",
}
