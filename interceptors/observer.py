"""The port through which an edge is watched."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final, Protocol

import grpc

from caracal_grpc.core.errors import CaracalError, field_invalid

if TYPE_CHECKING:
    from caracal_grpc.interceptors.client.tokens import ExchangeError
    from caracal_grpc.interceptors.guard.gate import Admission

_log: Final = logging.getLogger("caracal.guard")


class Observed(Protocol):
    """What an edge says of itself when it is asked; any thread may ask."""

    def age(self) -> float:
        """Seconds since the authority was heard; infinite before that."""
        ...

    @property
    def revision(self) -> int:
        """The revision of the authority's store that was applied last."""
        ...


class Guard(Protocol):
    """What a guard says of itself when it is asked."""

    @property
    def open_streams(self) -> int:
        """How many guarded streams are open."""
        ...


class Waiting(Protocol):
    """What an edge says of the decisions that it has to deliver to the ledger, when it is asked."""

    @property
    def waiting(self) -> int:
        """How many are not delivered."""
        ...

    @property
    def dropped(self) -> int:
        """How many were lost, for good."""
        ...


class OutgoingCall(Protocol):
    """One call of this edge on its way out; told by any thread."""

    def current(self) -> AbstractContextManager[Any]:
        """Within it the mandate is asked for, and the call begun."""
        ...

    def carried(
        self, metadata: Iterable[tuple[str, str | bytes]] | None
    ) -> list[tuple[str, str | bytes]]:
        """A copy of `metadata` by which the called service finds this call's trace."""
        ...

    def sent(self, metadata: Iterable[tuple[str, str | bytes]] | None) -> None:
        """The call goes out with `metadata`, its mandate among them."""
        ...

    def ended(self, code: grpc.StatusCode, trailing_metadata: Any) -> None:
        """The call is over; of several times the first one counts."""
        ...


class Observer(Protocol):
    """Is told what one edge does, by any thread. It must not block; what it raises is logged.

    Where it hears of a refusal or a cut, `current_request_id()` is that of the call.
    """

    def allowed(self, admission: Admission, seconds: float) -> Callable[[CaracalError], None]:
        """The handler runs; to read and judge the mandate took `seconds`. Within the call.

        The answer is told when the call is ended after all, by any thread and not within the call.
        """
        ...

    def refused(self, admission: Admission, error: CaracalError, seconds: float) -> None:
        """The handler does not run; as `allowed`."""
        ...

    def looked_up(self, hit: bool, /) -> None:
        """A token was looked for among those that are known to be well signed."""
        ...

    def exchanged(self, error: ExchangeError | None) -> None:
        """The authority was asked for a mandate."""
        ...

    def calling(self, method: str, resource: str, application: str) -> OutgoingCall | None:
        """A call is about to be made by `application`, for `resource`, if that is known; what is to
        hear of it, `None` for nothing.
        """
        ...

    def watch(self, feed: Observed, guard: Guard) -> None:
        """A guard of this edge, and the feed that it lives on."""
        ...

    def watch_records(self, records: Waiting) -> None:
        """What this edge has to deliver to the ledger; one that records nothing has none."""
        ...

    async def traced_aio(self, handler: Any, details: grpc.HandlerCallDetails) -> Any:
        """The handler of one call on an asyncio server, within a span; its style is kept."""
        ...

    def traced(self, handler: Any, details: grpc.HandlerCallDetails) -> Any:
        """The handler of one call on a sync server, within a span."""
        ...

    def close(self) -> None:
        """The edge is closed."""
        ...


def observer_of(telemetry: bool | Observer, zone: str) -> Observer | None:
    """The observer that an edge was asked for; `None` for none.

    OpenTelemetry is imported here and nowhere before. Raises `FIELD_INVALID` without it.
    """
    if not isinstance(telemetry, bool):
        return telemetry
    if not telemetry:
        return None
    try:
        from caracal_grpc.interceptors.telemetry.telemetry import Telemetry
    except ImportError as exc:
        raise field_invalid(
            "telemetry", "it needs OpenTelemetry; install the extra: caracal-grpc[telemetry]"
        ) from exc
    return Telemetry(zone)


def tell(hear: Callable[..., Any], *what: Any) -> Any:
    """What `hear` answers. An observer only watches: what goes wrong there changes nothing."""
    try:
        return hear(*what)
    except Exception:  # noqa: BLE001 - see above
        _log.exception("the observer failed")
        return None
