"""Opens and seals private keys, and secrets of upstreams as if they were some.

What may block is done in a thread, and ahead of time.

A key-encryption key in this process is asked when a value is wanted. One outside of it is asked as
soon as a sealed value appears, and for some data keys in advance, so that neither signing nor
making a key ever waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from caracal_grpc.authority.keys.sealed import (
    SEAL_VERSION,
    SEALED_KINDS,
    envelope_of,
    path,
    sealed_records,
)
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.key_encryption import Keks, kek_unavailable
from caracal_grpc.crypto.sealing import DataKey, new_data_key, open_sealed, seal, seal_under
from caracal_grpc.store.port import Event, Key, Record

_log = logging.getLogger("caracal.keys")

SPARES: Final = 16
"""Data keys that are kept ready."""
_PATIENCE: Final = 10.0
"""Seconds that a key-encryption key outside of this process has to answer."""
_AGAIN: Final = 2.0
"""Seconds until it is asked again."""
_MADE: Final = 64
"""Keys of our own making that are remembered, the newest: they sign before they are opened."""

T = TypeVar("T")


class Vault:
    """Private keys as bytes: sealed for the store, opened for who signs.

    With a key-encryption key outside of this process it needs `start`, which opens all there is.
    """

    def __init__(self, state: State, keks: Keks) -> None:
        self.keks = keks
        self._state = state
        self._spares: deque[DataKey] = deque()
        self._opened: dict[Key, bytes] = {}
        self._made: OrderedDict[Key, bytes] = OrderedDict()
        self._lacking: set[Key] = set()
        self._news = asyncio.Event()
        self._thread: ThreadPoolExecutor | None = None
        self._work: asyncio.Task[None] | None = None
        self._unsubscribe = state.subscribe(self._on_event)

    async def start(self) -> None:
        """Opens what is sealed by a key outside of this process, and goes on doing so."""
        for zone in self._state.zones():
            for record in sealed_records(self._state, zone.name):
                self._note(record.key, record)
        if all(kek.local for kek in self.keks):
            return
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="caracal-kek")
        await self._prepare()
        self._work = asyncio.create_task(self._go_on(), name="key opening")

    async def close(self) -> None:
        """Stops, once what was asked is answered."""
        self._unsubscribe()
        if self._work is not None:
            self._work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._work
        if self._thread is not None:
            await asyncio.to_thread(self._thread.shutdown)

    def open(self, place: Key) -> bytes:
        """The private key at `place`; never waits.

        Raises `OBJECT_NOT_FOUND`, `KEY_STATE_CONFLICT` for one that none of our key-encryption keys
        opens, and `STORE_UNAVAILABLE` for one that is being opened.
        """
        known = self._opened.get(place) or self._made.get(place)
        if known is not None:
            return known
        envelope = self._envelope(place)
        kek = self.keks.find(envelope.get("kek_id"))
        if kek is not None and not kek.local:
            self._news.set()
            raise kek_unavailable()
        return open_sealed(kek, envelope, path(place), SEAL_VERSION)

    async def opened_anew(self, record: Record) -> bytes:
        """What is sealed in `record`, whatever is open already; raises as `open`."""
        envelope = envelope_of(record) or {}
        kek = self.keks.find(envelope.get("kek_id"))
        args = (kek, envelope, path(record.key), SEAL_VERSION)
        if kek is None or kek.local:
            return open_sealed(*args)
        return await self._asked(lambda: open_sealed(*args))

    def seal(self, place: Key, private: bytes) -> dict[str, str]:
        """The envelope of a private key for `place`; never waits.

        Raises `STORE_UNAVAILABLE` while the key-encryption key does not answer.
        """
        kek = self.keks.current
        if kek.local:
            return seal(kek, private, path(place), SEAL_VERSION)
        if len(self._spares) <= SPARES // 2:
            self._news.set()
        if not self._spares:
            raise kek_unavailable()
        self._made[place] = private
        if len(self._made) > _MADE:
            self._made.popitem(last=False)
        return seal_under(self._spares.popleft(), private, path(place), SEAL_VERSION)

    async def ready(self) -> None:
        """Returns when `SPARES` values can be sealed; raises `STORE_UNAVAILABLE`."""
        kek = self.keks.current
        while not kek.local and len(self._spares) < SPARES:
            self._spares.append(await self._asked(lambda: new_data_key(kek)))

    def forget(self, place: Key) -> None:
        """Lets go of the key at `place`, which signs no more."""
        self._made.pop(place, None)
        if place in self._opened:
            self._opened[place] = b""

    def _envelope(self, place: Key) -> dict[str, Any]:
        envelope = envelope_of(self._state.record(place))
        if envelope is None:
            raise not_found("key", place.id)
        return envelope

    async def _go_on(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            if not await self._prepare():
                await asyncio.sleep(_AGAIN)
                self._news.set()

    async def _prepare(self) -> bool:
        """Opens what is not open yet and makes spare data keys; whether all was answered."""
        try:
            for record in self._sealed():
                await self._keep(record)
            await self.ready()
        except CaracalError as error:
            _log.warning("what is sealed cannot be opened, or nothing be sealed: %s", error)
            return False
        return True

    def _sealed(self) -> list[Record]:
        """All that is sealed, by kind: keys of every zone before secrets of any."""
        zones = self._state.zones()
        found = (each for zone in zones for each in sealed_records(self._state, zone.name))
        return sorted(found, key=lambda record: record.key.kind)

    async def _keep(self, record: Record) -> None:
        kek = self.keks.find((envelope_of(record) or {}).get("kek_id"))
        if kek is None or kek.local or record.key in self._opened:
            return
        try:
            opened = await self.opened_anew(record)
            if self._state.record(record.key) is not None:  # else it went meanwhile
                self._opened[record.key] = opened
        except CaracalError as error:
            if error.reason is not Reason.KEY_STATE_CONFLICT:
                raise
            _log.error("a sealed value does not open: %s", error)

    async def _asked(self, ask: Callable[[], T]) -> T:
        """What a key-encryption key outside of this process answers, in time."""
        try:
            async with asyncio.timeout(_PATIENCE):
                return await asyncio.get_running_loop().run_in_executor(self._thread, ask)
        except TimeoutError as exc:
            raise kek_unavailable() from exc

    def _on_event(self, _: Event, changed: AbstractSet[Key]) -> None:
        for place in changed:
            if place.kind in SEALED_KINDS:
                self._note(place, self._state.record(place))

    def _note(self, place: Key, record: Record | None) -> None:
        """Forgets a key that is gone or destroyed, and says so once of one that cannot be opened.

        What is open stays so when it is sealed under a key that we lack: it serves to our end.
        """
        envelope = envelope_of(record)
        if envelope is None:
            self._made.pop(place, None)
            self._opened.pop(place, None)
            self._lacking.discard(place)
        elif self.keks.find(envelope.get("kek_id")) is not None:
            self._lacking.discard(place)
            self._news.set()
        elif place not in self._lacking:
            self._lacking.add(place)
            _log.error(
                "the value at %s is sealed under the key-encryption key %s, which this replica "
                "does not have; start it with that key",
                path(place),
                envelope.get("kek_id"),
            )
