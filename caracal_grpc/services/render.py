"""Between the values of the authority and the messages of the wire, for several services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from caracal_grpc.authority.revocation.feed import ZoneKeys
from caracal_grpc.core.ceiling import UNBOUNDED, Ceiling
from caracal_grpc.core.entry import MAX_INT
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import require_resource_or_family, require_slug
from caracal_grpc.core.limits import MAX_CEILING, MAX_REASON_TEXT
from caracal_grpc.v1 import application_pb2, key_pb2, mandate_pb2

SUBJECT_TYPES: Final = {
    "application": mandate_pb2.SUBJECT_TYPE_APPLICATION,
    "user": mandate_pb2.SUBJECT_TYPE_USER,
}
"""The wire form of `sub_type`."""


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


def zone_name(value: str) -> str:
    """The field `zone` of any request; raises `FIELD_INVALID`."""
    return require_slug("zone", value)


def reason_text(value: str) -> str:
    """The field `reason` of any request; raises `FIELD_INVALID`."""
    if len(value) > MAX_REASON_TEXT:
        raise field_invalid("reason", f"must be at most {MAX_REASON_TEXT} characters")
    return value


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
    )


def page(field: str, page_size: int, default: int, most: int) -> int:
    """How many objects a page holds; raises `FIELD_INVALID`."""
    if not 0 <= page_size <= most:
        raise field_invalid(field, f"must be 1 to {most}, or 0 for {default}")
    return page_size or default
