"""What is personal of an event, and is kept apart from what the tree is made of.

An event of version 1 holds everything. One of version 2 holds a salted hash, `personal`, in place
of what tells of a person, so that it can be forgotten while the event, and every proof over it,
stays as it is. What has one of the names below is personal, unless it is the id of something that
is no person, such as an application: those stay where everybody can search and prove them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from caracal_grpc.core.ids import USER, prefix_of

VERSION: Final = 2
COMMITMENT: Final = "personal"
"""The member of an event that holds the hash."""

PERSONAL_FIELDS: Final = ("answer", "peer", "question", "subject")
"""On whose behalf, from where, and what policy was told of them and made of it."""
PERSONAL_DETAILS: Final = ("anchor", "filter", "for", "why")
"""Who was revoked, whose sessions, for whom a session was begun, and what somebody wrote as the
reason."""

_NAMES: Final = frozenset(PERSONAL_DETAILS)
_OF_A_PERSON: Final = frozenset({None, USER})
"""Prefixes of what may be a person: none at all, and that of users."""


def is_personal(value: object) -> bool:
    """Whether what has a personal name tells of a person: all but ids of other things."""
    return not isinstance(value, str) or prefix_of(value) in _OF_A_PERSON


def parted(event: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """An event of version 1 as one of version 2 without what is personal, and that."""
    rest = {**event, "v": VERSION}
    personal = _taken(rest, PERSONAL_FIELDS)
    details = rest.get("details")
    if details and not _NAMES.isdisjoint(details):
        left = dict(details)
        if taken := _taken(left, PERSONAL_DETAILS):
            personal["details"] = taken
            rest["details"] = left
            if not left:
                del rest["details"]
    return rest, personal


def whole(event: Mapping[str, Any], personal: object) -> dict[str, Any]:
    """What `parted` took apart, together again; raises `ValueError` for what it never makes."""
    if COMMITMENT not in event:
        raise ValueError("the event commits to nothing")
    named = _object(personal)
    details, rest = _object(named.get("details", {})), _object(event.get("details", {}))
    if named.keys() - {"details", *PERSONAL_FIELDS} or details.keys() - _NAMES:
        raise ValueError("what is personal has a name that never is")
    together = {**event, **named}
    del together[COMMITMENT]
    if details:
        together["details"] = {**rest, **details}
    return together


def _object(value: object) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    raise ValueError("what is personal is no object")


def _taken(values: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """What is personal of some values, which no longer have it."""
    found = [name for name in names if name in values and is_personal(values[name])]
    return {name: values.pop(name) for name in found}
