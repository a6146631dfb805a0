"""The streams of a sync guard, each with a thread for its handler: their number is bounded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NoReturn

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.guard.gate import Admission, Gate, as_refusal, unforeseen
from caracal_grpc.interceptors.guard.streams import StreamIndex
from caracal_grpc.interceptors.guard.sync.grace import Grace
from caracal_grpc.interceptors.guard.sync.relay import Relay
from caracal_grpc.interceptors.guard.verifier import RETRY_AFTER
from caracal_grpc.interceptors.status import to_status

_JOIN: Final = 5.0
"""Seconds that `close` waits for all handlers that were told to end."""

Messages = Generator[Any, None, None]


@dataclass(frozen=True, slots=True)
class SyncDesk:
    """What the calls of one guard share, and where their streams are kept."""

    gate: Gate
    index: StreamIndex
    grace: Grace
    max_handlers: int
    _running: set[Relay] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def open(
        self,
        admission: Admission,
        context: Any,
        request: Any,
        messages: Callable[[Relay, Any, Any], Messages],
    ) -> Relay:
        """The stream of an admitted call, its handler started in a thread which `join` waits for.

        It is in the index before it is judged.
        """
        relay: Relay | None = None
        report: Callable[[CaracalError], None] = partial(self.gate.refused, admission)
        try:
            if admission.mandate is not None:
                relay = Relay(admission.mandate, context, on_cut=self.grace.give, on_refusal=report)
                report = relay.report
                self.index.add(relay)
            self.gate.judge(admission, context, request)
            if relay is None:
                raise unforeseen()  # noqa: TRY301 - one path for every refusal
            self._start(relay, messages(relay, context, request))
            self.gate.admitted(admission)
        except Exception as exc:  # noqa: BLE001 - whatever happens here, the call is refused
            self.close(relay)
            error = as_refusal(exc)
            report(error)
            refuse(context, error)
        if not context.add_callback(relay.abandon):
            relay.abandon()
        return relay

    def _start(self, relay: Relay, messages: Messages) -> None:
        with self._lock:
            if len(self._running) >= self.max_handlers:
                raise _too_many_handlers(self.max_handlers)
            self._running.add(relay)
        try:
            self.grace.start()
            relay.start(messages, self._ended)
        except BaseException:
            self._ended(relay)
            raise

    def close(self, relay: Relay | None) -> None:
        """Lets go of a stream whose call is over."""
        if relay is not None:
            self.index.remove(relay)
            relay.abandon()

    def join(self) -> None:
        """Ends every stream and waits for the threads of their handlers.

        One that is open still is cut: were it just over, an upload would look complete.
        """
        with self._lock:
            relays = tuple(self._running)
        for relay in relays:
            relay.cut(_closed())
        deadline = time.monotonic() + _JOIN
        for relay in relays:
            relay.join(max(0.0, deadline - time.monotonic()))

    def _ended(self, relay: Relay) -> None:
        with self._lock:
            self._running.discard(relay)


def refuse(context: Any, error: CaracalError) -> NoReturn:
    """Ends the call. An abort raises; should it ever return, the refusal is raised here."""
    code, details, trailing_metadata = to_status(error)
    context.set_trailing_metadata(trailing_metadata)
    context.abort(code, details)
    raise error


def _closed() -> CaracalError:
    return CaracalError(Reason.DRAINING, "the server is shutting down; call another, or again soon")


def _too_many_handlers(limit: int) -> CaracalError:
    return CaracalError(
        Reason.LIMIT_EXCEEDED,
        "the server has no thread for another stream; end one, or try again shortly",
        metadata={"limit": str(limit)},
        retry_after=RETRY_AFTER,
    )
