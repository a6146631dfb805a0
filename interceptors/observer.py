"""The port through which an edge is watched, and the parts that tell an observer.

An edge without an observer has none of these parts: it is not slower by what it could tell.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import grpc

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.cache import Reading, ReadingCache
from caracal_grpc.interceptors.current import answering
from caracal_grpc.interceptors.guard import Admission, Gate, OnRefusal, PeerContext, RuleSource
from caracal_grpc.interceptors.tokens import Ask, ExchangeError, Granted
from caracal_grpc.interceptors.tokens_aio import AioExchange
from caracal_grpc.interceptors.tokens_sync import SyncExchange
from caracal_grpc.interceptors.verifier import Verifier
from caracal_grpc.interceptors.view import View

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

    def watch(self, feed: Observed, guard: Guard) -> None:
        """A guard of this edge, and the feed that it lives on."""
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
        from caracal_grpc.interceptors.telemetry import Telemetry
    except ImportError as exc:
        raise field_invalid(
            "telemetry", "it needs OpenTelemetry; install the extra: caracal-grpc[telemetry]"
        ) from exc
    return Telemetry(zone)


def gate_of(
    rules: RuleSource,
    view: View,
    verifier: Verifier,
    on_refusal: OnRefusal | None,
    observer: Observer | None,
) -> Gate:
    """The middle of a guard: one that tells its observer, when it has one."""
    if observer is None:
        return Gate(rules, view, verifier, on_refusal)
    return ObservedGate(rules, view, verifier, on_refusal, observer)


@dataclass(slots=True)
class _Notes:
    """What is kept of one call: the seconds that reading took, and who is told of its cut."""

    seconds: float
    on_cut: Callable[[CaracalError], None] | None = None


class ObservedGate(Gate):
    """A `Gate` that tells what it decided, and how long that took."""

    def __init__(
        self,
        rules: RuleSource,
        view: View,
        verifier: Verifier,
        on_refusal: OnRefusal | None,
        observer: Observer,
    ) -> None:
        super().__init__(rules, view, verifier, on_refusal)
        self._observer = observer

    def read(
        self, method: str, rule: Rule | None, metadata: Iterable[tuple[str, str | bytes]] | None
    ) -> Admission:
        """As in `Gate`."""
        began = time.perf_counter()
        admission = super().read(method, rule, metadata)
        admission.notes = _Notes(time.perf_counter() - began)
        return admission

    def judge(self, admission: Admission, context: PeerContext) -> Mandate:
        """As in `Gate`."""
        began = time.perf_counter()
        try:
            mandate = super().judge(admission, context)
        except CaracalError as error:
            with answering(admission.inbound):
                _tell(self._observer.refused, admission, error, _since(began, admission))
            raise
        admission.notes.on_cut = _tell(self._observer.allowed, admission, _since(began, admission))
        return mandate

    def refused(self, admission: Admission, error: CaracalError) -> None:
        """As in `Gate`; what comes after the verdict is a cut."""
        super().refused(admission, error)
        if admission.notes.on_cut is not None:
            with answering(admission.inbound):
                _tell(admission.notes.on_cut, error)


def cache_of(observer: Observer | None) -> ReadingCache:
    """What a verifier remembers by; it tells the observer, when there is one."""
    return ReadingCache() if observer is None else ObservedCache(observer)


class ObservedCache(ReadingCache):
    """A cache that tells what was found in it."""

    __slots__ = ("_observer",)

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer

    def get(self, digest: bytes, now: float) -> Reading | None:
        """As in `ReadingCache`."""
        reading = super().get(digest, now)
        _tell(self._observer.looked_up, reading is not None)
        return reading


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
            _tell(self._observer.exchanged, error)
            raise
        _tell(self._observer.exchanged, None)
        return answer


class _ObservedSyncExchange:
    def __init__(self, exchange: SyncExchange, observer: Observer) -> None:
        self._exchange = exchange
        self._observer = observer

    def __call__(self, ask: Ask, timeout: float) -> Granted:
        try:
            answer = self._exchange(ask, timeout)
        except ExchangeError as error:
            _tell(self._observer.exchanged, error)
            raise
        _tell(self._observer.exchanged, None)
        return answer


def _since(began: float, admission: Admission) -> float:
    """Seconds that judging took since `began`, and reading before it."""
    return float(admission.notes.seconds + time.perf_counter() - began)


def _tell(hear: Callable[..., Any], *what: Any) -> Any:
    """What `hear` answers. An observer only watches: what goes wrong there changes nothing."""
    try:
        return hear(*what)
    except Exception:  # noqa: BLE001 - see above
        _log.exception("the observer failed")
        return None
