"""Single use without an authority: what was used is known to the guards of one kit authority."""

from __future__ import annotations

import threading

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.guard.consumer import unconsumed
from caracal_grpc.interceptors.guard.gate import Admission


class CannedConsumption:
    """Consumes mandates for every guard that is given it; any thread may call.

    It is that of the servers of one `ThrowawayAuthority`, which has it as `consumption`.

        mandate = server.authority.mandate(resource="resource://orders", scopes="orders:place")
        await place(mandate)
        with refused("MANDATE_REPLAYED"):
            await place(mandate)
        server.authority.consumption.go_away()  # AUTHORITY_STALE, whatever the mandate
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._consumed: set[str] = set()
        self._away = False

    @property
    def consumed(self) -> frozenset[str]:
        """The `jti` of every mandate that was used."""
        with self._lock:
            return frozenset(self._consumed)

    def go_away(self) -> None:
        """Makes calls of single-use methods end as when the authority is out of reach.

        All others go on: they ask it nothing. `CannedFeed.go_stale` is for a longer absence.
        """
        self._away = True

    def come_back(self) -> None:
        """Makes the authority answer again; what was used stays used."""
        self._away = False

    def consume(self, admission: Admission, timeout: float) -> None:  # noqa: ARG002
        """For a guard: see `guard.consumer.SyncConsumer`."""
        mandate = admission.mandate
        if self._away or mandate is None:
            raise unconsumed()
        with self._lock:
            if mandate.jti in self._consumed:
                raise _replayed()
            self._consumed.add(mandate.jti)

    async def consume_aio(self, admission: Admission, timeout: float) -> None:
        """For a guard: see `guard.consumer.AioConsumer`."""
        self.consume(admission, timeout)


def _replayed() -> CaracalError:
    return CaracalError(
        Reason.MANDATE_REPLAYED,
        "the mandate is good for one call, which it was used for; exchange for a new one",
    )
