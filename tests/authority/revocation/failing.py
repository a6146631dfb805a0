"""A store whose writes fail when a test says so, before they are made or after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Change, Expect, Store


class FailingStore:
    """Passes everything on to a real store, except for commits once `left` of them are made.

    With `made` the one that fails is made all the same, as when its answer is lost.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.left: int | None = None
        self.made = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, changes: Sequence[Change], expects: Sequence[Expect] = ()) -> int:
        """Commits, or raises `STORE_UNAVAILABLE`."""
        if self.left == 0:
            if self.made:
                await self._store.commit(changes, expects)
            raise CaracalError(Reason.STORE_UNAVAILABLE, "the store is out of reach")
        if self.left is not None:
            self.left -= 1
        return await self._store.commit(changes, expects)
