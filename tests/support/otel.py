"""Where OpenTelemetry puts what is shown, in memory, so that a test reads all of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from caracal_grpc.interceptors.telemetry.telemetry import Telemetry
from tests.support.keys import ZONE

Labels = dict[str, Any]


@dataclass
class Shown:
    """The providers of a process, and what came out of them."""

    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)

    def __post_init__(self) -> None:
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)

    def telemetry(self, zone: str = ZONE) -> Telemetry:
        """The observer of one edge."""
        return Telemetry(zone, tracer_provider=self.tracers, meter_provider=self.meters)

    async def spans(self, count: int) -> list[dict[str, Any]]:
        """Our attributes of each of `count` spans, once they have ended: after their calls have."""
        async with asyncio.timeout(10):
            while len(self.exporter.get_finished_spans()) < count:
                await asyncio.sleep(0.005)
        ended = self.exporter.get_finished_spans()
        assert len(ended) == count, [span.name for span in ended]
        return [ours(span) for span in ended]

    async def named(self, name: str, count: int = 1) -> list[ReadableSpan]:
        """The `count` spans of a name, once they have ended, in the order of their beginning."""

        def found() -> list[ReadableSpan]:
            return [span for span in self.exporter.get_finished_spans() if span.name == name]

        async with asyncio.timeout(10):
            while len(found()) < count:
                await asyncio.sleep(0.005)
        assert len(found()) == count, [(s.name, s.kind) for s in self.exporter.get_finished_spans()]
        return sorted(found(), key=lambda span: span.start_time or 0)

    async def span(self) -> dict[str, Any]:
        """Of the one span there is."""
        (only,) = await self.spans(1)
        return only

    def points(self, name: str) -> list[tuple[Labels, Any]]:
        """The labels of each time series of a metric, and what it stands at."""
        metrics = [metric for metric in self._metrics() if metric["name"] == name]
        return [
            (point["attributes"], point.get("value", point.get("count")))
            for metric in metrics
            for point in metric["data"]["data_points"]
        ]

    def count(self, name: str, **labels: Any) -> Any:
        """The sum of a metric over the time series that have these labels."""
        return sum(value for found, value in self.points(name) if labels.items() <= found.items())

    def names(self) -> set[str]:
        """The metrics that were shown."""
        return {metric["name"] for metric in self._metrics()}

    def everything(self) -> str:
        """All that left the process, as text."""
        spans = [span.to_json() for span in self.exporter.get_finished_spans()]
        return "\n".join([*spans, json.dumps(self._metrics())])

    def _metrics(self) -> list[dict[str, Any]]:
        data = self.reader.get_metrics_data()
        if data is None:
            return []
        scopes = [
            s for r in json.loads(data.to_json())["resource_metrics"] for s in r["scope_metrics"]
        ]
        return [metric for scope in scopes for metric in scope["metrics"]]


def ours(span: ReadableSpan) -> dict[str, Any]:
    """Our attributes of a span, without the `caracal.` before their names."""
    given = span.attributes or {}
    return {
        key.removeprefix("caracal."): value
        for key, value in given.items()
        if key.startswith("caracal.")
    }
