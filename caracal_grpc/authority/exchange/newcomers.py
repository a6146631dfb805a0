"""Sessions that another replica began a moment ago, and that this one has not heard of yet."""

from __future__ import annotations

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.ids import SESSION, prefix_of
from caracal_grpc.store.port import Store


class Newcomers:
    """Asks the store itself about a session that this replica does not know."""

    def __init__(self, store: Store, state: State) -> None:
        self._store = store
        self._state = state

    async def admit(self, zone: str, session: str) -> None:
        """Returns when this replica knows all that the store does of the session.

        So who is handed a session may use it at once, at whichever replica. Raises
        `STORE_UNAVAILABLE`.
        """
        if prefix_of(session) != SESSION or self._state.find_session(zone, session) is not None:
            return
        record = await self._store.get(places.session_place(zone, session))
        if record is not None:
            await self._state.reached(record.revision)
