"""The guard of a sync server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any, Final

import grpc

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ports import Clock
from caracal_grpc.interceptors.context.current import enter, leave
from caracal_grpc.interceptors.feed.view import View
from caracal_grpc.interceptors.guard.consumer import SyncConsumer
from caracal_grpc.interceptors.guard.gate import Admission, OnRefusal, Recorder, RuleSource
from caracal_grpc.interceptors.guard.observed import gate_of
from caracal_grpc.interceptors.guard.opened import opened
from caracal_grpc.interceptors.guard.plan import Plan, Plans
from caracal_grpc.interceptors.guard.requests import SyncRequests
from caracal_grpc.interceptors.guard.spending import spending
from caracal_grpc.interceptors.guard.streams import StreamIndex
from caracal_grpc.interceptors.guard.sync.desk import Messages, SyncDesk, refuse
from caracal_grpc.interceptors.guard.sync.grace import Grace
from caracal_grpc.interceptors.guard.sync.relay import Relay
from caracal_grpc.interceptors.guard.sync.timer import ThreadTimer
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.observer import Observer

DEFAULT_MAX_HANDLERS: Final = 256
"""Threads that the handlers of one guard's streams may hold at the same time; several times the
workers that a sync server commonly has."""

_GRACE: Final = 1.0
"""Seconds in which a message that is being sent may still go out after a cut."""


class SyncGuard(grpc.ServerInterceptor):
    """Lets a handler of a `grpc` server run only under a mandate that permits its method.

    Put it last among the interceptors. A guarded stream takes a second thread for its handler, so
    that it can be cut while the handler waits. A call that ends frees the server's thread at once;
    the handler's own lives on until it takes or gives a message, or ends. `max_handlers` bounds
    those threads, the ones of ended calls included: beyond it a new stream is refused with
    `LIMIT_EXCEEDED`. Let it be well above the server's `max_workers`, and let a handler that blocks
    elsewhere have a timeout or ask `context.is_active()` now and then.

    A cut that finds the server's thread held up by a client that does not read cancels the call a
    second later. `on_refusal` is told of each refused call and each cut; it must not block. The
    `recorder` keeps what was decided, for the ledger. Without a `consumer` it refuses methods that
    take a mandate once.
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
        recorder: Recorder | None = None,
        observer: Observer | None = None,
        consumer: SyncConsumer | None = None,
    ) -> None:
        gate = gate_of(rules, view, verifier, on_refusal, recorder, observer)
        self._observer = observer
        self._timer = ThreadTimer(clock)
        self._grace = Grace(_GRACE)
        index = StreamIndex(self._timer.arm)
        self._timer.attach(index, verifier)
        self._desk = SyncDesk(gate, index, self._grace, max_handlers)
        self._consumer = consumer
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

        What is open still is cut with `DRAINING`, or cancelled where that is not taken at once. A
        handler that blocks for good keeps its thread, which does not keep the process.
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
        self._desk.index.kill(dead, self._desk.gate.view)

    def _wrapper(self, plan: Plan) -> Callable[[Admission], Any]:
        desk, (takes_stream, gives_stream) = self._desk, plan.streams
        if plan.public:
            return opened(plan)
        behave = _responses if gives_stream else _response if takes_stream else _unary

        def wrap(admission: Admission) -> Any:
            return behave(desk, admission, plan)

        if plan.rule is not None and plan.rule.single_use:
            return spending(plan, wrap, desk.gate, self._consumer)
        return wrap


def _unary(desk: SyncDesk, admission: Admission, plan: Plan) -> Any:
    def guarded(request: Any, context: Any) -> Any:
        try:
            mandate = desk.gate.judge(admission, context, request)
        except CaracalError as error:
            desk.gate.refused(admission, error)
            refuse(context, error)
        desk.gate.admitted(admission)
        mark = enter(mandate, admission.token, admission.inbound)
        try:
            return plan.function(request, admission.inbound.shown(context))
        finally:
            leave(mark)

    return guarded


def _response(desk: SyncDesk, admission: Admission, plan: Plan) -> Any:
    def guarded(requests: Any, context: Any) -> Any:
        relay = desk.open(admission, context, requests, partial(_messages, desk, admission, plan))
        try:
            message = relay.take()
        finally:
            desk.close(relay)
        _refuse_if_cut(relay, context)
        if not message:
            context.abort(grpc.StatusCode.CANCELLED, "the call is over")
        return message[0]

    return guarded


def _responses(desk: SyncDesk, admission: Admission, plan: Plan) -> Any:
    def guarded(request: Any, context: Any) -> Iterator[Any]:
        relay = desk.open(admission, context, request, partial(_messages, desk, admission, plan))
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
        refuse(context, relay.error)


def _messages(
    desk: SyncDesk, admission: Admission, plan: Plan, relay: Relay, context: Any, request: Any
) -> Messages:
    """The handler's answers, one or many; runs in the thread of the relay from end to end."""
    takes_stream, gives_stream = plan.streams
    mark = enter(relay.mandate, admission.token, admission.inbound)
    try:
        inspect = desk.gate.inspector(admission)
        requests = SyncRequests(request, relay, inspect) if takes_stream else request
        answer = plan.function(requests, admission.inbound.shown(context))
        if gives_stream:
            yield from answer
        else:
            yield answer
    finally:
        leave(mark)
