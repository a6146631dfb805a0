"""The metrics of the edges of a process: one set of instruments, whatever number of edges."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

from opentelemetry.metrics import (
    CallbackOptions,
    Meter,
    MeterProvider,
    Observation,
    get_meter,
)

from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.client.tokens import ExchangeError
from caracal_grpc.interceptors.observer import Guard, Observed, Waiting
from caracal_grpc.interceptors.status import read_refusal

SCOPE: Final = "caracal_grpc.interceptors"
"""The name of the meter and of the tracer."""

_BOUNDS: Final = (
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.1,
)  # fmt: skip
"""Seconds: a warm verification takes tens of microseconds, a cold one some hundreds."""

_Labels = dict[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A guard of an edge, and its feed, as they are asked for their state."""

    zone: str
    feed: Observed
    guard: Guard


@dataclass(frozen=True, slots=True, eq=False)
class Reporting:
    """What an edge has to deliver to the ledger of its zone."""

    zone: str
    records: Waiting


class Instruments:
    """What is counted, and of whom the gauges tell. Safe between threads.

    Labels are made of the zone, the rules and the table of reasons only, never of what a caller
    sends.
    """

    def __init__(self, provider: MeterProvider | None) -> None:
        meter = get_meter(SCOPE, meter_provider=provider)
        self._lock = threading.Lock()
        self._sources: tuple[Source, ...] = ()
        self._reporting: tuple[Reporting, ...] = ()
        self._gone: Counter[str] = Counter()
        self._decisions = meter.create_counter(
            "caracal.guard.decisions", "{call}", "Calls that guards let in or refused, by reason"
        )
        self._verification = meter.create_histogram(
            "caracal.guard.verification",
            "s",
            "Time to read and judge the mandate of a call",
            explicit_bucket_boundaries_advisory=_BOUNDS,
        )
        self._lookups = meter.create_counter(
            "caracal.guard.cache.lookups", "{lookup}", "Tokens looked for among the verified ones"
        )
        self._cuts = meter.create_counter(
            "caracal.guard.cut_streams", "{stream}", "Calls ended after they were let in, by reason"
        )
        self._exchanges = meter.create_counter(
            "caracal.client.token_refreshes", "{exchange}", "Mandates asked of the authority"
        )
        meter.create_observable_gauge(
            "caracal.guard.staleness",
            [self._told(lambda source: source.feed.age(), max)],
            "s",
            "Time since the authority was last heard; infinite before that",
        )
        meter.create_observable_gauge(
            "caracal.guard.applied_revision",
            [self._told(lambda source: source.feed.revision, min)],
            "{revision}",
            "Revision of the authority's store that the guards stand at",
        )
        meter.create_observable_up_down_counter(
            "caracal.guard.open_streams",
            [self._told(lambda source: source.guard.open_streams, sum)],
            "{stream}",
            "Guarded streams that are open",
        )
        self._show_records(meter)

    def _show_records(self, meter: Meter) -> None:
        meter.create_observable_up_down_counter(
            "caracal.edge.decisions.buffered",
            [self._reported(lambda each: each.records.waiting)],
            "{decision}",
            "Decisions that wait to be delivered to the ledger",
        )
        meter.create_observable_counter(
            "caracal.edge.decisions.dropped",
            [self._reported(lambda each: each.records.dropped, self._gone)],
            "{decision}",
            "Decisions that will not be in the ledger, for want of room",
        )

    def decided(self, zone: str, rule: Rule | None, reason: Reason | None, seconds: float) -> None:
        """A call was let in, or refused for `reason`."""
        labels = _decision(zone, rule, reason)
        self._decisions.add(1, labels)
        self._verification.record(seconds, {"zone": zone, "decision": labels["decision"]})

    def cut(self, zone: str, rule: Rule | None, reason: Reason) -> None:
        """A call that was let in was ended for `reason`."""
        self._cuts.add(1, _method(zone, rule) | {"reason": reason.name})

    def looked_up(self, zone: str, hit: bool) -> None:
        """The cache was asked."""
        self._lookups.add(1, {"zone": zone, "result": "hit" if hit else "miss"})

    def exchanged(self, zone: str, error: ExchangeError | None) -> None:
        """The authority was asked for a mandate."""
        self._exchanges.add(1, {"zone": zone, "outcome": _outcome(error)})

    def add(self, source: Source) -> None:
        """The gauges tell of `source`, too."""
        with self._lock:
            self._sources = (*self._sources, source)

    def remove(self, source: Source) -> None:
        """The gauges tell of `source` no more."""
        with self._lock:
            self._sources = tuple(each for each in self._sources if each is not source)

    def report(self, reporting: Reporting) -> None:
        """Tells of `reporting`, too."""
        with self._lock:
            self._reporting = (*self._reporting, reporting)

    def unreport(self, reporting: Reporting) -> None:
        """Tells of `reporting` no more, but of what it dropped."""
        with self._lock:
            self._reporting = tuple(each for each in self._reporting if each is not reporting)
            self._gone[reporting.zone] += reporting.records.dropped

    def _reported(
        self, ask: Callable[[Reporting], int], before: Mapping[str, int] = MappingProxyType({})
    ) -> Callable[[CallbackOptions], Iterator[Observation]]:
        """The sum of what `ask` says of all edges of a zone, and of those that were `before`."""

        def tell(_: CallbackOptions) -> Iterator[Observation]:
            with self._lock:
                reporting, sums = self._reporting, Counter(before)
            sums.update({each.zone: 0 for each in reporting})
            for each in reporting:
                sums[each.zone] += ask(each)
            for zone, total in sums.items():
                yield Observation(total, {"zone": zone})

        return tell

    def _told(
        self,
        ask: Callable[[Source], float],
        joined: Callable[[Iterable[float]], float],
    ) -> Callable[[CallbackOptions], Iterator[Observation]]:
        """What a gauge tells: one number a zone, however many guards there are in the process."""

        def tell(_: CallbackOptions) -> Iterator[Observation]:
            sources = self._sources
            for zone in dict.fromkeys(source.zone for source in sources):
                told = [ask(source) for source in sources if source.zone == zone]
                yield Observation(joined(told), {"zone": zone})

        return tell


@cache
def instruments(provider: MeterProvider | None) -> Instruments:
    """The instruments of `provider`, by default those of the process; made once."""
    return Instruments(provider)


def _decision(zone: str, rule: Rule | None, reason: Reason | None) -> _Labels:
    labels = _method(zone, rule)
    if reason is None:
        return labels | {"decision": "allowed", "reason": ""}
    return labels | {"decision": "refused", "reason": reason.name}


def _method(zone: str, rule: Rule | None) -> _Labels:
    """The names in the rule: what has none is a caller's word, and there is no end of those."""
    service, _, method = rule.method.strip("/").partition("/") if rule else ("", "", "")
    return {"zone": zone, "service": service, "method": method}


def _outcome(error: ExchangeError | None) -> str:
    """`granted`, or the reason why not, or the status code of a failure without one."""
    if error is None:
        return "granted"
    refusal = read_refusal(error.status.trailing_metadata)
    return error.status.code.name if refusal is None else refusal.reason.name
