"""What this replica counts and sees of itself, in the text format of Prometheus (0.0.4).

Labels are names of zones and words of tables of ours, never what a caller sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from caracal_grpc.authority.audit.integrity import Integrities
from caracal_grpc.authority.revocation.feed import Feed
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.http.answers import NO_STORE
from caracal_grpc.http.health import Ready
from caracal_grpc.services.drain import Drain

_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_LABELS: Final = ("zone", "type", "decision", "reason")


@dataclass(frozen=True, slots=True)
class Metrics(Collector):
    """Answers to who scrapes; each number is read at that moment."""

    state: State
    feed: Feed
    recorder: Recorder
    drain: Drain
    ready: Ready
    integrities: Integrities

    async def shown(self, _: Request) -> Response:
        """All of them."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return Response(generate_latest(registry), headers=dict(NO_STORE), media_type=_TYPE)

    def collect(self) -> Iterator[Metric]:
        """The numbers, as the library asks for them."""
        yield _gauge("caracal_ready", "1 while this replica decides", self.ready())
        age = "Seconds since its view of the store was proven current"
        yield _gauge("caracal_view_age_seconds", age, self.state.age())
        revision = "Revision of the store that its view stands at"
        yield _gauge("caracal_view_revision", revision, self.state.revision)
        yield _gauge("caracal_calls_running", "Calls in work, of both ports", self.drain.running)
        yield self._edges()
        yield self._entries()
        yield self._zones()
        yield self._findings()

    def _edges(self) -> Metric:
        fed = self.feed.fed()
        found = GaugeMetricFamily("caracal_feed_edges", "Edges on the feed", labels=["zone"])
        for zone in self.state.zones():
            found.add_metric([zone.name], fed[zone.name])
        return found

    def _entries(self) -> Metric:
        about = "Entries that this replica appended to the ledger: each decision is one"
        found = CounterMetricFamily("caracal_entries", about, labels=_LABELS)
        for labels, count in sorted(self.recorder.counted.items()):
            found.add_metric(labels, count)
        return found

    def _zones(self) -> Metric:
        about = "1 while nothing was found wrong with the ledger of the zone"
        found = GaugeMetricFamily("caracal_ledger_ready", about, labels=["zone"])
        for zone in self.state.zones():
            found.add_metric([zone.name], float(self.integrities.ready(zone.name)))
        return found

    def _findings(self) -> Metric:
        about = "What sweeps of the ledger by this replica found wrong, again each time"
        labels = ["zone", "kind"]
        found = CounterMetricFamily("caracal_ledger_findings", about, labels=labels)
        for each, count in sorted(self.integrities.counted.items()):
            found.add_metric(each, count)
        return found


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=float(value))
