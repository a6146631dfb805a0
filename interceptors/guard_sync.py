"""The guard of a sync server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import grpc

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ports import Clock
from caracal_grpc.interceptors.current import enter, leave
from caracal_grpc.interceptors.guard import (
    Admission,
    Gate,
    OnRefusal,
    Plan,
    Plans,
    RuleSource,
    unforeseen,
)
from caracal_grpc.interceptors.relay import Relay
from caracal_grpc.interceptors.status import to_status
from caracal_grpc.interceptors.streams import StreamIndex
from caracal_grpc.interceptors.sync_requests import SyncRequests
from caracal_grpc.interceptors.thread_timer import ThreadTimer
from caracal_grpc.interceptors.verifier import Verifier
from caracal_grpc.interceptors.view import View

_JOIN: Final = 5.0
"""Seconds that `close` waits for handlers that were told to end."""


class SyncGuard(grpc.ServerInterceptor):
    """Lets a handler of a `grpc` server run only under a mandate that permits its method.

    Put it last among the interceptors. A guarded stream takes a second thread for its handler, so
    that it can be cut while the handler waits.
    """

    def __init__(
        self,
        view: View,
        rules: RuleSource,
        verifier: Verifier,
        *,
        clock: Clock,
        on_refusal: OnRefusal | None = None,
    ) -> None:
        gate = Gate(rules, view, verifier, on_refusal)
        self._timer = ThreadTimer(clock)
        index = StreamIndex(self._timer.arm)
        self._timer.attach(index)
        self._desk = _Desk(gate, index)
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

        A handler that blocks for good keeps its thread, which does not keep the process.
        """
        self._unsubscribe()
        self._timer.close()
        self._desk.join()

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
        if plan.public:
            return handler
        metadata = handler_call_details.invocation_metadata
        return plan.bind(self._desk.gate.read(method, plan.rule, metadata))

    def _on_death(self, dead: AbstractSet[str]) -> None:
        self._desk.index.kill(dead, self._desk.gate.view.dead)

    def _wrapper(self, plan: Plan) -> Callable[[Admission], Any]:
        desk, (takes_stream, gives_stream) = self._desk, plan.streams
        if gives_stream:
            return lambda admission: _responses(desk, admission, plan)
        if takes_stream:
            return lambda admission: _response(desk, admission, plan)
        return lambda admission: _unary(desk, admission, plan)


@dataclass(frozen=True, slots=True)
class _Desk:
    """What the calls of one guard share."""

    gate: Gate
    index: StreamIndex
    _running: set[Relay] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def refuse(self, admission: Admission, context: Any, error: CaracalError) -> NoReturn:
        """Ends the call. An abort raises; should it ever return, the refusal is raised here."""
        self.gate.refused(admission, error)
        code, details, trailing_metadata = to_status(error)
        context.set_trailing_metadata(trailing_metadata)
        context.abort(code, details)
        raise error

    def open(self, admission: Admission, context: Any) -> Relay:
        """The stream of an admitted call; in the index before it is judged."""
        relay: Relay | None = None
        try:
            if admission.mandate is not None:
                relay = Relay(admission.mandate)
                self.index.add(relay)
            self.gate.judge(admission, context)
            if relay is None:
                raise unforeseen()
        except CaracalError as error:
            self.close(relay)
            self.refuse(admission, context, error)
        if not context.add_callback(relay.abandon):
            relay.abandon()
        return relay

    def start(self, relay: Relay, messages: Generator[Any, None, None]) -> None:
        """Runs the handler in its own thread, which `join` waits for."""
        with self._lock:
            self._running.add(relay)
        relay.start(messages, self._ended)

    def close(self, relay: Relay | None) -> None:
        """Lets go of a stream whose call is over."""
        if relay is not None:
            self.index.remove(relay)
            relay.abandon()

    def join(self) -> None:
        """Ends every stream and waits for the threads of their handlers."""
        with self._lock:
            relays = tuple(self._running)
        for relay in relays:
            relay.abandon()
        for relay in relays:
            relay.join(_JOIN)

    def _ended(self, relay: Relay) -> None:
        with self._lock:
            self._running.discard(relay)


def _unary(desk: _Desk, admission: Admission, plan: Plan) -> Any:
    def guarded(request: Any, context: Any) -> Any:
        try:
            mandate = desk.gate.judge(admission, context)
        except CaracalError as error:
            desk.refuse(admission, context, error)
        mark = enter(mandate, admission.token)
        try:
            return plan.function(request, context)
        finally:
            leave(mark)

    return guarded


def _response(desk: _Desk, admission: Admission, plan: Plan) -> Any:
    def guarded(requests: Any, context: Any) -> Any:
        relay = desk.open(admission, context)
        try:
            desk.start(relay, _messages(relay, admission, plan, requests, context))
            message = relay.take()
        finally:
            desk.close(relay)
        if relay.error is not None:
            desk.refuse(admission, context, relay.error)
        if not message:
            context.abort(grpc.StatusCode.CANCELLED, "the call is over")
        return message[0]

    return guarded


def _responses(desk: _Desk, admission: Admission, plan: Plan) -> Any:
    def guarded(request: Any, context: Any) -> Iterator[Any]:
        relay = desk.open(admission, context)
        try:
            desk.start(relay, _messages(relay, admission, plan, request, context))
            while message := relay.take():
                yield message[0]
        finally:
            desk.close(relay)
        if relay.error is not None:
            desk.refuse(admission, context, relay.error)

    return guarded


def _messages(
    relay: Relay, admission: Admission, plan: Plan, request: Any, context: Any
) -> Generator[Any, None, None]:
    """The handler's answers, one or many; runs in the thread of the relay from end to end."""
    takes_stream, gives_stream = plan.streams
    mark = enter(relay.mandate, admission.token)
    try:
        requests = SyncRequests(request, relay) if takes_stream else request
        answer = plan.function(requests, context)
        if gives_stream:
            yield from answer
        else:
            yield answer
    finally:
        leave(mark)
