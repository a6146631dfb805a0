"""What a request to revoke is aimed at."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from caracal_grpc.authority.revocation.session_filter import SessionFilter
from caracal_grpc.core import ids
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.services import render
from caracal_grpc.v1 import revocation_pb2, revocation_service_pb2

Aim = str | SessionFilter | float
"""An anchor, the sessions that a filter fits, or all mandates issued before a moment (seconds since
the Unix epoch)."""


def aim(request: revocation_service_pb2.RevocationServiceRevokeRequest) -> Aim:
    """The one thing that is to be revoked; raises `FIELD_INVALID`."""
    by_filter, by_time = request.HasField("filter"), request.HasField("issued_before")
    if [bool(request.anchor), by_filter, by_time].count(True) != 1:
        raise field_invalid("anchor", "set exactly one of anchor, filter and issued_before")
    if by_filter:
        return session_filter(request.filter)
    return _moment("issued_before", request.issued_before) if by_time else request.anchor


def session_filter(message: revocation_pb2.SessionFilter) -> SessionFilter:
    """A filter of sessions; raises `FIELD_INVALID`, also for one that asks for nothing."""
    labels = [message.label] if message.label else []
    read = SessionFilter(
        application=_id("application_id", message.application_id, ids.APPLICATION),
        subject=_id("subject", message.subject, ids.APPLICATION, ids.USER),
        label="".join(ids.require_labels("filter.label", labels)),
        below=_id("below", message.below, ids.SESSION, ids.DELEGATION),
        created_before=_moment("filter.created_before", message.created_before)
        if message.HasField("created_before")
        else None,
    )
    if not read:
        raise field_invalid("filter", "must ask for something; set at least one part of it")
    return read


def _id(field: str, value: str, *prefixes: str) -> str:
    if value and ids.prefix_of(value) not in prefixes:
        expected = " or ".join(f"{prefix}_" for prefix in prefixes)
        raise field_invalid(f"filter.{field}", f"must be an id that starts with {expected}")
    return value


def _moment(field: str, moment: Timestamp) -> float:
    milliseconds = render.milliseconds(moment)
    if milliseconds <= 0:
        raise field_invalid(field, "must be a time after the unix epoch")
    return milliseconds / 1000
