"""Entries of every kind as `AuditService.Read` shows them."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from caracal_grpc.shipping.record import Record
from caracal_grpc.v1.audit_pb2 import AuditEntry

TIME: Final = 1_790_000_000_123

_GRANT: Final = {
    "type": "exchange",
    "decision": "allow",
    "application": "app_1",
    "application_name": "agent",
    "resource": "resource://orders",
    "requested_scopes": ["orders:place"],
    "granted_scopes": ["orders:place"],
    "session": "ses_1",
    "root_session": "ses_0",
    "hops": 1,
    "jti": "mnd_1",
    "expires_at": 1_790_000_300,
    "request_id": "r-1",
    "policy_version": "sha256:0123456789abcdef",
    "policy_reasons": ["granted"],
    "narrowing": [{"by": "resource://orders", "kept": ["orders:place"]}],
    "details": {"lineage": ["ses_0", "ses_1"], "issued_at": 1_790_000_000},
}
_PERSONAL: Final = {
    "subject": "usr_1",
    "peer": "ipv4:192.0.2.7:5000",
    "question": '{"now":1}',
    "answer": '{"decision":"allow"}',
}

EVENTS: Final[dict[str, dict[str, Any]]] = {
    "grant": _GRANT,
    "unproven client": {
        "type": "exchange",
        "decision": "deny",
        "reason": "CLIENT_AUTH_FAILED",
    },
    "refusal": {**_GRANT, "decision": "deny", "reason": "POLICY_DENIED"},
    "edge refusal": {
        "type": "edge.decision",
        "decision": "deny",
        "reason": "MANDATE_REVOKED",
        "details": {"method": "/shop.v1.Orders/Place", "edge": "app_2"},
    },
    "revocation": {"type": "revocation", "decision": "done", "details": {"anchor": "ses_1"}},
    "revocation by time": {
        "type": "revocation",
        "decision": "done",
        "details": {"issued_before": "2026-11-22T00:00:00Z"},
    },
    "delegation": {
        "type": "delegation",
        "decision": "done",
        "application": "app_1",
        "details": {"delegation": "del_1"},
    },
    "refused delegation": {"type": "delegation", "decision": "deny", "reason": "CEILING_EXCEEDED"},
    "session": {"type": "session.start", "decision": "done", "session": "ses_1", "details": {}},
    "suspension": {"type": "session.suspend", "decision": "done", "session": "ses_1"},
    "change": {"type": "zone.apply", "decision": "done", "details": {"changes": ["update zone"]}},
    "creation": {"type": "application.create", "decision": "done"},
    "rotation": {"type": "key.rotate", "decision": "done", "details": {"key": "key_1"}},
}


def record(index: int = 0, name: str = "grant", *, personal: bool = True) -> Record:
    """The record of an entry of that kind; without `personal` it was erased."""
    said = {"v": 2, "id": f"aud_{index}", "zone": "shop", "time_ms": TIME, "index": index}
    salted = json.dumps({"fields": _PERSONAL, "salt": "00" * 16}).encode()
    event = {**said, **EVENTS[name], "personal": hashlib.sha256(salted).hexdigest()}
    entry = AuditEntry(
        index=index,
        id=f"aud_{index}",
        canonical=json.dumps(event).encode(),
        leaf_hash=bytes(31) + bytes([index % 256]),
        personal=salted if personal else b"",
        erased=not personal,
    )
    entry.time.FromMilliseconds(TIME)
    return Record.of("shop", entry)


def pruned(index: int = 0) -> Record:
    """What is left of an entry that is too old."""
    return Record.of("shop", AuditEntry(index=index, leaf_hash=bytes(32), pruned=True))
