"""An exchange that is observed."""

from __future__ import annotations

from caracal_grpc.interceptors.client.aio.tokens import AioExchange
from caracal_grpc.interceptors.client.sync.tokens import SyncExchange
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError, Granted
from caracal_grpc.interceptors.observer import Observer, tell


def aio_exchange_of(exchange: AioExchange, observer: Observer | None) -> AioExchange:
    """`exchange`, which tells the observer, when there is one."""
    return exchange if observer is None else _ObservedAioExchange(exchange, observer)


def sync_exchange_of(exchange: SyncExchange, observer: Observer | None) -> SyncExchange:
    """As `aio_exchange_of`."""
    return exchange if observer is None else _ObservedSyncExchange(exchange, observer)


class _ObservedAioExchange:
    def __init__(self, exchange: AioExchange, observer: Observer) -> None:
        self._exchange = exchange
        self._observer = observer

    async def __call__(self, ask: Ask) -> Granted:
        try:
            answer = await self._exchange(ask)
        except ExchangeError as error:
            tell(self._observer.exchanged, error)
            raise
        tell(self._observer.exchanged, None)
        return answer


class _ObservedSyncExchange:
    def __init__(self, exchange: SyncExchange, observer: Observer) -> None:
        self._exchange = exchange
        self._observer = observer

    def __call__(self, ask: Ask, timeout: float) -> Granted:
        try:
            answer = self._exchange(ask, timeout)
        except ExchangeError as error:
            tell(self._observer.exchanged, error)
            raise
        tell(self._observer.exchanged, None)
        return answer
