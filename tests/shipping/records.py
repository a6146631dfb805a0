"""Records of a zone, as the authority would show them, and the lines that sinks make of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from caracal_grpc.shipping.formats.table import FORMATS
from caracal_grpc.shipping.port import Batch, Record
from caracal_grpc.v1.audit_pb2 import AuditEntry

FORM = FORMATS["json"](False)
TIME_MS = 1_790_000_000_123


def entry(index: int, *, decision: str = "allow", **event: Any) -> AuditEntry:
    """An entry with a canonical event; `event` are members of it."""
    said = {
        "decision": decision,
        "id": f"aud_{index:026}",
        "time_ms": TIME_MS + index,
        "type": "exchange",
        "v": 1,
        **event,
    }
    made = AuditEntry(
        index=index,
        id=said["id"],
        type=said["type"],
        decision=f"AUDIT_DECISION_{decision.upper()}",
        canonical=json.dumps(said, sort_keys=True, ensure_ascii=False).encode(),
        leaf_hash=index.to_bytes(32, "big"),
    )
    made.time.FromMilliseconds(said["time_ms"])
    return made


def batch(start: int, end: int, zone: str = "shop", **event: Any) -> Batch:
    """The records of a zone from `start` to before `end`."""
    return Batch(zone, [Record.of(zone, entry(index, **event)) for index in range(start, end)])


def keys(text: bytes) -> list[str]:
    """What the lines of a sink are known by; every one must be whole."""
    assert not text or text.endswith(b"\n")
    return [json.loads(line)["key"] for line in text.splitlines()]


def expected(indexes: Iterable[int], zone: str = "shop") -> list[str]:
    """The keys of these."""
    return [f"{zone}/{index}" for index in indexes]
