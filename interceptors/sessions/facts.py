"""What is known of a session or a delegation to whoever began it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from caracal_grpc.interceptors.context.session import Fate, InSession


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session that is open here: its id, and when it ends by itself, in Unix seconds.

    Hand it to `acting_in`, or to a channel as its `session`, to act in it elsewhere in this
    process. `generation` is that of the lease, of a service; `user` the issuer and the subject of
    whom it speaks for, when that is a person.
    """

    id: str
    expires_at: float | None
    labels: tuple[str, ...]
    generation: int
    user: tuple[str, str] | None
    place: InSession


@dataclass(frozen=True, slots=True)
class Delegated:
    """A delegation that was made here: `session_id` is what its receiver acts in."""

    id: str
    session_id: str
    receiver_id: str
    expires_at: float


def session_facts(message: Any, application: str, fate: Fate | None = None) -> dict[str, Any]:
    """The fields of an `OpenSession` of `application`, out of its message."""
    generation = message.lease.generation
    return {
        "id": message.id,
        "expires_at": seconds(message.expire_time) if message.HasField("expire_time") else None,
        "labels": tuple(message.labels),
        "generation": generation,
        "user": (message.user.issuer, message.user.subject) if message.HasField("user") else None,
        "place": InSession(message.id, application, generation, fate),
    }


def delegation_facts(message: Any) -> dict[str, Any]:
    """The fields of a `Delegated`, out of its message."""
    return {
        "id": message.id,
        "session_id": message.receiver_session_id,
        "receiver_id": message.receiver_id,
        "expires_at": seconds(message.expire_time),
    }


def seconds(value: Any) -> float:
    """A time or a duration of the wire; a time in Unix seconds."""
    return float(value.seconds + value.nanos / 1e9)
