"""What is kept of the ledger and how long: legal holds, pruning by age, erasing a subject.

What takes something away is recorded before it begins: nothing goes of which the ledger does not
say so, whatever ends the work half-way. Asked for again, it goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from caracal_grpc.authority.keys.signers import ledger_issuer
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.authority.state.unbroken import Unbroken
from caracal_grpc.core.entry import MAX_TEXT, Detail, plain_text
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import HOLD, USER, prefix_of
from caracal_grpc.core.limits import MIN_RETENTION
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.personal import is_personal
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.core.retention import Erased, Hold, Pruned
from caracal_grpc.ledger.port import Ledger

HELD: Final = "audit.hold"
RELEASED: Final = "audit.release"
PRUNED: Final = "audit.prune"
ERASED: Final = "audit.erase"
"""The types of the entries."""


@dataclass(frozen=True, slots=True)
class Pruning:
    """What was pruned, or would be; `audit_id` is empty when there is nothing to record."""

    count: Pruned
    audit_id: str = ""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased, or would be; `audit_id` is empty when there is nothing to record."""

    count: Erased
    audit_id: str = ""


class Retention:
    """Holds, prunes and erases, for those who may and by the settings of zones."""

    def __init__(
        self, ledger: Ledger, state: State, recorder: Recorder, clock: Clock, ids: Ids
    ) -> None:
        self._ledger = ledger
        self._state = state
        self._recorder = recorder
        self._clock = clock
        self._ids = ids
        self._unbroken = Unbroken()

    async def close(self) -> None:
        """Waits for erasures and holds under way; pruning is left where it is."""
        await self._unbroken.close()

    async def hold(self, caller: Mandate, zone: str, wanted: Hold) -> tuple[Hold, str]:
        """Puts on hold what `wanted` matches; the hold as it was made, and its entry.

        Raises `LIMIT_EXCEEDED`, `ZONE_FORBIDDEN`, `OBJECT_NOT_FOUND`; and `AUDIT_UNAVAILABLE`,
        after which it may hold all the same.
        """
        self._require(caller, zone)
        made = replace(wanted, id=self._ids.new(HOLD), created=self._now())
        return made, await self._unbroken.run(self._hold(caller, zone, made))

    async def release(self, caller: Mandate, zone: str, hold: str) -> str:
        """Ends a hold; its entry. Raises `OBJECT_NOT_FOUND`, `ZONE_FORBIDDEN`,
        `AUDIT_UNAVAILABLE`, after which it may have ended all the same.
        """
        self._require(caller, zone)
        return await self._unbroken.run(self._release(caller, zone, hold))

    async def holds(self, caller: Mandate, zone: str) -> tuple[Hold, ...]:
        """The holds of a zone, oldest first."""
        self._require(caller, zone)
        return await self._ledger.list_holds(zone)

    async def prune(self, caller: Mandate, zone: str, before: int, *, dry_run: bool) -> Pruning:
        """Takes away entries from before a moment in ms; see `Ledger.prune`.

        Raises `FIELD_INVALID` for what is not a day ago, `ZONE_FORBIDDEN`, `OBJECT_NOT_FOUND`,
        `AUDIT_UNAVAILABLE`, after which some may be gone.
        """
        self._require(caller, zone)
        if before > self._now() - MIN_RETENTION * 1000:
            raise field_invalid("before", "must be at least a day ago")
        if dry_run:
            return Pruning(await self._ledger.prune(zone, before, dry_run=True))
        return await self._prune(caller, zone, before)

    async def prune_due(self, zone: str, days: int) -> Pruning:
        """Takes away what is older than so many days."""
        return await self._prune(None, zone, self._now() - days * 86_400_000)

    async def erase(self, caller: Mandate, zone: str, subject: str, *, dry_run: bool) -> Erasure:
        """Erases what is personal of a subject; see `Ledger.erase`.

        Raises `FIELD_INVALID` for the id of an application and for a part of a user's,
        `ZONE_FORBIDDEN`, `OBJECT_NOT_FOUND`; and `AUDIT_UNAVAILABLE`, after which part of it may be
        done.
        """
        self._require(caller, zone)
        if not subject or plain_text(subject) != subject:
            raise field_invalid("subject", f"must be 1 to {MAX_TEXT} characters without controls")
        if not is_personal(subject):
            raise field_invalid("subject", "must be a person; what else has an id stays recorded")
        if subject.startswith(f"{USER}_") and prefix_of(subject) is None:
            raise field_invalid("subject", "must be a whole id; others have a part of it, too")
        if dry_run:
            return Erasure(await self._ledger.erase(zone, subject, dry_run=True))
        return await self._unbroken.run(self._erase(caller, zone, subject))

    async def _hold(self, caller: Mandate, zone: str, hold: Hold) -> str:
        await self._ledger.add_hold(zone, hold)
        return await self._recorder.done(caller, zone, HELD, details=_details(hold))

    async def _release(self, caller: Mandate, zone: str, hold: str) -> str:
        found = {each.id: each for each in await self._ledger.list_holds(zone)}
        if hold not in found:
            raise not_found("hold", hold)
        details = {"hold": hold, "why": found[hold].reason}
        audit_id = await self._recorder.done(caller, zone, RELEASED, details=details)
        await self._ledger.remove_hold(zone, hold)
        return audit_id

    async def _prune(self, caller: Mandate | None, zone: str, before: int) -> Pruning:
        going = await self._ledger.prune(zone, before, dry_run=True)
        if not going.pruned:
            return Pruning(going)
        details = {"before": before, "count": going.pruned, "held": going.held}
        audit_id = await self._recorder.done(caller, zone, PRUNED, details=details)
        return Pruning(await self._ledger.prune(zone, before), audit_id)

    async def _erase(self, caller: Mandate, zone: str, subject: str) -> Erasure:
        going = await self._ledger.erase(zone, subject, dry_run=True)
        if not going.erased:
            return Erasure(await self._ledger.erase(zone, subject))  # what a failure left, at least
        facts: dict[str, Any] = {
            "details": {
                "count": going.erased,
                "held": going.held,
                "unerasable": going.unerasable,
            }
        }
        if caller.subject == subject:
            facts["subject"] = ""  # who asks to be forgotten is not named for it
        audit_id = await self._recorder.done(caller, zone, ERASED, **facts)
        return Erasure(await self._ledger.erase(zone, subject), audit_id)

    def _require(self, caller: Mandate, zone: str) -> None:
        """The zone may have been removed: its ledger is still there to be looked after."""
        require_zone(caller, zone)
        ledger_issuer(self._state, zone)

    def _now(self) -> int:
        return int(self._clock.now() * 1000)


def _details(hold: Hold) -> dict[str, Detail]:
    told: dict[str, Detail | None] = {
        "hold": hold.id,
        "why": hold.reason,
        "for": hold.subject or None,
        "application": hold.application or None,
        "session": hold.session or None,
        "since": _moment(hold.since),
        "until": _moment(hold.until),
    }
    return {name: detail for name, detail in told.items() if detail is not None}


def _moment(time_ms: int | None) -> str | None:
    """A bound as people read it; one that no calendar has, as it is."""
    if time_ms is None:
        return None
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return f"{time_ms} ms"
