"""What is asked of the ledger, parsed."""

from __future__ import annotations

from typing import Final

from caracal_grpc.authority.audit.wanted import Wanted
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import AUDIT, require_id
from caracal_grpc.ledger.port import Filter
from caracal_grpc.services import render
from caracal_grpc.services.audit_entries import DECISION_NAMES
from caracal_grpc.v1 import audit_service_pb2

_ORDERS: Final = {
    "": "index",
    "index": "index",
    "time": "time",
    "type": "type",
    "decision": "decision",
    "reason": "reason",
    "application_id": "application",
    "subject": "subject",
    "resource": "resource",
    "session_id": "session",
    "jti": "jti",
    "request_id": "request_id",
}
"""What a search may be ordered by: the name on the wire, and ours."""

_DESC: Final = "desc"
_READ_TEXT: Final = "must be unset, for a read is in the order of the tree"
_ORDER_TEXT: Final = "must be one of {}, with desc behind it for the other way"


def parse_filter(request: audit_service_pb2.SearchRequest) -> Filter:
    """What a search finds, and in which order; raises `FIELD_INVALID`."""
    if request.decision and request.decision not in DECISION_NAMES:
        raise field_invalid("decision", "must be ALLOW, DENY or DONE")
    order_by, backward = _order(request)
    audit_id = request.audit_id
    return Filter(
        audit_id=require_id("audit_id", audit_id, AUDIT) if audit_id else "",
        decision=DECISION_NAMES.get(request.decision, ""),
        type=request.type,
        reason=request.reason,
        application=request.application_id,
        subject=request.subject,
        resource=request.resource,
        session=request.session_id,
        jti=request.jti,
        request_id=request.request_id,
        about=request.about,
        since=render.milliseconds(request.since) if request.HasField("since") else None,
        until=render.milliseconds(request.until) if request.HasField("until") else None,
        order_by=order_by,
        newest_first=backward,
    )


def parse_read(request: audit_service_pb2.ReadRequest) -> Wanted:
    """What a read gives; raises `FIELD_INVALID`."""
    query = request.query
    for name in ("newest_first", "order_by", "page_size"):
        if getattr(query, name):
            raise field_invalid(f"query.{name}", _READ_TEXT)
    return Wanted(
        parse_filter(query),
        follow=request.follow,
        include_pruned=request.include_pruned,
        start=request.start_index,
        end=request.end_index,
        resume_token=query.page_token,
    )


def _order(request: audit_service_pb2.SearchRequest) -> tuple[str, bool]:
    """The order, and whether it is the other way round (AIP-132)."""
    if request.newest_first:
        if request.order_by:
            raise field_invalid("newest_first", "must be unset when there is an order_by")
        return "index", True
    name, *way = request.order_by.split() or [""]
    if name not in _ORDERS or way not in ([], [_DESC]):
        raise field_invalid("order_by", _ORDER_TEXT.format(", ".join(filter(None, _ORDERS))))
    return _ORDERS[name], bool(way)
