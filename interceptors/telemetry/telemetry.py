"""What an edge shows of itself through OpenTelemetry: spans, metrics, and a line for each refusal.

It speaks to the API only. Where all of it goes is said by the providers of the process, of which
Prometheus is one reader. Whatever is shown holds no token and no secret; and metrics no ids, so
that their number is bounded by the rules, the zone and the table of reasons.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors.client.tokens import ExchangeError
from caracal_grpc.interceptors.context.current import answering
from caracal_grpc.interceptors.guard.gate import Admission
from caracal_grpc.interceptors.observer import Guard, Observed, Waiting
from caracal_grpc.interceptors.telemetry.client_spans import ClientSpan, ClientSpans
from caracal_grpc.interceptors.telemetry.metrics import Reporting, Source, instruments
from caracal_grpc.interceptors.telemetry.refusal_log import log_refusal
from caracal_grpc.interceptors.telemetry.spans import Spans


class Telemetry:
    """The `Observer` of one edge of `zone`, by OpenTelemetry.

    Without providers it takes those of the process, also when they are set later.
    """

    def __init__(
        self,
        zone: str,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        self._zone = zone
        self._spans = Spans(zone, tracer_provider)
        self._client_spans = ClientSpans(zone, tracer_provider)
        self._metrics = instruments(meter_provider)
        self._sources: list[Source] = []
        self._reporting: list[Reporting] = []

    def allowed(self, admission: Admission, seconds: float) -> Callable[[CaracalError], None]:
        """One more call let in."""
        span = self._spans.allowed(admission)
        self._metrics.decided(self._zone, admission.rule, None, seconds)
        return partial(self._cut, admission, span)

    def refused(self, admission: Admission, error: CaracalError, seconds: float) -> None:
        """One more call refused."""
        self._spans.refused(admission, error)
        self._metrics.decided(self._zone, admission.rule, error.reason, seconds)
        with answering(admission.inbound):
            log_refusal(admission.method, error, admission.mandate, admission.decision_id)

    def _cut(self, admission: Admission, span: Any, error: CaracalError) -> None:
        self._spans.cut(span, error)
        self._metrics.cut(self._zone, admission.rule, error.reason)
        with answering(admission.inbound):
            log_refusal(admission.method, error, admission.mandate, admission.decision_id)

    def looked_up(self, hit: bool, /) -> None:
        """One more look into the cache."""
        self._metrics.looked_up(self._zone, hit)

    def exchanged(self, error: ExchangeError | None) -> None:
        """One more mandate asked for."""
        self._metrics.exchanged(self._zone, error)

    def calling(self, method: str, resource: str, application: str) -> ClientSpan | None:
        """One more call of this edge, within a span."""
        return self._client_spans.begin(method, resource, application)

    def watch(self, feed: Observed, guard: Guard) -> None:
        """Shows the age of the feed and the open streams of the guard from now on."""
        source = Source(self._zone, feed, guard)
        self._sources.append(source)
        self._metrics.add(source)

    def watch_records(self, records: Waiting) -> None:
        """Shows what waits for the ledger, and what was dropped, from now on."""
        reporting = Reporting(self._zone, records)
        self._reporting.append(reporting)
        self._metrics.report(reporting)

    async def traced_aio(self, handler: Any, details: grpc.HandlerCallDetails) -> Any:
        """`handler` within a span."""
        return await self._spans.wrap_aio(handler, details)

    def traced(self, handler: Any, details: grpc.HandlerCallDetails) -> Any:
        """`handler` within a span."""
        return self._spans.wrap_sync(handler, details)

    def close(self) -> None:
        """Shows nothing more of this edge's state."""
        for source in self._sources:
            self._metrics.remove(source)
        self._sources.clear()
        for reporting in self._reporting:
            self._metrics.unreport(reporting)
        self._reporting.clear()
