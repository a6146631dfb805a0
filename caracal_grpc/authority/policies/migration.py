"""Policies as format 1 of the store kept them: in the record of what is active, not as versions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final

from caracal_grpc.authority.policies.active import ActivePolicy
from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.policies.making import Making
from caracal_grpc.authority.policies.versions import Versions
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Expect, Record, Store

_log = logging.getLogger("caracal.policies")

_UNFIT: Final = frozenset({Reason.FIELD_INVALID, Reason.LIMIT_EXCEEDED})
_REFUSED: Final = (
    "zone %s grants nothing: this release refuses the policy that an earlier one kept; activate "
    "another: %s"
)
_DESCRIPTION = "the policy that an earlier release kept"


class Unversioned:
    """Makes a version of each such policy, and activates it; without one nothing is granted."""

    def __init__(
        self, store: Store, state: State, versions: Versions, recorder: Recorder, clock: Clock
    ) -> None:
        self._store = store
        self._state = state
        self._versions = versions
        self._making = Making(versions, recorder)
        self._recorder = recorder
        self._clock = clock

    async def migrate(self) -> None:
        """Returns when there is none any more that can decide, whoever did it.

        One that this release refuses is told, and its zone grants nothing; the others go on. Raises
        `STORE_UNAVAILABLE`, `AUDIT_UNAVAILABLE`.
        """
        for record in list(self._records()):
            try:
                await self._migrate(record)
            except CaracalError as error:
                if error.reason in _UNFIT:
                    _log.error(_REFUSED, record.key.zone, error)
                elif error.reason is not Reason.CONFLICT:
                    raise  # else another replica, or an operator, was first

    def _records(self) -> Iterator[Record]:
        for zone in self._state.zones():
            record = self._state.record(places.policy_place(zone.name))
            if record is not None and "unversioned" in record.value:
                yield record

    async def _migrate(self, record: Record) -> None:
        zone, content = record.key.zone, _content(record.value["unversioned"])
        version = (await asyncio.to_thread(content.bundle)).version
        await self._making.make(None, zone, version, content, _DESCRIPTION)
        active = ActivePolicy().activated(version, self._clock.now(), "")
        expects = [Expect(record.key, record.revision), self._versions.held(zone, version)]
        owed = self._recorder.owed(
            None, zone, "policy.activate", policy_version=version, details={"why": _DESCRIPTION}
        )
        revision = await self._store.commit([active.put(zone), owed.put], expects)
        await self._state.reached(revision)
        await self._recorder.pay(owed)


def _content(value: Mapping[str, Any]) -> Content:
    return Content(tuple(value["grants"]), value["modules"])
