"""The security event token (RFC 8417) that tells a webhook of an approval."""

from __future__ import annotations

from typing import Any, Final

from caracal_grpc.core.approval import Approval
from caracal_grpc.core.webhook import Webhook
from caracal_grpc.core.zone import Zone

APPROVAL_HELD: Final = "urn:caracal:event:approval-held"
"""The one event: policy holds a request until somebody, or a proof, releases it."""


def held_event(zone: Zone, webhook: Webhook, approval: Approval) -> dict[str, Any]:
    """The claims; the same ones however often they are sent, and by whichever replica.

    So `jti` and `iat` are of the approval, not of the sending: a receiver knows a repetition by
    its `jti` (RFC 8935 section 2).
    """
    return {
        "iss": zone.issuer,
        "aud": webhook.url,
        "jti": f"{approval.id}.{webhook.name}",
        "iat": int(approval.created_at),
        "events": {APPROVAL_HELD: _facts(zone, approval)},
    }


def _facts(zone: Zone, approval: Approval) -> dict[str, Any]:
    """What a reviewer, or a proof system, needs; of its lineage no more than a mandate shows."""
    held, terms = approval.held, approval.terms
    facts: dict[str, Any] = {
        "zone": held.zone,
        "approval_id": approval.id,
        "application_id": held.application,
        "application_name": held.application_name,
        "subject": held.subject,
        "subject_type": held.subject_type,
        "resource": held.resource,
        "scopes": list(held.scopes),
        "context": dict(held.context),
        "policy_version": held.policy_version,
        "policy_reasons": list(held.policy_reasons),
        "binding": held.binding,
        "audit_id": held.audit_id,
        "reviews_needed": terms.reviews,
        "reviewers": list(terms.reviewers),
        "expires_at": approval.expires_at,
    }
    if held.user:
        facts["user"] = {"issuer": held.user.issuer, "subject": held.user.subject}
    if terms.proof_system:
        facts |= {"proof_system": terms.proof_system, "nonce": approval.nonce}
    if zone.chain_visibility == "full":
        facts["actor_chain"] = list(held.actor_chain)
    return facts
