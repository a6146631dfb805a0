"""Single use: a mandate is consumed once, for every guard and every replica.

One write decides, which the store makes at most once. It takes effect first and is recorded after;
both before the answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from caracal_grpc.authority.exchange.presented import PresentedMandates
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.places import consumed_place
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.entry import plain_text
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Store

_KIND: Final = "mandate.consume"

_KEPT: Final = 3 * LEEWAY
"""Seconds that a use is remembered after the end of its mandate: a leeway that it is accepted
longer, and one for the clock of each of two replicas."""


@dataclass(frozen=True, slots=True)
class Use:
    """One call that a guard wants to let in: the mandate as it was shown, and what it is for.

    `request_id` is the guard's own, which makes it the same use when it is asked for again.
    """

    zone: str
    token: str = field(repr=False)
    request_id: str
    method: str

    def by(self, caller: Mandate) -> dict[str, str]:
        """Who uses the mandate: what two askings for the same use have in common."""
        return {"application": caller.application, "request_id": self.request_id}


@dataclass(frozen=True, slots=True)
class Consumed:
    """That a mandate is consumed from `revision` on, with the entry of this answer."""

    revision: int
    audit_id: str


class Consumption:
    """Consumes mandates."""

    def __init__(
        self,
        store: Store,
        state: State,
        presented: PresentedMandates,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._store = store
        self._state = state
        self._presented = presented
        self._recorder = recorder
        self._clock = clock

    async def consume(self, caller: Mandate, use: Use) -> Consumed:
        """Makes `use` the only one of its mandate; asked for again, it still is.

        Raises `MANDATE_REPLAYED` when there was another, and what a guard raises for a mandate that
        is not good, both recorded, with the entry as metadata `audit_id`; `ZONE_FORBIDDEN`,
        `OBJECT_NOT_FOUND` and `AUTHORITY_STALE`; and `STORE_UNAVAILABLE` and `AUDIT_UNAVAILABLE`,
        after which it may be consumed all the same.
        """
        require_zone(caller, use.zone)
        self._state.zone(use.zone)
        self._state.require_fresh()
        details: dict[str, Any] = {"method": use.method}
        facts: dict[str, Any] = {"jti": "", "request_id": use.request_id, "details": details}
        try:
            mandate = self._judged(use, facts)
            revision = await self._take(caller, use, mandate, details)
        except CaracalError as refusal:
            if refusal.code == "UNAVAILABLE":  # that says nothing of the mandate
                raise
            raise await self._recorder.refused(
                caller, use.zone, _KIND, refusal, **facts
            ) from refusal.__cause__
        return Consumed(revision, await self._recorder.done(caller, use.zone, _KIND, **facts))

    def _judged(self, use: Use, facts: dict[str, Any]) -> Mandate:
        """The mandate of `use`, which goes into the facts of its entry as soon as it is known."""
        mandate = self._presented.read(use.token)
        facts |= {"jti": mandate.jti, "resource": plain_text(mandate.resource)}
        facts["details"] |= {"holder": mandate.application, "mandate_audit_id": mandate.audit_id}
        self._presented.judge(mandate, use.zone, bound=True)
        return mandate

    async def _take(
        self, caller: Mandate, use: Use, mandate: Mandate, details: dict[str, Any]
    ) -> int:
        """The revision at which `use` is the one of `mandate`; raises `MANDATE_REPLAYED`."""
        now = self._clock.now()
        place, by = consumed_place(use.zone, mandate.jti), use.by(caller)
        ttl = math.ceil(mandate.expires_at - now) + _KEPT
        try:
            return await self._store.create(place, {**by, "consumed_at": now}, ttl=ttl)
        except CaracalError as error:
            if error.reason is not Reason.OBJECT_EXISTS:
                raise
        earlier = await self._store.get(place)
        if earlier is not None and by.items() <= earlier.value.items():
            details["again"] = True
            return earlier.revision
        details |= _earlier(earlier.value if earlier else {})
        raise CaracalError(
            Reason.MANDATE_REPLAYED,
            "the mandate is good for one call, which it was used for; exchange for a new one",
        )


def _earlier(use: Mapping[str, Any]) -> dict[str, str]:
    """What an entry says of the use that came before."""
    return {f"consumed_by_{name}": str(use.get(name, "")) for name in ("application", "request_id")}
