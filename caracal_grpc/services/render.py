"""Between the values of the authority and the messages of the wire, for several services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from caracal_grpc.authority.revocation.feed import ZoneKeys
from caracal_grpc.authority.state.fallen import Fallen
from caracal_grpc.core.ceiling import UNBOUNDED, Ceiling
from caracal_grpc.core.entry import MAX_INT
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import require_resource_or_family, require_scope, require_slug
from caracal_grpc.core.limits import (
    MAX_CEILING,
    MAX_CONTEXT,
    MAX_CONTEXT_KEY,
    MAX_CONTEXT_VALUE,
    MAX_REASON_TEXT,
    MAX_SCOPES,
)
from caracal_grpc.core.session import SessionState
from caracal_grpc.v1 import application_pb2, key_pb2, mandate_pb2, revocation_pb2, session_pb2

SUBJECT_TYPES: Final = {
    "application": mandate_pb2.SUBJECT_TYPE_APPLICATION,
    "user": mandate_pb2.SUBJECT_TYPE_USER,
}
"""The wire form of `sub_type`."""

SESSION_STATES: Final[Mapping[SessionState, session_pb2.SessionState]] = {
    "active": session_pb2.SESSION_STATE_ACTIVE,
    "terminated": session_pb2.SESSION_STATE_TERMINATED,
    "expired": session_pb2.SESSION_STATE_EXPIRED,
    "suspended": session_pb2.SESSION_STATE_SUSPENDED,
    "lapsed": session_pb2.SESSION_STATE_LAPSED,
}
"""The wire form of the state of a session."""


def timestamp(seconds: float) -> Timestamp:
    """Seconds since the Unix epoch as the well-known type."""
    return Timestamp(seconds=int(seconds), nanos=int(seconds % 1 * 1_000_000_000))


def milliseconds(moment: Timestamp) -> int:
    """A moment in milliseconds since the Unix epoch, kept within what every engine can compare."""
    exact = moment.seconds * 1000 + moment.nanos // 1_000_000
    return max(-MAX_INT, min(exact, MAX_INT))


def duration(seconds: float) -> Duration:
    """Seconds as the well-known type."""
    return Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1_000_000_000))


def whole_seconds(field: str, length: Duration, most: int) -> int:
    """A duration in seconds, rounded up, 0 when unset; raises `FIELD_INVALID` out of bounds."""
    seconds = length.seconds + (1 if length.nanos > 0 else 0)
    if length.seconds < 0 or not 0 <= length.nanos < 1_000_000_000 or seconds > most:
        raise field_invalid(field, f"must be 0 s to {most} s")
    return seconds


def generation(field: str, value: int, *, least: int) -> int:
    """The generation of a lease, at least `least`; raises `FIELD_INVALID`."""
    if value < least:
        raise field_invalid(field, f"must be at least {least}")
    return value


def zone_name(value: str) -> str:
    """The field `zone` of any request; raises `FIELD_INVALID`."""
    return require_slug("zone", value)


def reason_text(value: str) -> str:
    """The field `reason` of any request; raises `FIELD_INVALID`."""
    if len(value) > MAX_REASON_TEXT:
        raise field_invalid("reason", f"must be at most {MAX_REASON_TEXT} characters")
    return value


def scopes(field: str, values: Sequence[str]) -> frozenset[str]:
    """The scopes that a request names; raises `FIELD_INVALID`."""
    if len(values) > MAX_SCOPES:
        raise field_invalid(field, f"must be at most {MAX_SCOPES}")
    return frozenset(require_scope(field, scope) for scope in values)


def context_facts(field: str, values: Mapping[str, str]) -> dict[str, str]:
    """What a request tells policy of the call; raises `FIELD_INVALID`."""
    if len(values) > MAX_CONTEXT:
        raise field_invalid(field, f"must hold at most {MAX_CONTEXT} facts")
    if any(len(key) > MAX_CONTEXT_KEY for key in values):
        raise field_invalid(field, f"keys must be at most {MAX_CONTEXT_KEY} characters")
    if any(len(value) > MAX_CONTEXT_VALUE for value in values.values()):
        raise field_invalid(field, f"values must be at most {MAX_CONTEXT_VALUE} characters")
    return dict(values)


def ceiling(field: str, parts: Sequence[application_pb2.Ceiling]) -> Ceiling:
    """A ceiling; no parts mean no bound. Raises `FIELD_INVALID`."""
    if not parts:
        return UNBOUNDED
    if len(parts) > MAX_CEILING:
        raise field_invalid(field, f"must be at most {MAX_CEILING} resources")
    limits: dict[str, frozenset[str]] = {}
    for part in parts:
        name = require_resource_or_family(f"{field}.resource", part.resource)
        limits[name] = limits.get(name, frozenset()) | frozenset(part.scopes)
    return Ceiling(limits)


def ceiling_parts(value: Ceiling) -> list[application_pb2.Ceiling]:
    """The wire form of a ceiling."""
    limits = value.limits or {}
    return [
        application_pb2.Ceiling(resource=name, scopes=sorted(limits[name]))
        for name in sorted(limits)
    ]


def json_web_key(jwk: Mapping[str, str]) -> key_pb2.JsonWebKey:
    """The wire form of a public key."""
    return key_pb2.JsonWebKey(**{name: jwk[name] for name in _JWK})


_JWK = ("kty", "crv", "x", "y", "kid", "use", "alg")


def key_set(keys: ZoneKeys) -> key_pb2.KeySet:
    """The wire form of what an edge must know of a zone's keys."""
    return key_pb2.KeySet(
        zone=keys.trust.zone,
        issuer=keys.trust.issuer,
        keys=[json_web_key(key.jwk) for key in keys.keys.values()],
        max_ttl_seconds=keys.trust.max_ttl,
        max_hops=keys.trust.max_hops,
        issued_before=keys.trust.issued_before,
    )


def fallen(each: Fallen) -> revocation_pb2.Fallen:
    """The wire form of what falls."""
    session = each.session
    return revocation_pb2.Fallen(
        session_id=session.id,
        delegation_id=session.delegation,
        parent_id=session.parent,
        application_id=session.application,
        application_name=each.application_name,
        state=SESSION_STATES[each.state],
        depth=each.depth,
    )


def page(field: str, page_size: int, default: int, most: int) -> int:
    """How many objects a page holds; raises `FIELD_INVALID`."""
    if not 0 <= page_size <= most:
        raise field_invalid(field, f"must be 1 to {most}, or 0 for {default}")
    return page_size or default
