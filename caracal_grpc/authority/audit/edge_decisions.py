"""What edges decided, reported by them: each decision becomes one entry of the ledger, once.

It is the edge's word. So that no edge can fill the ledger, or keep exchanges waiting for it, what
one application may report is bounded, and one report is written at a time.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from caracal_grpc.authority.state.access import require_own_zone, require_zone
from caracal_grpc.authority.state.bucket import Bucket, Buckets
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.core.entry import MAX_INT, Detail, Entry
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.limits import MAX_DECISIONS
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason

KIND: Final = "edge.decision"
"""The type of such an entry."""

RATE: Final = 2_000.0
BURST: Final = 120_000.0
"""Decisions of one application, a second and at once, twice what twenty edges of it that decide
1,000 calls a second together deliver, and what they kept in a minute without the authority.

All that one application can add to the ledger is bounded by it, too: at this rate without end 173
million entries a day, of about a kilobyte each. What edges record of calls that they let in is
theirs to choose (`sampling_rate`); how long it is kept, the zone's (`retention_days`)."""

MAX_WAITING: Final = 64
"""Reports that may wait while another is written."""

_SLICE: Final = 25
"""Entries that are made in one go, about a millisecond, before others get their turn."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an edge reports at once, oldest first; see `RecordRequest` in the proto."""

    zone: str
    decisions: tuple[EdgeDecision, ...]
    dropped: int = 0
    sampling_rate: float = 0.0

    def require(self) -> None:
        """Raises `FIELD_INVALID` for the first part that breaks its bound."""
        if not 1 <= len(self.decisions) <= MAX_DECISIONS:
            raise field_invalid("decisions", f"must be 1 to {MAX_DECISIONS}")
        if not 0 <= self.dropped <= MAX_INT:
            raise field_invalid("dropped", "must be a count")
        if not 0.0 <= self.sampling_rate <= 1.0:
            raise field_invalid("sampling_rate", "must be a share, from 0 to 1")
        for index, decision in enumerate(self.decisions):
            decision.require(f"decisions[{index}]")


class EdgeDecisions:
    """Records what edges report."""

    def __init__(self, state: State, recorder: Recorder, clock: Clock) -> None:
        self._state = state
        self._recorder = recorder
        self._buckets = Buckets(lambda: Bucket(clock, RATE, BURST, "too many decisions of an edge"))
        self._writing = asyncio.Lock()
        self._waiting = 0

    async def record(self, caller: Mandate, report: Report) -> int:
        """How many decisions of `report` became entries; the others were recorded before.

        Raises `ZONE_FORBIDDEN` for another zone than the caller's, `OBJECT_NOT_FOUND`,
        `FIELD_INVALID`, `RATE_LIMITED`, and then nothing is recorded; `AUDIT_UNAVAILABLE`, after
        which the same may be sent again.
        """
        require_zone(caller, report.zone)
        self._state.zone(report.zone)
        require_own_zone(caller, report.zone)
        report.require()
        self._buckets.take(caller.application, len(report.decisions))
        if self._waiting >= MAX_WAITING:
            text = "too many reports of edges wait to be written; send the same again later"
            raise CaracalError(Reason.AUDIT_UNAVAILABLE, text, retry_after=1.0)
        self._waiting += 1
        try:
            async with self._writing:
                return await self._written(caller, report)
        finally:
            self._waiting -= 1

    async def _written(self, caller: Mandate, report: Report) -> int:
        """Writes `report` to the end, also for a caller that leaves: the next one has to wait."""
        writing = asyncio.create_task(self._write(caller, report))
        try:
            return await asyncio.shield(writing)
        finally:
            await asyncio.wait({writing})
            writing.exception()

    async def _write(self, caller: Mandate, report: Report) -> int:
        entries = []
        for index, decision in enumerate(report.decisions):
            if index % _SLICE == 0:
                await asyncio.sleep(0)
            entries.append(self._entry(caller, report, index, decision))
        return await self._recorder.record_all(entries)

    def _entry(self, caller: Mandate, report: Report, index: int, decision: EdgeDecision) -> Entry:
        details: dict[str, Detail] = {
            "edge": caller.application,
            "method": decision.method,
            "decided_at": decision.time_ms,
            "sampling_rate": f"{report.sampling_rate:g}",
        }
        if decision.mandate_audit_id:
            details["mandate_audit_id"] = decision.mandate_audit_id
        if index == 0 and report.dropped:
            details["dropped"] = report.dropped
        return self._recorder.entry(
            decision.id,
            report.zone,
            KIND,
            decision.decision,
            reason=decision.reason,
            application=decision.application_id,
            subject=decision.subject,
            resource=decision.resource,
            session=decision.session_id,
            jti=decision.jti,
            request_id=decision.request_id,
            details=details,
        )
