"""Entries of the ledger as messages."""

from __future__ import annotations

from typing import Final

from caracal_grpc.core.entry import Entry
from caracal_grpc.ledger.entries.stored import Stored
from caracal_grpc.services import render
from caracal_grpc.v1 import audit_pb2

DECISIONS: Final = {
    "allow": audit_pb2.AUDIT_DECISION_ALLOW,
    "deny": audit_pb2.AUDIT_DECISION_DENY,
    "done": audit_pb2.AUDIT_DECISION_DONE,
}
DECISION_NAMES: Final = {value: name for name, value in DECISIONS.items()}


def entry_message(stored: Stored) -> audit_pb2.AuditEntry:
    """The entry; one whose bytes no longer parse, or are pruned, still shows what is left of it."""
    message = audit_pb2.AuditEntry(
        index=stored.index,
        canonical=stored.canonical,
        leaf_hash=stored.leaf,
        checkpoint=stored.checkpoint,
        personal=stored.personal,
        erased=stored.erased,
        pruned=stored.pruned,
    )
    entry = stored.entry
    if entry is not None:
        message.MergeFrom(_fields(entry))
    return message


def _fields(entry: Entry) -> audit_pb2.AuditEntry:
    return audit_pb2.AuditEntry(
        id=entry.id,
        time=render.timestamp(entry.time_ms / 1000),
        type=entry.type,
        decision=DECISIONS[entry.decision],
        reason=entry.reason,
        application_id=entry.application,
        application_name=entry.application_name,
        subject=entry.subject,
        resource=entry.resource,
        requested_scopes=entry.requested_scopes,
        granted_scopes=entry.granted_scopes,
        session_id=entry.session,
        jti=entry.jti,
        request_id=entry.request_id,
        policy_version=entry.policy_version,
    )
