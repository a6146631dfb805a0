"""Entries of the ledger as plain values."""

from __future__ import annotations

import json
from typing import Any

from caracal_grpc.cli.terminal.view import view


def entry_view(entry: Any) -> dict[str, Any]:
    """An `AuditEntry` by the names of the proto, with `event` in the place of its bytes."""
    shown = view(entry)
    del shown["canonical"]
    return {**shown, "event": _event(entry.canonical)}


def _event(canonical: bytes) -> Any:
    try:
        return json.loads(canonical)
    except (ValueError, RecursionError):
        return None
