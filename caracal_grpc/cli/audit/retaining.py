"""What the commands that hold, prune and erase have in common."""

from __future__ import annotations

from typing import Any, Final

from caracal_grpc.cli.context import Target
from caracal_grpc.cli.errors import CliError, ExitCode

_PATIENCE: Final = 3_600.0
"""Seconds for one call: a large ledger takes a while."""


def call(target: Target, method: str, **fields: Any) -> dict[str, Any]:
    """What the RetentionService answers."""
    from caracal_grpc.cli.connection import ask
    from caracal_grpc.cli.terminal.view import view
    from caracal_grpc.v1 import retention_service_pb2
    from caracal_grpc.v1.retention_service_pb2_grpc import RetentionServiceStub

    message = getattr(retention_service_pb2, f"{method}Request")
    request = message(**{"zone": target.zone, **fields})
    return view(ask(target, RetentionServiceStub, method, request, timeout=_PATIENCE))


def require_yes(question: str) -> None:
    """Returns when somebody agrees; raises `CliError`. A script says --yes instead."""
    from caracal_grpc.cli.terminal.questions import typed

    if (typed(f"{question} [y/N]: ") or "").lower() not in {"y", "yes"}:
        raise CliError(ExitCode.REFUSED, "nothing is changed; answer y, or use --yes")


def counted(count: int) -> str:
    """So many entries, in words."""
    return "1 entry" if count == 1 else f"{count} entries"
