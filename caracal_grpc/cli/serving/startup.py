"""The start of a server: its log waits until it serves, so that a failed start says one line."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from logging.handlers import MemoryHandler
from typing import Final

from caracal_grpc.cli.errors import DEBUG_VARIABLE, CliError, ExitCode
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.telemetry import configure_logging

_RECORDS: Final = 10_000


def hold_log(*, json_lines: bool, level: int) -> Callable[[], None]:
    """Sets logging up; what is logged appears when the result is called, at once in debugging."""
    configure_logging(json_lines=json_lines, level=level)
    root = logging.getLogger()
    shown = root.handlers[:]
    if os.environ.get(DEBUG_VARIABLE) or not shown:
        return lambda: None
    held = MemoryHandler(_RECORDS, logging.CRITICAL + 1, flushOnClose=False)
    root.handlers = [held]

    def release() -> None:
        root.handlers = shown
        held.setTarget(shown[0])
        held.flush()

    return release


def failed_start(error: CaracalError, endpoints: list[str]) -> CaracalError | CliError:
    """The end that `error` means for a server that did not start: which etcd it was about."""
    if error.reason is not Reason.STORE_UNAVAILABLE:
        return error
    text = f"etcd at {', '.join(endpoints)} is not available; check that it runs and its settings"
    hint = f"{DEBUG_VARIABLE}=1 shows the log"
    return CliError(ExitCode.UNAVAILABLE, f"{text} ({error.message}; {hint})")
