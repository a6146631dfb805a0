"""The guard of an asyncio server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc
import grpc.aio

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ports import Clock
from caracal_grpc.interceptors.context.current import enter, leave
from caracal_grpc.interceptors.feed.view import View
from caracal_grpc.interceptors.guard.aio.calls import AioCall, AioDesk
from caracal_grpc.interceptors.guard.aio.spending import spending
from caracal_grpc.interceptors.guard.aio.streams import AioContext, AioRequests
from caracal_grpc.interceptors.guard.aio.threads import ThreadedCall
from caracal_grpc.interceptors.guard.aio.timer import AioTimer
from caracal_grpc.interceptors.guard.consumer import AioConsumer
from caracal_grpc.interceptors.guard.gate import Admission, OnRefusal, Recorder, RuleSource
from caracal_grpc.interceptors.guard.observed import gate_of
from caracal_grpc.interceptors.guard.opened import opened
from caracal_grpc.interceptors.guard.plan import Plan, Plans, Style
from caracal_grpc.interceptors.guard.requests import SyncRequests
from caracal_grpc.interceptors.guard.streams import StreamIndex
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.observer import Observer

_CUTTERS: Final = 1024
"""More than a server has threads for plain functions: cutting one may last until its client reads,
and must not keep others waiting. They start as they are needed."""


class AioGuard(grpc.aio.ServerInterceptor):
    """Lets a handler of a `grpc.aio` server run only under a mandate that permits its method.

    Put it last among the interceptors, so that what logs and traces sees the refusals. One guard
    serves one event loop. It keeps the style of each handler: coroutine, async generator, reading
    and writing through the context, or a plain function that the server runs in a thread.

    A cut ends the handler. The status follows what was on its way, since gRPC keeps that order and
    its asyncio server cannot cancel a call: to be rid of clients that never read, give the server
    the options `grpc.max_connection_age_ms` and `grpc.max_connection_age_grace_ms`. `on_refusal` is
    told of each refused call, and of each cut as it is decided; it must not block. The `recorder`
    keeps what was decided, for the ledger. Without a `consumer` it refuses methods that take a
    mandate once. `binding` tells the thumbprint of the certificate that the peer of a context
    proved; unless given, that of the connection.

    Let a handler that answers with a stream be a coroutine or an async generator: gRPC never lets
    go of the thread of a plain generator whose client hangs up between two answers, with or without
    a guard (grpc/grpc#28999).
    """

    def __init__(
        self,
        view: View,
        rules: RuleSource,
        verifier: Verifier,
        *,
        clock: Clock,
        on_refusal: OnRefusal | None = None,
        recorder: Recorder | None = None,
        observer: Observer | None = None,
        consumer: AioConsumer | None = None,
        binding: Callable[[Any], str | None] | None = None,
    ) -> None:
        gate = gate_of(rules, view, verifier, on_refusal, recorder, observer)
        if binding is not None:
            gate.binding = binding
        self._observer = observer
        self._timer = AioTimer(clock)
        index = StreamIndex(self._timer.arm)
        self._timer.attach(index, verifier)
        # It starts no thread before the first stream of a plain function is cut.
        cutters = ThreadPoolExecutor(_CUTTERS, thread_name_prefix="caracal-guard-cut")
        self._desk = AioDesk(gate, index, self._timer, cutters)
        self._consumer = consumer
        self._plans = Plans(rules, self._wrapper)
        self._unsubscribe = view.subscribe(self._on_death)
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def ready(self) -> bool:
        """Whether calls are judged at all: the view is young enough."""
        return self._desk.gate.verifier.fresh

    @property
    def open_streams(self) -> int:
        """How many guarded streams are open."""
        return len(self._desk.index)

    async def close(self) -> None:
        """Stops watching over streams; call it after the server has stopped."""
        self._unsubscribe()
        self._timer.close()
        await self._desk.close()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The guarded handler of one call; an unknown method stays unknown."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._timer.on_loop(self._loop)
        method = handler_call_details.method
        plan = self._plans.of(method, handler)
        if not plan.bare:
            metadata = handler_call_details.invocation_metadata
            handler = plan.bind(self._desk.gate.read(method, plan.rule, metadata))
            if self._observer is not None:
                handler = await self._observer.traced_aio(handler, handler_call_details)
        return handler

    def _on_death(self, dead: AbstractSet[str]) -> None:
        self._desk.index.kill(dead, self._desk.gate.view)

    def _wrapper(self, plan: Plan) -> Callable[[Admission], Any]:
        if plan.public:
            return opened(plan)
        wrap = self._guarded(plan)
        if plan.rule is not None and plan.rule.single_use:
            return spending(plan, wrap, self._desk.gate, self._consumer)
        return wrap

    def _guarded(self, plan: Plan) -> Callable[[Admission], Any]:
        takes_stream, gives_stream = plan.streams
        match plan.style, gives_stream:
            case Style.ASYNC_GENERATOR, _:
                return lambda admission: self._generator(admission, plan)
            case Style.COROUTINE, _ if takes_stream or gives_stream:
                return lambda admission: self._coroutine(admission, plan)
            case Style.COROUTINE, _:
                return self._unary(plan)
            case _, True:
                return lambda admission: self._plain_generator(admission, plan)
            case _:
                return lambda admission: self._plain(admission, plan)

    def _unary(self, plan: Plan) -> Callable[[Admission], Any]:
        desk, gate, function = self._desk, self._desk.gate, plan.function

        def wrap(admission: Admission) -> Any:
            async def guarded(request: Any, context: Any) -> Any:
                try:
                    mandate = gate.judge(admission, context, request)
                except CaracalError as error:
                    raise await desk.refuse(admission, context, error) from None
                gate.admitted(admission)
                mark = enter(mandate, admission.token, admission.inbound)
                try:
                    return await function(request, admission.inbound.shown(context))
                finally:
                    leave(mark)

            return guarded

        return wrap

    def _coroutine(self, admission: Admission, plan: Plan) -> Any:
        takes_stream, _ = plan.streams

        async def guarded(request: Any, context: Any) -> Any:
            async with AioCall(self._desk, admission, context, request) as stream:
                requests = AioRequests(request, stream) if takes_stream else request
                return await plan.function(
                    requests, AioContext(admission.inbound.shown(context), stream)
                )

        return guarded

    def _generator(self, admission: Admission, plan: Plan) -> Any:
        takes_stream, _ = plan.streams

        async def guarded(request: Any, context: Any) -> AsyncIterator[Any]:
            async with AioCall(self._desk, admission, context, request) as stream:
                requests = AioRequests(request, stream) if takes_stream else request
                responses = plan.function(
                    requests, AioContext(admission.inbound.shown(context), stream)
                )
                try:
                    async for response in responses:
                        if not stream.hand_over(responses):
                            return
                        yield response
                        if not stream.take_back():
                            return
                finally:
                    await stream.finish(responses)

        return guarded

    def _plain(self, admission: Admission, plan: Plan) -> Any:
        takes_stream, _ = plan.streams
        inspect = self._desk.gate.inspector(admission)

        def guarded(request: Any, context: Any) -> Any:
            with ThreadedCall(
                self._desk, admission, context, request, watched=takes_stream
            ) as stream:
                requests = SyncRequests(request, stream, inspect) if takes_stream else request
                return plan.function(requests, admission.inbound.shown(context))

        return guarded

    def _plain_generator(self, admission: Admission, plan: Plan) -> Any:
        takes_stream, _ = plan.streams
        inspect = self._desk.gate.inspector(admission)

        def guarded(request: Any, context: Any) -> Iterator[Any]:
            with ThreadedCall(self._desk, admission, context, request, watched=True) as stream:
                requests = SyncRequests(request, stream, inspect) if takes_stream else request
                responses = plan.function(requests, admission.inbound.shown(context))
                try:
                    for response in responses:
                        if not stream.hand_over(responses):
                            return
                        yield response
                        if not stream.take_back():
                            stream.finish()
                            return
                finally:
                    stream.end(responses)

        return guarded
