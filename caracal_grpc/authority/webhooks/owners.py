"""Which replica tells a webhook: one at a time, until it is gone."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final

from caracal_grpc.authority.state.places import delivery_place
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Expect, Put, Store

_TTL: Final = 86_400
"""Seconds until an owner says so again: long, since the life of its replica is what counts."""


class Owners:
    """Takes webhooks for the replica `own`, from nobody and from replicas that are not `live`."""

    def __init__(
        self, store: Store, state: State, own: str, live: Callable[[], AbstractSet[str]]
    ) -> None:
        self._store = store
        self._state = state
        self._own = own
        self._live = live

    def is_free(self, zone: str, webhook: str) -> bool:
        """Whether this replica has the webhook, or may take it, as far as it knows."""
        owner = self._owner(zone, webhook)
        return owner == self._own or owner not in self._live()

    async def take(self, zone: str, webhook: str) -> bool:
        """Whether this replica has the webhook now; raises `STORE_UNAVAILABLE`."""
        if self._owner(zone, webhook) == self._own:
            return True
        if not self.is_free(zone, webhook):
            return False
        place = delivery_place(zone, webhook)
        expect = Expect(place, self._state.revision_of(place))
        try:
            revision = await self._store.commit([Put(place, {"owner": self._own}, _TTL)], [expect])
        except CaracalError as error:
            if error.reason is Reason.CONFLICT:
                return False
            raise
        await self._state.reached(revision)
        return True

    def _owner(self, zone: str, webhook: str) -> str:
        record = self._state.record(delivery_place(zone, webhook))
        return str(record.value["owner"]) if record else ""
