"""Credentials of upstreams in a gateway: for a moment, for one resource, and in memory only."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.header_field import is_value, name_problem
from caracal_grpc.core.limits import RELEASE_LIFE
from caracal_grpc.core.ports import Clock
from caracal_grpc.interceptors.client.exchange import MAX_FLIGHTS
from caracal_grpc.interceptors.client.tokens import FAILURE_PAUSE, MAX_PAUSE
from caracal_grpc.interceptors.edge.upstreams import Released, ReleaseError, unreleased

_log: Final = logging.getLogger("caracal.mesh")

MAX_CREDENTIALS: Final = 1_024
SWEEP: Final = 5.0
"""Seconds after which one that is over is forgotten, whether or not anybody asks for it."""

RELEASE_PATIENCE: Final = 5.0
"""Seconds for one release, its retries included, and at most for a request that waits for one."""


class Release(Protocol):
    """What releases a credential: `AioUpstreams.release`."""

    async def __call__(self, upstream: str, mandate: str, timeout: float) -> Released:
        """Raises `ReleaseError`."""
        ...


class _Key(NamedTuple):
    upstream: str
    resource: str


@dataclass(frozen=True, slots=True)
class _Kept:
    """Until the monotonic time `until`: the credential, or why there is none."""

    until: float
    released: Released | None = field(default=None, repr=False)
    refusal: CaracalError | None = None


class Credentials:
    """Those of the upstreams of one gateway, on one event loop. `close` forgets them.

    One is asked for once at a time, and used for mandates of its resource as long as the authority
    said, but no longer than `RELEASE_LIFE` seconds. Then it is forgotten, asked for again or not.
    """

    def __init__(self, release: Release, clock: Clock, *, size: int = MAX_CREDENTIALS) -> None:
        self._release = release
        self._clock = clock
        self._size = size
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._flights: dict[_Key, asyncio.Task[Released | ReleaseError]] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    def __len__(self) -> int:
        return len(self._kept)

    def __repr__(self) -> str:
        return f"Credentials({len(self._kept)})"

    async def get(self, upstream: str, resource: str, mandate: str, timeout: float) -> Released:
        """The credential of `upstream` for a request with `mandate`, which is for `resource` and
        was judged this moment.

        Raises the refusal of the request, within `timeout` seconds. Whoever waits for what another
        asked for is not refused for the mandate of that one, but asks with its own.
        """
        key = _Key(upstream, resource)
        known = self._look(key)
        if known is not None:
            return known
        try:
            async with asyncio.timeout(timeout):
                return await self._asked(key, mandate)
        except TimeoutError:
            raise unreleased() from None

    async def _asked(self, key: _Key, mandate: str) -> Released:
        while (known := self._look(key)) is None:
            flight = self._flights.get(key)
            own = flight is None
            if flight is None:
                flight = self._fly(key, mandate)
            outcome = await self._landed(flight)
            if isinstance(outcome, Released):
                return outcome
            if own or not outcome.about_the_mandate:
                raise _again(outcome.refusal, own=own)
        return known

    async def close(self) -> None:
        """Ends what is in flight and forgets all; whoever waits is refused. Again is no error."""
        self._closed = True
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        self._kept.clear()
        if self._sweeper is not None:
            self._sweeper.cancel()

    def _look(self, key: _Key) -> Released | None:
        """What is kept; raises why there is nothing, while it is too early to ask again."""
        kept = self._kept.get(key)
        if kept is None or kept.until <= self._clock.monotonic():
            self._kept.pop(key, None)
            return None
        self._kept.move_to_end(key)
        if kept.refusal is not None:
            raise _again(kept.refusal, own=False)
        return kept.released

    def _fly(self, key: _Key, mandate: str) -> asyncio.Task[Released | ReleaseError]:
        if self._closed or len(self._flights) >= MAX_FLIGHTS:
            raise unreleased()
        flight = asyncio.create_task(self._run(key, mandate), name="caracal release")
        self._flights[key] = flight
        flight.add_done_callback(lambda _: self._flights.pop(key, None))
        return flight

    async def _landed(
        self, flight: asyncio.Task[Released | ReleaseError]
    ) -> Released | ReleaseError:
        """What `flight` brings; who leaves does not end it for the others."""
        await asyncio.wait([flight])
        if flight.cancelled():
            return ReleaseError(unreleased(), about_the_mandate=False)
        return flight.result()

    async def _run(self, key: _Key, mandate: str) -> Released | ReleaseError:
        """Asks, and keeps what came of it. Its result is a value: nobody may be left to see it."""
        began = self._clock.monotonic()
        try:
            released = _fit(key, await self._release(key.upstream, mandate, RELEASE_PATIENCE))
        except ReleaseError as error:
            if not error.about_the_mandate:
                pause = max(FAILURE_PAUSE, min(error.refusal.retry_after or 0.0, MAX_PAUSE))
                self._keep(key, _Kept(self._clock.monotonic() + pause, refusal=error.refusal))
            return error
        except Exception:  # noqa: BLE001 - whoever waits must be refused, whatever it was
            _log.exception("a release for %s failed in this process", key.upstream)
            return ReleaseError(unreleased(), about_the_mandate=False)
        life = min(released.expires_at - self._clock.now(), RELEASE_LIFE)
        if life > 0:
            self._keep(key, _Kept(began + life, released))
        return released

    def _keep(self, key: _Key, kept: _Kept) -> None:
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
        self._sweep_later()

    def _sweep_later(self) -> None:
        if self._sweeper is None and self._kept:
            loop = asyncio.get_running_loop()
            self._sweeper = loop.call_later(SWEEP, self._sweep)

    def _sweep(self) -> None:
        """Forgets what is over, and looks again in a while, as long as there is something."""
        now = self._clock.monotonic()
        for key in [key for key, kept in self._kept.items() if kept.until <= now]:
            del self._kept[key]
        self._sweeper = None
        self._sweep_later()


def _fit(key: _Key, released: Released) -> Released:
    """`released`, which can be a header; raises `ReleaseError` when it cannot."""
    if name_problem(released.name) or not is_value(released.value):
        _log.error("the credential of %s cannot be a header; correct it", key.upstream)
        raise ReleaseError(unreleased(), about_the_mandate=False)
    return released


def _again(refusal: CaracalError, *, own: bool) -> CaracalError:
    """A refusal like `refusal`, for a request of its own: the entry of another is none of it."""
    told = refusal.metadata
    return CaracalError(
        refusal.reason,
        refusal.message,
        metadata={name: told[name] for name in told if own or name != "audit_id"},
        violations=refusal.violations,
        retry_after=refusal.retry_after,
    )
