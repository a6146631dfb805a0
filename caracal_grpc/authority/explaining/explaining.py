"""Explains one entry of the ledger to those who may read it."""

from __future__ import annotations

from typing import Final

from caracal_grpc.authority.explaining.explanation import (
    NOTHING_MORE,
    Explanation,
    Reevaluation,
    Remedy,
    Wanted,
)
from caracal_grpc.authority.explaining.life import dead_by
from caracal_grpc.authority.explaining.reevaluation import asked_again
from caracal_grpc.authority.explaining.remedies import remedies_for
from caracal_grpc.authority.explaining.steps import steps_of
from caracal_grpc.authority.explaining.story import end_of, tell
from caracal_grpc.authority.keys.signers import ledger_issuer
from caracal_grpc.authority.policies.versions import Versions
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.capacity import Capacity
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.authority.trials.candidates import Candidates
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.entries.stored import Stored
from caracal_grpc.ledger.port import Filter, Ledger

MAX_ASKED: Final = 8
MAX_OF_ONE: Final = 4
"""Explanations that ask policy, at one replica at the same time, and of one application."""


class Explaining:
    """Tells how decisions came about; `candidates` are asked apart from what decides."""

    def __init__(
        self,
        ledger: Ledger,
        state: State,
        candidates: Candidates,
        versions: Versions,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._state = state
        self._candidates = candidates
        self._versions = versions
        self._clock = clock
        advice = "wait for an answer, or explain without asking policy"
        self._asking = Capacity(MAX_ASKED, MAX_OF_ONE, "explanations", advice, 1.0)

    async def explain(
        self,
        caller: Mandate,
        zone: str,
        wanted: Wanted = NOTHING_MORE,
        *,
        audit_id: str = "",
        jti: str = "",
        request_id: str = "",
    ) -> Explanation:
        """How the entry that is named by one of the ids came about, and whether its grant lives.

        Raises `ZONE_FORBIDDEN`, `OBJECT_NOT_FOUND`, `AUDIT_UNAVAILABLE` also when the entry's bytes
        are no longer those that were recorded; and when policy is asked, `LIMIT_EXCEEDED` while as
        many ask as may, `POLICY_FAILED` and `STORE_UNAVAILABLE`.
        """
        require_zone(caller, zone)
        # The zone may have been removed: operators read on what it did.
        issuer = ledger_issuer(self._state, zone)
        stored = await self._find(zone, audit_id, jti, request_id)
        entry = _readable(stored)
        dead = dead_by(self._state, zone, entry, self._clock.now())
        end = end_of(self._state, entry, dead)
        story = await tell(self._ledger, zone, stored.index, entry, end)
        again, remedies = await self._asked(caller, entry, wanted)
        return Explanation(stored, entry, steps_of(entry), dead, issuer, story, again, remedies)

    async def _asked(
        self, caller: Mandate, entry: Entry, wanted: Wanted
    ) -> tuple[Reevaluation | None, tuple[Remedy, ...]]:
        """What policy says now, as far as it is wanted."""
        if not (wanted.reevaluate or wanted.suggest):
            return None, ()
        again: Reevaluation | None = None
        remedies: tuple[Remedy, ...] = ()
        self._asking.take(caller.application)
        try:
            if wanted.reevaluate:
                again = await asked_again(self._candidates, entry)
            if wanted.suggest:
                remedies = await remedies_for(self._candidates, self._versions, entry)
        finally:
            self._asking.give_back(caller.application)
        return again, remedies

    async def _find(self, zone: str, audit_id: str, jti: str, request_id: str) -> Stored:
        if audit_id:
            found = await self._ledger.get(zone, audit_id)
        else:
            # A grant is recorded before its mandate is handed out: the first entry that names it.
            grant = Filter(jti=jti, type="exchange")
            query = grant if jti else Filter(request_id=request_id, newest_first=True)
            page = await self._ledger.search(zone, query, page_size=1)
            found = page.entries[0] if page.entries else None
        if found is None:
            raise not_found("entry", audit_id or jti or request_id)
        return found


def _readable(stored: Stored) -> Entry:
    entry = stored.entry
    if entry is None or not stored.intact:
        raise CaracalError(
            Reason.AUDIT_UNAVAILABLE,
            "the entry is not what was recorded; run caracal-grpc audit verify",
        )
    return entry
