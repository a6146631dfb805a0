"""Records what happened in the ledger, in one form, for every use case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from caracal_grpc.authority.state.owed import Owed
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import AUDIT
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.port import Ledger


class Recorder:
    """Makes entries with fresh ids and the time of day, and returns when they are durable.

    `counted` is how many it appended, by zone, type, decision and reason, what edges decided aside.
    `paid` are, by id, those that were owed and are recorded now, until `Debts` has said so in the
    store.
    """

    def __init__(self, ledger: Ledger, clock: Clock, ids: Ids) -> None:
        self._ledger = ledger
        self._clock = clock
        self._ids = ids
        self.counted: Counter[tuple[str, str, str, str]] = Counter()
        self.paid: dict[str, Owed] = {}

    def new_id(self) -> str:
        """An id for an entry that is referred to before it is written."""
        return self._ids.new(AUDIT)

    async def record(self, audit_id: str, zone: str, kind: str, decision: str, **facts: Any) -> str:
        """Appends one entry and returns its id; raises `AUDIT_UNAVAILABLE` when it cannot.

        `facts` are fields of `Entry`.
        """
        await self._append(self.entry(audit_id, zone, kind, decision, **facts))
        return audit_id

    def entry(self, audit_id: str, zone: str, kind: str, decision: str, **facts: Any) -> Entry:
        """An entry of this moment, not written yet; `facts` are fields of `Entry`."""
        now = int(self._clock.now() * 1000)
        return Entry(id=audit_id, zone=zone, time_ms=now, type=kind, decision=decision, **facts)

    async def record_all(self, entries: Sequence[Entry]) -> int:
        """Appends those whose ids are new, in one commit; how many. Raises as `record`."""
        return await self._ledger.append_all(entries)

    async def record_once(self, entry: Entry) -> bool:
        """Appends `entry`; `False` when its id is there already. Raises as `record`."""
        is_new = await self._ledger.append_all([entry]) > 0
        if is_new:
            self._count(entry)
        return is_new

    async def done(self, caller: Mandate | None, zone: str, kind: str, **facts: Any) -> str:
        """Appends a change of state, done by `caller`, or by the authority itself without one."""
        by = _caller_facts(caller) if caller else {}
        return await self.record(self.new_id(), zone, kind, "done", **{**by, **facts})

    def owed(self, caller: Mandate | None, zone: str, kind: str, **facts: Any) -> Owed:
        """The entry of a change that `caller` makes next. Its `put` goes into the commit of the
        change; then `pay` it.
        """
        by = _caller_facts(caller) if caller else {}
        return Owed(self.entry(self.new_id(), zone, kind, "done", **{**by, **facts}))

    async def pay(self, owed: Owed) -> str:
        """Appends what is owed, unless `Debts` was first; its id.

        Raises `AUDIT_UNAVAILABLE`: then it stays owed, and `Debts` appends it as soon as it can.
        """
        try:
            await self._append(owed.entry)
        except CaracalError as error:
            if error.reason is not Reason.OBJECT_EXISTS:
                raise
        self.paid[owed.entry.id] = owed
        return owed.entry.id

    async def _append(self, entry: Entry) -> None:
        await self._ledger.append(entry)
        self._count(entry)

    def _count(self, entry: Entry) -> None:
        self.counted[entry.zone, entry.type, entry.decision, entry.reason] += 1

    async def refused(
        self, caller: Mandate, zone: str, kind: str, refusal: CaracalError, **facts: Any
    ) -> CaracalError:
        """Appends what `caller` was refused; the refusal, with its entry as metadata `audit_id`."""
        by = {**_caller_facts(caller), "reason": refusal.reason.value}
        audit_id = await self.record(self.new_id(), zone, kind, "deny", **{**by, **facts})
        refusal.metadata["audit_id"] = audit_id
        return refusal


def _caller_facts(caller: Mandate) -> dict[str, Any]:
    return {
        "application": caller.application,
        "subject": caller.subject,
        "subject_type": caller.subject_type,
        "session": caller.session,
        "root_session": caller.root_session,
        "actor_chain": tuple(hop.application for hop in caller.chain),
        "hops": caller.hops,
        "jti": caller.jti,
    }
