"""The writes of an apply: commit after commit, each with the entry that it owes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from caracal_grpc.authority.policies.publishing import Publishing
from caracal_grpc.authority.state.owed import Owed
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.state.unbroken import Unbroken
from caracal_grpc.authority.state.unfinished import cleared
from caracal_grpc.authority.zones.batches import batches, too_much
from caracal_grpc.authority.zones.change import Change, Plan
from caracal_grpc.authority.zones.told import Told
from caracal_grpc.authority.zones.turn import Turn
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import AUTHORITY_ZONE
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.store.port import Expect, Store

_KIND: Final = "zone.apply"


@dataclass(frozen=True, slots=True)
class Written:
    """That all of a plan holds from `revision` on; `audit_id` is the entry of its last commit."""

    revision: int
    audit_id: str


class Writing:
    """Makes what was planned. What is begun is written to its end, and recorded."""

    def __init__(
        self, store: Store, state: State, publishing: Publishing, recorder: Recorder
    ) -> None:
        self._store = store
        self._state = state
        self._publishing = publishing
        self._recorder = recorder
        self._unbroken = Unbroken()

    async def close(self) -> None:
        """Waits for what is under way."""
        await self._unbroken.close()

    async def write(self, caller: Mandate | None, plan: Plan, turn: Turn) -> Written:
        """Makes every change of `plan`, also when the caller hangs up meanwhile.

        Each commit holds only if nobody else had a turn, and has an entry of its own; all of one
        apply have its id as their `request_id`. The mark is gone with the last commit, unless there
        are secrets to hand out: then `finish` takes it away. Raises `LIMIT_EXCEEDED`, `CONFLICT`;
        and `STORE_UNAVAILABLE` and `AUDIT_UNAVAILABLE`, after which it may hold all the same.
        """
        return await self._unbroken.run(self._written(caller, plan, turn))

    async def finish(self, zone: str, marked: int) -> int:
        """Takes the mark away, unless another apply took the zone over meanwhile (`CONFLICT`)."""
        mark = cleared(zone)
        revision = await self._store.commit([mark], [Expect(mark.key, marked)])
        with contextlib.suppress(CaracalError):  # nothing that lags may keep the secrets back now
            await self._state.reached(revision)
        return revision

    async def _written(self, caller: Mandate | None, plan: Plan, turn: Turn) -> Written:
        together = await batches(plan.changes)
        if plan.zone.name == AUTHORITY_ZONE and len(together) > 1:
            # Half a change here would shut out the operator, who alone could complete it.
            raise too_much("the zone caracal changes in one commit only; apply it in parts")
        owed, made = list(self._before(caller, plan)), list[Owed]()
        for part, batch in enumerate(together, 1):
            if plan.made and part == len(together):
                owed.append(self._publishing.owed(caller, plan.zone.name, plan.made))
            owed.append(self._entry(caller, plan, batch, part, len(together)))
            turn = await self._commit(plan, batch, owed, turn, more=part < len(together))
            made, owed = [*made, *owed], []
        await self._state.reached(turn.revision)
        paid = [await self._recorder.pay(each) for each in made]
        return Written(turn.revision, paid[-1])

    async def _commit(
        self, plan: Plan, batch: Sequence[Change], owed: Sequence[Owed], turn: Turn, *, more: bool
    ) -> Turn:
        """Whose turn it is after the commit: ours still."""
        zone, marked = plan.zone.name, more or bool(plan.credentials)
        mark = plan.mark.put(zone, changing=more) if marked else cleared(zone)
        writes = [write for change in batch for write in change.writes]
        expects = [expect for change in batch for expect in change.expects]
        revision = await self._store.commit(
            [*writes, turn.put(), mark, *(each.put for each in owed)],
            [*expects, *turn.expects()],
        )
        return Turn(zone, revision, revision if marked else 0)

    def _before(self, caller: Mandate | None, plan: Plan) -> Iterator[Owed]:
        """What the first commit owes besides: the entry of an apply of an earlier release, which
        kept in its mark what it had changed.
        """
        if plan.mark.changes:
            mark = plan.mark
            yield self._owed(
                caller, plan, {"changes": mark.changes, "count": mark.count, "by": mark.by}
            )

    def _entry(
        self, caller: Mandate | None, plan: Plan, batch: Sequence[Change], part: int, parts: int
    ) -> Owed:
        details: dict[str, Any] = {"changes": tuple(Told.of(each).line for each in batch)}
        if parts > 1:
            details |= {"part": part, "parts": parts}
        return self._owed(caller, plan, details)

    def _owed(self, caller: Mandate | None, plan: Plan, details: dict[str, Any]) -> Owed:
        return self._recorder.owed(
            caller,
            plan.zone.name,
            _KIND,
            policy_version=plan.policy_version,
            request_id=plan.mark.id,
            details=details,
        )
