"""Spans and logs: switched by one setting, and of no cost when off."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import grpc.aio


def server_interceptors(*, enabled: bool) -> list[grpc.aio.ServerInterceptor]:
    """The OpenTelemetry interceptor, first in the chain; none when off.

    It is used as it is, without patching grpc, and with the tracer provider of the process.
    """
    if not enabled:
        return []
    from opentelemetry.instrumentation.grpc import aio_server_interceptor

    interceptor: grpc.aio.ServerInterceptor = aio_server_interceptor()
    return [interceptor]


def observe_lag(
    tell: Callable[[], Iterable[tuple[Mapping[str, str], float, int]]],
) -> Callable[[], None]:
    """Gauges of how far shipping is behind: labels, seconds and entries, as `tell` gives them.

    They are made with the meter provider of the process, and tell no more once what is returned was
    called.
    """
    from opentelemetry.metrics import CallbackOptions, Observation, get_meter

    telling = [tell]

    def seconds(_: CallbackOptions) -> Iterator[Observation]:
        yield from (Observation(late, dict(by)) for each in telling for by, late, _ in each())

    def entries(_: CallbackOptions) -> Iterator[Observation]:
        yield from (Observation(count, dict(by)) for each in telling for by, _, count in each())

    meter = get_meter("caracal_grpc.shipping")
    meter.create_observable_gauge(
        "caracal.shipping.lag", [seconds], "s", "Age of the oldest entry that a sink has not got"
    )
    meter.create_observable_gauge(
        "caracal.shipping.lag.entries", [entries], "{entry}", "Entries that a sink has not got"
    )
    return telling.clear


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and what the caller gave as fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of one record."""
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["cause"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure_logging(*, json_lines: bool, level: int = logging.INFO) -> None:
    """Sends the logs of the process to stderr, for people or, as JSON lines, for programs."""
    handler = logging.StreamHandler(sys.stderr)
    if json_lines:
        handler.setFormatter(JsonLines())
    else:
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
