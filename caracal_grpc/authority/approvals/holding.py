"""Holding requests: one approval for as long as the same is asked for and nobody refused it."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from caracal_grpc.authority.approvals.book import ApprovalBook
from caracal_grpc.authority.approvals.pending import PendingApprovals
from caracal_grpc.authority.state.places import held_place
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.approval import Approval, Held
from caracal_grpc.core.approval_terms import Terms
from caracal_grpc.core.entry import MAX_ITEMS
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import APPROVAL
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.system import new_secret
from caracal_grpc.store.port import Expect, Put, Record, Store

_ATTEMPTS: Final = 16


class Holding:
    """Finds or makes the approval that a request waits for."""

    def __init__(
        self,
        store: Store,
        state: State,
        book: ApprovalBook,
        recorder: Recorder,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._store = store
        self._state = state
        self._book = book
        self._recorder = recorder
        self._clock = clock
        self._ids = ids
        self._pending = PendingApprovals(state)

    def close(self) -> None:
        """Stops counting what is pending."""
        self._pending.close()

    async def hold(self, held: Held, terms: Terms) -> Approval:
        """The approval of `held` that can still be used, or a new one, which is recorded.

        Raises `LIMIT_EXCEEDED` for too many pending ones of the application, `STORE_UNAVAILABLE`.
        """
        for _ in range(_ATTEMPTS):
            index = await self._store.get(held_place(held.zone, held.binding))
            known = await self._usable(held, index)
            if known is not None:
                return known
            try:
                return await self._made(held, terms, index.revision if index else 0)
            except CaracalError as error:
                if error.reason is not Reason.CONFLICT:
                    raise
        raise CaracalError(
            Reason.STORE_UNAVAILABLE, "others keep asking for the same; try again", retry_after=0.1
        )

    async def _usable(self, held: Held, index: Record | None) -> Approval | None:
        found = await self._book.find(held.zone, index.value["approval"]) if index else None
        if found and found.approval.state(self._clock.now()) in {"pending", "approved"}:
            return found.approval
        return None

    async def _made(self, held: Held, terms: Terms, expected: int) -> Approval:
        now = self._clock.now()
        approval = Approval(
            id=self._ids.new(APPROVAL),
            held=held,
            terms=terms,
            created_at=now,
            expires_at=int(now) + terms.ttl,
            nonce=new_secret() if terms.proof_system else "",
            undelivered=tuple(webhook.name for webhook in self._state.webhooks(held.zone)),
        )
        put = self._book.put(approval)
        index = Put(held_place(held.zone, held.binding), {"approval": approval.id}, ttl=put.ttl)
        with self._pending.room(held.application, now):
            revision = await self._store.commit([put, index], [Expect(index.key, expected)])
            with suppress(CaracalError):  # a mirror that lags changes nothing of what holds
                await self._state.reached(revision)
        await self._recorded(approval)
        return approval

    async def _recorded(self, approval: Approval) -> None:
        held = approval.held
        await self._recorder.record(
            self._recorder.new_id(),
            held.zone,
            "approval.hold",
            "done",
            application=held.application,
            application_name=held.application_name,
            subject=held.subject,
            subject_type=held.subject_type,
            session=held.session,
            actor_chain=held.actor_chain,
            hops=len(held.actor_chain),
            resource=held.resource,
            requested_scopes=held.scopes[:MAX_ITEMS],
            policy_version=held.policy_version,
            policy_reasons=held.policy_reasons,
            expires_at=approval.expires_at,
            details={
                "approval": approval.id,
                "binding": held.binding,
                "held_audit_id": held.audit_id,
            },
        )
