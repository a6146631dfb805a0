"""The guard of a sync server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NoReturn

import grpc

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.context.current import enter, leave
from caracal_grpc.interceptors.feed.view import View
from caracal_grpc.interceptors.guard.gate import (
    Admission,
    Gate,
    OnRefusal,
    RuleSource,
    as_refusal,
    unforeseen,
)
from caracal_grpc.interceptors.guard.observed import gate_of
from caracal_grpc.interceptors.guard.opened import opened
from caracal_grpc.interceptors.guard.plan import Plan, Plans
from caracal_grpc.interceptors.guard.requests import SyncRequests
from caracal_grpc.interceptors.guard.streams import StreamIndex
from caracal_grpc.interceptors.guard.sync.grace import Grace
from caracal_grpc.interceptors.guard.sync.relay import Relay
from caracal_grpc.interceptors.guard.sync.timer import ThreadTimer
from caracal_grpc.interceptors.guard.verifier import RETRY_AFTER, Verifier
from caracal_grpc.interceptors.observer import Observer
from caracal_grpc.interceptors.status import to_status

DEFAULT_MAX_HANDLERS: Final = 256
"""Threads that the handlers of one guard's streams may hold at the same time; several times the
workers that a sync server commonly has."""

_GRACE: Final = 1.0
"""Seconds in which a message that is being sent may still go out after a cut."""

_JOIN: Final = 5.0
"""Seconds that `close` waits for all handlers that were told to end."""


class SyncGuard(grpc.ServerInterceptor):
    """Lets a handler of a `grpc` server run only under a mandate that permits its method.

    Put it last among the interceptors. A guarded stream takes a second thread for its handler, so
    that it can be cut while the handler waits. A call that ends frees the server's thread at once;
    the handler's own lives on until it takes or gives a message, or ends. `max_handlers` bounds
    those threads, the ones of ended calls included: beyond it a new stream is refused with
    `LIMIT_EXCEEDED`. Let it be well above the server's `max_workers`, and let a handler that blocks
    elsewhere have a timeout or ask `context.is_active()` now and then.

    A cut that finds the server's thread held up by a client that does not read cancels the call a
    second later. `on_refusal` is told of each refused call and each cut; it must not block.
    """

    def __init__(
        self,
        view: View,
        rules: RuleSource,
        verifier: Verifier,
        *,
        clock: Clock,
        on_refusal: OnRefusal | None = None,
        max_handlers: int = DEFAULT_MAX_HANDLERS,
        observer: Observer | None = None,
    ) -> None:
        gate = gate_of(rules, view, verifier, on_refusal, observer)
        self._observer = observer
        self._timer = ThreadTimer(clock)
        self._grace = Grace(_GRACE)
        index = StreamIndex(self._timer.arm)
        self._timer.attach(index, verifier)
        self._desk = _Desk(gate, index, self._grace, max_handlers)
        self._plans = Plans(rules, self._wrapper)
        self._unsubscribe = view.subscribe(self._on_death)

    @property
    def ready(self) -> bool:
        """Whether calls are judged at all: the view is young enough."""
        return self._desk.gate.verifier.fresh

    @property
    def open_streams(self) -> int:
        """How many guarded streams are open."""
        return len(self._desk.index)

    def close(self) -> None:
        """Stops watching over streams and joins the threads; call it after the server stopped.

        What is open still is cut with `DRAINING`. A handler that blocks for good keeps its thread,
        which does not keep the process.
        """
        self._unsubscribe()
        self._timer.close()
        self._desk.join()
        self._grace.close()

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Any],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The guarded handler of one call; an unknown method stays unknown."""
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        plan = self._plans.of(method, handler)
        if not plan.bare:
            metadata = handler_call_details.invocation_metadata
            handler = plan.bind(self._desk.gate.read(method, plan.rule, metadata))
            if self._observer is not None:
                handler = self._observer.traced(handler, handler_call_details)
        return handler

    def _on_death(self, dead: AbstractSet[str]) -> None:
        self._desk.index.kill(dead, self._desk.gate.view.dead)

    def _wrapper(self, plan: Plan) -> Callable[[Admission], Any]:
        desk, (takes_stream, gives_stream) = self._desk, plan.streams
        if plan.public:
            return opened(plan)
        wrap = _responses if gives_stream else _response if takes_stream else _unary
        return lambda admission: wrap(desk, admission, plan)


_Messages = Generator[Any, None, None]


@dataclass(frozen=True, slots=True)
class _Desk:
    """What the calls of one guard share."""

    gate: Gate
    index: StreamIndex
    grace: Grace
    max_handlers: int
    _running: set[Relay] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def open(
        self, admission: Admission, context: Any, messages: Callable[[Relay, Any], _Messages]
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
            self.gate.judge(admission, context)
            if relay is None:
                raise unforeseen()  # noqa: TRY301 - one path for every refusal
            self._start(relay, messages(relay, context))
        except Exception as exc:  # noqa: BLE001 - whatever happens here, the call is refused
            self.close(relay)
            error = as_refusal(exc)
            report(error)
            _refuse(context, error)
        if not context.add_callback(relay.abandon):
            relay.abandon()
        return relay

    def _start(self, relay: Relay, messages: _Messages) -> None:
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


def _unary(desk: _Desk, admission: Admission, plan: Plan) -> Any:
    def guarded(request: Any, context: Any) -> Any:
        try:
            mandate = desk.gate.judge(admission, context)
        except CaracalError as error:
            desk.gate.refused(admission, error)
            _refuse(context, error)
        mark = enter(mandate, admission.token, admission.inbound)
        try:
            return plan.function(request, admission.inbound.shown(context))
        finally:
            leave(mark)

    return guarded


def _response(desk: _Desk, admission: Admission, plan: Plan) -> Any:
    def guarded(requests: Any, context: Any) -> Any:
        relay = desk.open(admission, context, partial(_messages, admission, plan, requests))
        try:
            message = relay.take()
        finally:
            desk.close(relay)
        _refuse_if_cut(relay, context)
        if not message:
            context.abort(grpc.StatusCode.CANCELLED, "the call is over")
        return message[0]

    return guarded


def _responses(desk: _Desk, admission: Admission, plan: Plan) -> Any:
    def guarded(request: Any, context: Any) -> Iterator[Any]:
        relay = desk.open(admission, context, partial(_messages, admission, plan, request))
        try:
            while message := relay.take():
                yield message[0]
        finally:
            desk.close(relay)
        _refuse_if_cut(relay, context)

    return guarded


def _refuse_if_cut(relay: Relay, context: Any) -> None:
    if relay.error is not None:
        relay.report()
        _refuse(context, relay.error)


def _refuse(context: Any, error: CaracalError) -> NoReturn:
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


def _messages(
    admission: Admission, plan: Plan, request: Any, relay: Relay, context: Any
) -> _Messages:
    """The handler's answers, one or many; runs in the thread of the relay from end to end."""
    takes_stream, gives_stream = plan.streams
    mark = enter(relay.mandate, admission.token, admission.inbound)
    try:
        requests = SyncRequests(request, relay) if takes_stream else request
        answer = plan.function(requests, admission.inbound.shown(context))
        if gives_stream:
            yield from answer
        else:
            yield answer
    finally:
        leave(mark)
