"""Kinds of anchors, and how the end of each is kept in the record of the object itself.

A revocation only outlives what was issued. The mark in the object's own record, written in the same
commit, is what keeps anything new from being issued when the revocation is long forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import not_found
from caracal_grpc.core import ids
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.limits import MAX_SESSION_LIFE, REVOCATION_TTL, SESSION_RETENTION
from caracal_grpc.store.port import Key, Put, Record

Value = Mapping[str, Any]

SUBJECT_TTL: Final = MAX_SESSION_LIFE + REVOCATION_TTL
"""How long a revoked user is remembered: longer than any session of theirs that was begun before,
and than what a replica that lagged still let begin."""


def _is_there(value: Value | None, _: str) -> bool:
    return value is not None


@dataclass(frozen=True, slots=True)
class Mark:
    """The mark of one kind of anchor: in the record at `place(zone, anchor)`, for `ttl` seconds.

    `ended(value, now)` is what becomes of the record, and `is_ended` whether that has happened.
    `can_end` says whether what is at the place, if anything, is what the anchor names.
    """

    what: str
    place: Callable[[str, str], Key]
    ended: Callable[[Value, float], Value]
    is_ended: Callable[[Value], bool]
    ttl: int | None = None
    can_end: Callable[[Value | None, str], bool] = _is_there

    def put(self, anchor: str, place: Key, record: Record | None, now: float) -> Put:
        """The write that marks the object as ended at `now`; raises `OBJECT_NOT_FOUND`."""
        value = record.value if record else None
        if not self.can_end(value, anchor):
            raise not_found(self.what, anchor)
        before = value or {}
        return Put(place, {**before, **self.ended(before, now)}, ttl=self.ttl)


def mark_of(anchor: str) -> Mark | None:
    """The mark of an anchor, `None` for a mandate, which has no record.

    Raises `FIELD_INVALID` for what is no anchor.
    """
    kind = ids.prefix_of(anchor) or ""
    if kind not in _MARKS:
        raise field_invalid("anchor", f"must be an id that starts with {_PREFIXES}")
    return _MARKS[kind]


def session_of(anchor: str) -> str:
    """The session that the anchor of a session or a delegation ends: a delegation is one."""
    return ids.sibling(ids.SESSION, anchor)


def _session_ended(session: Value, now: float) -> Value:
    return {"terminated_at": session["terminated_at"] or int(now)}


def _session_is_ended(session: Value) -> bool:
    return session["terminated_at"] is not None


def _key_ended(key: Value, now: float) -> Value:
    return {"revoked": True, "ended_at": key.get("ended_at") or now, "sealed": None}


KEY_MARK: Final = Mark("key", places.key_place, _key_ended, lambda key: bool(key["revoked"]))

_MARKS: Final[Mapping[str, Mark | None]] = {
    ids.MANDATE: None,
    ids.SESSION: Mark(
        "session", places.session_place, _session_ended, _session_is_ended, SESSION_RETENTION
    ),
    ids.DELEGATION: Mark(
        "delegation",
        lambda zone, anchor: places.session_place(zone, session_of(anchor)),
        _session_ended,
        _session_is_ended,
        SESSION_RETENTION,
        lambda session, anchor: session is not None and session.get("delegation") == anchor,
    ),
    ids.APPLICATION: Mark(
        "application",
        places.application_place,
        lambda _, __: {"disabled": True, "credentials": [], "identities": [], "jwks": ""},
        lambda application: bool(application["disabled"]),
    ),
    ids.USER: Mark(
        "user",
        places.subject_place,
        lambda _, now: {"revoked_at": now},
        lambda _: True,
        SUBJECT_TTL,
        lambda *_: True,  # there is no record of a user before the first revocation
    ),
    ids.KEY: KEY_MARK,
}
_PREFIXES: Final = ", ".join(f"{kind}_" for kind in list(_MARKS)[:-1]) + f" or {ids.KEY}_"
