"""Aliases of zones that hide lineages: whom each stands for, and what edges are told with them."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import APPLICATION, DELEGATION, SESSION, sibling
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.visibility import alias, hides
from caracal_grpc.store.port import Event, Key, Snapshot

_NAMED: Final = frozenset({places.SESSIONS, places.APPLICATIONS})
"""Kinds that a lineage is made of; a delegation is in the session that it made."""

_HIDDEN: Final = (f"{SESSION}_", f"{DELEGATION}_", f"{APPLICATION}_")
"""How ids begin that a mandate may hide."""


class Aliases:
    """Follows the sessions and applications of zones that hide; others cost nothing."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._names: dict[str, dict[str, str]] = {}
        self._unsubscribe = state.subscribe(self._on_event)
        self._begin()

    def close(self) -> None:
        """Stops following the state."""
        self._unsubscribe()

    def hides(self, zone: str) -> bool:
        """Whether mandates of the zone may be alive that hide their lineage."""
        known = self._state.find_zone(zone)
        return known is not None and hides(known, self._clock.now())

    def find(self, zone: str, name: str) -> str | None:
        """The id that an alias stands for; `None` when nothing has it, or has it any more."""
        return self._names.get(zone, {}).get(name)

    def revoked(self, zone: str, anchors: Iterable[str]) -> tuple[str, ...]:
        """Dead anchors as edges must hear of them: each with its alias in a zone that hides."""
        return _with_aliases(zone, anchors) if self.hides(zone) else tuple(anchors)

    def released(self, zone: str, anchors: Iterable[str]) -> tuple[str, ...]:
        """The same of anchors that edges may forget; also when the zone hid long ago."""
        known = self._state.find_zone(zone)
        hid = known is not None and (known.chain_visibility != "full" or known.hidden_until)
        return _with_aliases(zone, anchors) if hid else tuple(anchors)

    def veil(self, zone: str, holder: str, refusal: CaracalError, said: str = "") -> CaracalError:
        """`refusal` without the id of anybody behind `holder`, in a zone that hides them.

        What the request itself `said` is told as it was: no answer tells whether it is somebody's.
        """
        for name, value in refusal.metadata.items() if self.hides(zone) else ():
            if value != said and self._is_anothers(zone, holder, value):
                refusal.metadata[name] = alias(zone, value)
        return refusal

    def _is_anothers(self, zone: str, holder: str, name: str) -> bool:
        """Whether a lineage may have the name from somebody else; nobody owns an unknown one."""
        if not name.startswith(_HIDDEN):
            return False
        if name.startswith(f"{APPLICATION}_"):
            return name != holder
        session = self._state.find_session(zone, sibling(SESSION, name))
        return session is not None and session.application != holder

    def _on_event(self, event: Event, changed: AbstractSet[Key]) -> None:
        if isinstance(event, Snapshot):
            self._begin()
            return
        for zone in {key.zone for key in changed if key.kind == places.ZONES}:
            self._follow(zone)
        for key in changed:
            if key.kind in _NAMED and key.zone in self._names:
                self._take(key)

    def _begin(self) -> None:
        self._names = {}
        for zone in self._state.zones():
            self._follow(zone.name)

    def _follow(self, zone: str) -> None:
        """Begins with a zone that has come to hide, and lets go of one that no longer does."""
        if not self.hides(zone):
            self._names.pop(zone, None)
        elif zone not in self._names:
            self._names[zone] = {}
            for kind in _NAMED:
                for record in self._state.records(zone, kind).values():
                    self._take(record.key)

    def _take(self, key: Key) -> None:
        names = [key.id]
        if key.kind == places.SESSIONS:
            names.append(sibling(DELEGATION, key.id))
        known, there = self._names[key.zone], self._state.record(key) is not None
        for name in names:
            if there:
                known[alias(key.zone, name)] = name
            else:
                known.pop(alias(key.zone, name), None)


def _with_aliases(zone: str, anchors: Iterable[str]) -> tuple[str, ...]:
    told = tuple(anchors)
    return (*told, *(alias(zone, each) for each in told if each.startswith(_HIDDEN)))
