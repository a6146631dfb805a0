"""Step-up: a request that policy holds, and the approval that releases it, once."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from caracal_grpc.authority.approvals.book import ApprovalBook, Found
from caracal_grpc.authority.approvals.holding import Holding
from caracal_grpc.authority.exchange.case import Case, policy_refusal, required
from caracal_grpc.authority.exchange.decider import Ruling
from caracal_grpc.authority.exchange.lineage import Lineage
from caracal_grpc.core.approval import Approval, Held, approval_ended, binding_of
from caracal_grpc.core.approval_terms import terms_of
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Change, Expect


class StepUp:
    """Asks for an approval where policy does, and takes the one that a request names."""

    def __init__(self, book: ApprovalBook, holding: Holding, clock: Clock) -> None:
        self._book = book
        self._holding = holding
        self._clock = clock

    async def released(self, case: Case, ruling: Ruling) -> Found | None:
        """The approval that releases `ruling`, to be used up with its mandate; `None` for none.

        It is read from the store. Raises `STEP_UP_REQUIRED` naming the approval to wait for,
        `APPROVAL_REJECTED`, `APPROVAL_EXPIRED`, `APPROVAL_CONSUMED`, `LIMIT_EXCEEDED` for too many
        pending ones, `POLICY_FAILED` for a step-up that says odd things.
        """
        case.approval = ""
        if ruling.decision.outcome != "step_up":
            return None
        terms = terms_of(ruling.decision.step_up)
        held = _held(case, ruling)
        found = await self._named(case.request.approval, held)
        if found is None:
            raise _required(case, await self._holding.hold(held, terms))
        approval = found.approval
        case.approval = approval.id
        state = approval.state(self._clock.now())
        if state == "pending":
            raise _required(case, approval)
        if state != "approved":
            raise approval_ended(approval.id, state)
        return found

    def uses(self, found: Found | None) -> tuple[tuple[Change, ...], tuple[Expect, ...]]:
        """What must be written with the mandate that `found` releases, and what that expects."""
        if found is None:
            return (), ()
        change, expect = self._book.used(found)
        return (change,), (expect,)

    async def _named(self, approval: str, held: Held) -> Found | None:
        """The approval that the request names, if it is one of the same: anything else is none.

        What it is bound to names the application, so nobody uses the approval of another.
        """
        found = await self._book.find(held.zone, approval) if approval else None
        if found and hmac.compare_digest(found.approval.held.binding, held.binding):
            return found
        return None


def _required(case: Case, approval: Approval) -> CaracalError:
    case.approval = approval.id
    text = "policy asks for an approval first; wait for it, then send the same request with it"
    refusal = policy_refusal(case, Reason.STEP_UP_REQUIRED, text)
    expires_at = datetime.fromtimestamp(approval.expires_at, UTC)
    refusal.metadata["approval_id"] = approval.id
    refusal.metadata["approval_expires_at"] = expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return refusal


def _held(case: Case, ruling: Ruling) -> Held:
    """What a reviewer sees, and the binding of all that an approval is for."""
    request, lineage, application = case.request, ruling.lineage, required(case.application)
    return Held(
        zone=request.zone,
        application=application.id,
        application_name=application.name,
        subject=lineage.subject,
        subject_type=lineage.subject_type,
        user=lineage.user,
        resource=ruling.resource.name,
        scopes=tuple(sorted(ruling.scopes)),
        session=lineage.session.id,
        actor_chain=tuple(hop.application for hop in lineage.chain),
        parties=_parties(lineage),
        context=dict(request.context),
        policy_version=case.policy_version,
        policy_reasons=case.policy_reasons,
        binding=binding_of(_facts(case, ruling)),
        audit_id=case.audit_id,
    )


def _facts(case: Case, ruling: Ruling) -> dict[str, Any]:
    """All that is approved: whoever changes any of it asks for something else."""
    request, lineage = case.request, ruling.lineage
    return {
        "zone": request.zone,
        "application": lineage.application.id,
        "resource": ruling.resource.name,
        "granted_scopes": sorted(ruling.scopes),
        "requested_scopes": sorted(request.scopes),
        "subject": lineage.subject,
        "session": lineage.session.id,
        "generation": request.generation,
        "sessions": [session.id for session in lineage.sessions],
        "hops": [[hop.application, hop.session, hop.delegation] for hop in lineage.chain],
        "policy_version": case.policy_version,
        "ttl": request.ttl,
        "certificate": request.binding,
        "context": dict(request.context),
        "step_up": _plain(ruling.decision.step_up or {}),
    }


def _plain(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in document.items()
    }


def _parties(lineage: Lineage) -> tuple[str, ...]:
    """Everybody and everything in the lineage, so that none of it decides about itself."""
    found = {lineage.application.id, lineage.subject, lineage.session.id, lineage.root}
    for session in lineage.sessions:
        found |= {session.id, session.application, session.subject, session.delegation}
    for hop in lineage.chain:
        found |= {hop.application, hop.session, hop.delegation or ""}
    return tuple(sorted(found - {""}))
