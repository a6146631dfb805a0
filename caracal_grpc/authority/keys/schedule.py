"""Rotation by schedule: one replica looks after the age of every zone's key.

It is one by `Ownership`, yet it is the write that keeps two from adding a key each. How old a key
is stands in the store, so a restart rotates nothing. A clock that most others contradict rotates
nothing either, and none rotates again before the new key signs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.keys.keys import Keys
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.ownership import Ownership
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Event, Key

_log = logging.getLogger("caracal.keys")

LOOK: Final = 30.0
"""Seconds between two looks, half of that more or less, when nothing happens in between."""
MOST_SKEW: Final = 60.0
"""Seconds that the clocks of two replicas may differ before one of them must be wrong."""

_NEWS: Final = frozenset({places.KEYS, places.ZONES})
_EXPECTED: Final = frozenset({Reason.CONFLICT, Reason.KEY_STATE_CONFLICT, Reason.OBJECT_NOT_FOUND})
"""Why a rotation is not to be done after all: another replica did it, or somebody by hand."""


class RotationSchedule:
    """Rotates the keys of all zones when they are due. `ahead` is how many seconds the clocks of
    other replicas are ahead of ours.
    """

    def __init__(
        self,
        keys: Keys,
        keyring: Keyring,
        state: State,
        ownership: Ownership,
        ahead: Callable[[], Mapping[str, float]],
    ) -> None:
        self._keys = keys
        self._keyring = keyring
        self._state = state
        self._ownership = ownership
        self._ahead = ahead
        self._news = asyncio.Event()
        self._unsubscribe = state.subscribe(self._on_event)
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look."""
        self._looking = asyncio.create_task(self._look_on(), name="key rotation")
        self._looking.add_done_callback(_log_end)

    async def close(self) -> None:
        """Stops looking; what is begun is finished by `Keys`."""
        self._unsubscribe()
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking

    async def look(self) -> int:
        """Rotates what is due, if that is this replica's to do; how many keys it added."""
        self._keyring.forget_retired()
        due = [zone.name for zone in self._state.zones() if self._keys.is_due(zone.name)]
        if not due or self._is_odd():
            return 0
        try:
            if not await self._ownership.take(places.duty_place(places.ROTATION)):
                return 0
        except CaracalError as error:
            _log.warning("keys are not rotated: %s", error)
            return 0
        return sum([await self._rotated(zone) for zone in due])

    def _is_odd(self) -> bool:
        """Whether more than half of the other replicas say that it is another time."""
        ahead = list(self._ahead().values())
        wrong = [each for each in ahead if abs(each) > MOST_SKEW]
        if 2 * len(wrong) <= len(ahead):
            return False
        _log.error(
            "no key is rotated by schedule: the clock of this replica is %.0f s behind that of "
            "another; set the clocks",
            max(wrong, key=abs),
        )
        return True

    async def _rotated(self, zone: str) -> int:
        try:
            change = await self._keys.rotate_if_due(zone)
        except CaracalError as error:
            level = logging.INFO if error.reason in _EXPECTED else logging.WARNING
            _log.log(level, "the key of zone %s is not rotated: %s", zone, error)
            return 0
        if change is None:
            return 0
        _log.info("zone %s has a new key by schedule: %s", zone, change.key.key.times.kid)
        return 1

    async def _look_on(self) -> None:
        while True:
            self._news.clear()
            await self.look()
            wait = LOOK * (0.5 + random.random())  # noqa: S311 - jitter, no secret
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._news.wait()

    def _on_event(self, _: Event, changed: AbstractSet[Key]) -> None:
        if any(place.kind in _NEWS for place in changed):
            self._news.set()


def _log_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.critical("keys are not rotated any more, restart", exc_info=task.exception())
