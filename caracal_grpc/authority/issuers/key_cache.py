"""The keys of other issuers, fetched when they are needed and kept while they are good.

Each issuer is by itself: one that is slow, broken or gone holds up nobody else's users. At most one
fetch of each is under way, whoever waits for it, and nobody who stops waiting ends it for others.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.foreign_keys import ForeignKeys
from caracal_grpc.outbound.port import OutboundError

FRESH: Final = 3600.0
"""Seconds after which keys are fetched again, so that one that was withdrawn does not serve on."""
USABLE: Final = 86_400.0
"""Seconds for which keys serve on when they cannot be fetched again."""
UNKNOWN_KID_PAUSE: Final = 10.0
"""Seconds between fetches that tokens of unknown keys cause: anybody can make such tokens."""
RETRY_PAUSE: Final = 1.0
"""Seconds between tries at an issuer without keys."""
STALE_PAUSE: Final = 60.0
"""Seconds between tries at an issuer whose old keys serve on: each holds up the logins of then."""
MAX_HELD: Final = 4096

_log = logging.getLogger("caracal.issuers")

Fetch = Callable[[TrustedIssuer], Awaitable[ForeignKeys]]
Place = tuple[str, TrustedIssuer]


@dataclass(slots=True)
class _Held:
    """What is known of one issuer; times are monotonic, and long ago for never."""

    keys: ForeignKeys = field(default_factory=ForeignKeys)
    good_at: float = float("-inf")
    tried_at: float = float("-inf")
    unknown_at: float = float("-inf")
    task: asyncio.Task[None] | None = None


class KeyCache:
    """Keys by zone and issuer; an issuer that is declared anew begins anew."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._held: OrderedDict[Place, _Held] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    async def keys(self, zone: str, issuer: TrustedIssuer) -> ForeignKeys:
        """The keys of the issuer; raises `ISSUER_UNAVAILABLE` when none are known."""
        held = self._of((zone, issuer))
        if self._age(held) >= FRESH and self._may_try(held):
            await self._refresh((zone, issuer), held)
        if self._age(held) >= USABLE:
            raise _unavailable(issuer)
        return held.keys

    async def renewed(self, zone: str, issuer: TrustedIssuer) -> ForeignKeys:
        """The keys as they are now, for a token whose key is unknown; not more often than may be.

        A fetch that is under way is waited for: it may bring the key.
        """
        held = self._of((zone, issuer))
        if held.task or self._clock.monotonic() - held.unknown_at >= UNKNOWN_KID_PAUSE:
            held.unknown_at = self._clock.monotonic()
            await self._refresh((zone, issuer), held)
        return held.keys

    async def close(self) -> None:
        """Ends the fetches under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _of(self, place: Place) -> _Held:
        held = self._held.setdefault(place, _Held())
        self._held.move_to_end(place)
        if len(self._held) > MAX_HELD:
            self._held.popitem(last=False)
        return held

    def _age(self, held: _Held) -> float:
        return self._clock.monotonic() - held.good_at

    def _may_try(self, held: _Held) -> bool:
        pause = STALE_PAUSE if self._age(held) < USABLE else RETRY_PAUSE
        return held.task is not None or self._clock.monotonic() - held.tried_at >= pause

    async def _refresh(self, place: Place, held: _Held) -> None:
        """Returns when a fetch has ended, well or not; a caller who leaves does not end it."""
        if held.task is None:
            held.task = asyncio.create_task(self._fetched(place, held), name="issuer-keys")
            self._tasks.add(held.task)
            held.task.add_done_callback(self._tasks.discard)
        task = held.task
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()

    async def _fetched(self, place: Place, held: _Held) -> None:
        zone, issuer = place
        try:
            held.keys = await self._fetch(issuer)
            held.good_at = self._clock.monotonic()
        except (OutboundError, ValueError, RecursionError) as error:
            _log.warning("the keys of issuer %s of %s cannot be had: %s", issuer.name, zone, error)
        finally:
            held.tried_at = self._clock.monotonic()
            held.task = None


def _unavailable(issuer: TrustedIssuer) -> CaracalError:
    return CaracalError(
        Reason.ISSUER_UNAVAILABLE,
        "the issuer does not tell its keys; try again soon",
        metadata={"issuer": issuer.name},
        retry_after=RETRY_PAUSE,
    )
