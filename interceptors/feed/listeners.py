"""Who is told of deaths by a view; between threads."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final

from caracal_grpc.interceptors.feed.view import Listener

_log: Final = logging.getLogger("caracal.guard")


class Listeners:
    """The listeners of one view."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []

    def add(self, listener: Listener) -> Callable[[], None]:
        """Tells `listener` from now on; the answer ends that, and again is no error."""
        with self._lock:
            self._listeners.append(listener)
        return lambda: self._remove(listener)

    def tell(self, dead: AbstractSet[str]) -> None:
        """Tells every listener of `dead`, unless nothing died.

        One that fails keeps it from no other: a death is news only once, so whoever is not told now
        would never cut for it.
        """
        if not dead:
            return
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            try:
                listener(dead)
            except Exception:  # noqa: BLE001 - the others must be told all the same
                _log.exception("a listener of the feed failed")

    def _remove(self, listener: Listener) -> None:
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)
