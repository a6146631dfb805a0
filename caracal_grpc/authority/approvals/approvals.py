"""Approvals as reviewers and those who wait see them: read, decided, released by a proof.

A vote is one conditional write of the approval's record. It counts from then on and is recorded
after, both before the answer.
"""

from __future__ import annotations

import hmac
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from caracal_grpc.authority.approvals.book import ApprovalBook
from caracal_grpc.authority.approvals.proofs import Proofs
from caracal_grpc.authority.approvals.reviewers import may_see, require_reviewer
from caracal_grpc.authority.approvals.waits import Waits
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.core.approval import PROOF, Approval, ApprovalState, Vote, approval_ended
from caracal_grpc.core.entry import MAX_ITEMS, plain_text
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason

Seen = tuple[Approval, ApprovalState]
"""An approval and what it is now."""

_RECORDED: Final = frozenset(
    {
        Reason.ACTOR_FORBIDDEN,
        Reason.APPROVAL_CONSUMED,
        Reason.APPROVAL_EXPIRED,
        Reason.APPROVAL_REJECTED,
        Reason.PROOF_INVALID,
    }
)
"""Refusals that say something of who decides, or too late."""


@dataclass(frozen=True, slots=True)
class Review:
    """What a reviewer says of one approval; `binding` is that of what they saw."""

    zone: str
    approval: str
    binding: str
    approved: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Decided:
    """An approval after what was said of it, with the entry of that."""

    approval: Approval
    state: ApprovalState
    audit_id: str


class Approvals:
    """Reads, waits for and decides approvals."""

    def __init__(
        self,
        state: State,
        book: ApprovalBook,
        proofs: Proofs,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._state = state
        self._book = book
        self._proofs = proofs
        self._recorder = recorder
        self._clock = clock
        self._waits = Waits(state, clock)

    async def close(self) -> None:
        """Ends every wait."""
        await self._waits.close()

    async def get(self, caller: Mandate, zone: str, approval: str) -> Seen:
        """One approval; raises `OBJECT_NOT_FOUND` also for one that is not the caller's to see."""
        require_zone(caller, zone)
        self._state.zone(zone)
        found = await self._book.seen(zone, approval)
        if not may_see(self._state, caller, found):
            raise not_found("approval", approval)
        return found, found.state(self._clock.now())

    def list(self, caller: Mandate, zone: str, state: ApprovalState | None) -> list[Seen]:
        """Those that the caller may see, oldest first, in `state` if that is given."""
        require_zone(caller, zone)
        self._state.zone(zone)
        now = self._clock.now()
        visible = (
            each for each in self._state.approvals(zone) if may_see(self._state, caller, each)
        )
        seen = ((each, each.state(now)) for each in visible)
        return [each for each in seen if state in {None, each[1]}]

    async def wait(self, caller: Mandate, zone: str, approval: str) -> AsyncGenerator[Seen, None]:
        """As `get`, and then each change until it is no longer pending; see `Waits.changes`."""
        found, _ = await self.get(caller, zone, approval)
        async with aclosing(self._waits.changes(found, caller.application)) as changes:
            async for seen in changes:
                yield seen

    async def review(self, caller: Mandate, review: Review) -> Decided:
        """Counts the vote of the caller, once: again is no error.

        Raises `OBJECT_NOT_FOUND`, `FIELD_INVALID` for another binding, and, recorded,
        `ACTOR_FORBIDDEN`, `APPROVAL_REJECTED`, `APPROVAL_EXPIRED` and `APPROVAL_CONSUMED`;
        `ZONE_FORBIDDEN`, `AUTHORITY_STALE`, `CONFLICT`; and `STORE_UNAVAILABLE` and
        `AUDIT_UNAVAILABLE`, after which the vote may count all the same.
        """
        before = await self._judged(caller, review.zone, review.approval)
        seen = before.held.binding.encode()
        if not hmac.compare_digest(review.binding.encode("utf-8", "surrogatepass"), seen):
            text = "must be that of the approval as you saw it; read the approval again"
            raise field_invalid("binding", text)
        kind = "approval.approve" if review.approved else "approval.reject"
        facts = _facts(before, plain_text(review.reason))
        vote = Vote(
            caller.application,
            caller.subject,
            review.approved,
            review.reason,
            self._clock.now(),
            caller.zone,
            caller.kid,
        )
        try:
            require_reviewer(self._state, caller, before)
            return await self._voted(caller, before, vote, kind, facts)
        except CaracalError as refusal:
            raise await self._refused(
                caller, review.zone, kind, refusal, facts
            ) from refusal.__cause__

    async def release(self, caller: Mandate, zone: str, approval: str, proof: str) -> Decided:
        """Releases what the proof system of the approval has proven; who brings it is no matter.

        Raises `OBJECT_NOT_FOUND`, `FIELD_INVALID` when no proof can, `ISSUER_UNAVAILABLE`, and,
        recorded, `PROOF_INVALID`; the rest as `review`.
        """
        before = await self._judged(caller, zone, approval)
        system = self._proofs.system_of(before)
        subject = f"{PROOF}{system.name}"
        facts = _facts(before, "")
        facts["details"]["proof_system"] = system.name
        try:
            await self._proofs.require(before, system, proof)
            vote = Vote(caller.application, subject, True, "", self._clock.now())
            return await self._voted(caller, before, vote, "approval.release", facts)
        except CaracalError as refusal:
            raise await self._refused(
                caller, zone, "approval.release", refusal, facts
            ) from refusal.__cause__

    async def _judged(self, caller: Mandate, zone: str, approval: str) -> Approval:
        """The approval that is decided, in the caller's zone and from a view to go by."""
        require_zone(caller, zone)
        self._state.zone(zone)
        self._state.require_fresh()
        found = await self._book.find(zone, approval)
        if found is None:
            raise not_found("approval", approval)
        return found.approval

    async def _voted(
        self, caller: Mandate, before: Approval, vote: Vote, kind: str, facts: dict[str, Any]
    ) -> Decided:
        zone = before.held.zone
        after = await self._book.change(zone, before.id, lambda now: _with(now, vote))
        state = after.state(self._clock.now())
        facts["details"] |= {"state": state, "counted": any(each is vote for each in after.votes)}
        return Decided(after, state, await self._recorder.done(caller, zone, kind, **facts))

    async def _refused(
        self,
        caller: Mandate,
        zone: str,
        kind: str,
        refusal: CaracalError,
        facts: dict[str, Any],
    ) -> CaracalError:
        if refusal.reason not in _RECORDED:
            return refusal
        return await self._recorder.refused(caller, zone, kind, refusal, **facts)


def _with(approval: Approval, vote: Vote) -> Approval:
    """The approval with one more vote; raises why it can no longer be decided so."""
    state = approval.state(vote.time)
    if state == "rejected" and not vote.approved:
        return approval
    if state not in {"pending", "approved"}:
        raise approval_ended(approval.id, state)
    return approval.voted(vote)


def _facts(approval: Approval, why: str) -> dict[str, Any]:
    """What an entry says of the approval that is decided."""
    held = approval.held
    return {
        "resource": plain_text(held.resource),
        "requested_scopes": held.scopes[:MAX_ITEMS],
        "policy_version": held.policy_version,
        "details": {
            "approval": approval.id,
            "binding": held.binding,
            "requester": held.application,
            "held_audit_id": held.audit_id,
            "why": why,
        },
    }
