"""The sessions of each zone as a tree, kept as they come and go: no scan for what is below one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.session import Session
from caracal_grpc.store.port import Event, Key


class Tree:
    """Finds what is below a session, of everything that the store still holds, ended or not."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._parent: dict[Key, Key] = {}
        self._children: dict[Key, set[str]] = {}
        self._unsubscribe = state.subscribe(self._on_event)
        for zone in state.zones():
            self._follow(each.key for each in state.records(zone.name, places.SESSIONS).values())

    def close(self) -> None:
        """Stops following the state."""
        self._unsubscribe()

    def children(self, zone: str, session: str) -> tuple[Session, ...]:
        """The sessions right below one, in the order of their ids: oldest first."""
        below = sorted(self._children.get(places.session_place(zone, session), ()))
        found = (self._state.find_session(zone, each) for each in below)
        return tuple(each for each in found if each is not None)

    def below(self, zone: str, session: str) -> Iterator[tuple[Session, int]]:
        """The session and all below it with their depths, itself at 0: each above its own.

        Nothing for one that is unknown. It reads on while it is iterated, as things are by then.
        """
        root = self._state.find_session(zone, session)
        waiting = [(root, 0)] if root else []
        while waiting:
            found, depth = waiting.pop()
            yield found, depth
            children = self.children(zone, found.id)
            waiting.extend((child, depth + 1) for child in reversed(children))

    def _on_event(self, _: Event, changed: AbstractSet[Key]) -> None:
        self._follow(key for key in changed if key.kind == places.SESSIONS)

    def _follow(self, keys: Iterable[Key]) -> None:
        """Takes note of sessions that are new or gone; where one is in the tree never changes."""
        for key in keys:
            record = self._state.record(key)
            if record is None:
                self._forget(key)
            elif record.value["parent"]:
                parent = places.session_place(key.zone, record.value["parent"])
                self._parent[key] = parent
                self._children.setdefault(parent, set()).add(key.id)

    def _forget(self, key: Key) -> None:
        parent = self._parent.pop(key, None)
        if parent is not None:
            siblings = self._children[parent]
            siblings.remove(key.id)
            if not siblings:
                del self._children[parent]
