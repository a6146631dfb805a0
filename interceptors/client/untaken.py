"""The requests of a stream that can be sent by a second call while the first has taken none.

gRPC takes requests eagerly, and what it took may have been handled before the call was refused: a
request is never sent twice. A first call that failed may still be waiting for its first request;
that one goes to the second call.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from typing import Any, Final

_Outcome = tuple[Any, BaseException | None]
"""A request, or what came in its place."""

_END: Final = object()


class AioUntaken:
    """The requests of one call of `grpc.aio`, on its loop."""

    def __init__(self, requests: AsyncIterable[Any]) -> None:
        self._requests = aiter(requests)
        self._waiting = False
        self._taken = False
        self._handed: asyncio.Future[_Outcome] | None = None

    async def first(self) -> AsyncIterator[Any]:
        """The requests, for the first call."""
        if self._handed is not None:
            return
        self._waiting = True
        outcome = await self._take()
        if self._handed is not None:
            if not self._handed.done():  # the second call has ended, too
                self._handed.set_result(outcome)
            return
        self._taken = True
        async for request in self._from(outcome):
            yield request

    def again(self) -> AsyncIterator[Any] | None:
        """The requests, for the second call; `None` when the first has taken one, or their end."""
        if self._taken:
            return None
        self._handed = asyncio.get_running_loop().create_future()
        return self._second(self._handed)

    async def _second(self, handed: asyncio.Future[_Outcome]) -> AsyncIterator[Any]:
        async for request in self._from(await (handed if self._waiting else self._take())):
            yield request

    async def _take(self) -> _Outcome:
        try:
            return await anext(self._requests, _END), None
        except BaseException as error:  # noqa: BLE001 - raised where the request would have gone
            return _END, error

    async def _from(self, outcome: _Outcome) -> AsyncIterator[Any]:
        request, error = outcome
        if error is not None:
            raise error
        if request is _END:
            return
        yield request
        async for request in self._requests:
            yield request


class SyncUntaken:
    """The requests of one synchronous call; each of its tries reads them in a thread of gRPC."""

    def __init__(self, requests: Iterator[Any]) -> None:
        self._requests = requests
        self._turn = threading.Condition()
        self._waiting = False
        self._taken = False
        self._closed = False
        self._handed: _Outcome | None = None

    def first(self) -> Iterator[Any]:
        """The requests, for the first call."""
        with self._turn:
            if self._closed:
                return
            self._waiting = True
        outcome = self._take()
        with self._turn:
            if self._closed:
                self._handed = outcome
                self._turn.notify_all()
                return
            self._taken = True
        yield from self._from(outcome)

    def again(self) -> Iterator[Any] | None:
        """The requests, for the second call; `None` when the first has taken one, or their end."""
        with self._turn:
            if self._taken:
                return None
            self._closed = True
        return self._second()

    def _second(self) -> Iterator[Any]:
        if not self._waiting:
            yield from self._from(self._take())
            return
        with self._turn:
            while self._handed is None:
                self._turn.wait()
        yield from self._from(self._handed)

    def _take(self) -> _Outcome:
        try:
            return next(self._requests, _END), None
        except BaseException as error:  # noqa: BLE001 - raised where the request would have gone
            return _END, error

    def _from(self, outcome: _Outcome) -> Iterator[Any]:
        request, error = outcome
        if error is not None:
            raise error
        if request is not _END:
            yield request
            yield from self._requests
