"""Which replica does what only one of them is to do: one at a time, until it is gone."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final

from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Expect, Key, Put, Store

_TTL: Final = 86_400
"""Seconds until an owner says so again: long, since the life of its replica is what counts."""


class Ownership:
    """Takes places for the replica `own`, from nobody and from replicas that are not `live`.

    It spares the others the work, and no more: for a moment two may believe that they own a place,
    so whatever an owner does must hold up to that.
    """

    def __init__(
        self, store: Store, state: State, own: str, live: Callable[[], AbstractSet[str]]
    ) -> None:
        self._store = store
        self._state = state
        self._own = own
        self._live = live

    def is_free(self, place: Key) -> bool:
        """Whether this replica has the place, or may take it, as far as it knows."""
        owner = self._owner(place)
        return owner == self._own or owner not in self._live()

    async def take(self, place: Key) -> bool:
        """Whether this replica has the place now; raises `STORE_UNAVAILABLE`."""
        if self._owner(place) == self._own:
            return True
        if not self.is_free(place):
            return False
        expect = Expect(place, self._state.revision_of(place))
        try:
            revision = await self._store.commit([Put(place, {"owner": self._own}, _TTL)], [expect])
        except CaracalError as error:
            if error.reason is Reason.CONFLICT:
                return False
            raise
        await self._state.reached(revision)
        return True

    def _owner(self, place: Key) -> str:
        record = self._state.record(place)
        return str(record.value["owner"]) if record else ""
