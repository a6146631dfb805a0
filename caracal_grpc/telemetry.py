"""Spans and logs: switched by one setting, and of no cost when off."""

from __future__ import annotations

import json
import logging
import sys
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
