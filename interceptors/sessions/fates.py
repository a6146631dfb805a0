"""Exchanges that tell the holder of a service at once that it has lost it, before its next beat."""

from __future__ import annotations

from caracal_grpc.interceptors.client.aio.tokens import AioExchange
from caracal_grpc.interceptors.client.sync.tokens import SyncExchange
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError, Granted
from caracal_grpc.interceptors.context.session import InSession
from caracal_grpc.interceptors.sessions.fate import AioLost, SyncLost, is_final

Lost = AioLost | SyncLost


class Fates:
    """The service sessions that are held here. Each is added and taken away by its own holder."""

    def __init__(self) -> None:
        self._held: dict[tuple[str | None, int], Lost] = {}

    def add(self, place: InSession, lost: Lost) -> None:
        """The session of `place` is held from here on."""
        self._held[place.id, place.generation] = lost

    def remove(self, place: InSession) -> None:
        """It was left."""
        self._held.pop((place.id, place.generation), None)

    def hear(self, ask: Ask, error: ExchangeError) -> None:
        """Loses the session of `ask` when that is why it was refused, and not one of its caller."""
        lost = self._held.get((ask.session, ask.generation))
        refusal = error.refusal if lost is not None else None
        if lost is None or refusal is None or refusal.metadata.get("session") != ask.session:
            return
        if is_final(refusal):
            lost.lose(refusal)


class AioFated:
    """An exchange that tells."""

    def __init__(self, exchange: AioExchange, fates: Fates) -> None:
        self._exchange = exchange
        self._fates = fates

    async def __call__(self, ask: Ask) -> Granted:
        """As the exchange."""
        try:
            return await self._exchange(ask)
        except ExchangeError as error:
            self._fates.hear(ask, error)
            raise


class SyncFated:
    """An exchange that tells."""

    def __init__(self, exchange: SyncExchange, fates: Fates) -> None:
        self._exchange = exchange
        self._fates = fates

    def __call__(self, ask: Ask, timeout: float) -> Granted:
        """As the exchange."""
        try:
            return self._exchange(ask, timeout)
        except ExchangeError as error:
            self._fates.hear(ask, error)
            raise
