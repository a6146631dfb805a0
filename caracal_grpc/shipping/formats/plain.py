"""The plain format: the event itself, with its stable name and its place in the tree."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from caracal_grpc.shipping.record import Record


def plain(record: Record) -> Mapping[str, Any]:
    """The members of the event, and in front of them what it is known by.

    `key` is `<zone>/<index>`: drop a line whose key came before. `leaf_hash` is in hexadecimal.
    `erased` and `pruned` are there when they are true.
    """
    place = {"key": record.key, "zone": record.zone, "index": record.index}
    told: dict[str, Any] = {"id": record.id, "time": rfc3339(record.time_ms)} if record.id else {}
    flags = {"erased": record.erased, "pruned": record.pruned}
    return {
        **place,
        **told,
        **{name: value for name, value in record.event.items() if name not in place},
        "leaf_hash": record.entry.leaf_hash.hex(),
        **{name: True for name, is_so in flags.items() if is_so},
    }


def rfc3339(time_ms: int) -> str:
    """Milliseconds since the Unix epoch as RFC 3339 writes them, in UTC."""
    moment = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03}Z"
