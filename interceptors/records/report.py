"""The report of what is in hand, and what both senders have in common."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.core.limits import AUTHORITY_RESOURCE
from caracal_grpc.interceptors.client.tokens import Ask
from caracal_grpc.interceptors.records.outbox import Batch
from caracal_grpc.v1 import audit_pb2, audit_service_pb2

RECORD_ASK: Final = Ask(AUTHORITY_RESOURCE, frozenset({"caracal:audit:record"}))
"""What the authority asks of an edge that reports."""

INTERVAL: Final = 1.0
"""Seconds after which even a few are sent."""

TICK: Final = 0.25
"""Seconds between two looks at memory, at most, while a report is on its way or is to be sent
again."""

CALL_TIMEOUT: Final = 5.0
TOKEN_TIMEOUT: Final = 2.0
LAST: Final = 3.0
"""Seconds in which an edge that is closed delivers what it can."""

_ALLOW: Final = audit_pb2.AUDIT_DECISION_ALLOW
_DENY: Final = audit_pb2.AUDIT_DECISION_DENY


@dataclass(frozen=True, slots=True)
class Sender:
    """Who reports: in which zone, as what share, and by which mandate."""

    zone: str
    sampling_rate: float
    binding: str | None

    @property
    def ask(self) -> Ask:
        """The mandate that a report is sent with."""
        return replace(RECORD_ASK, binding=self.binding)

    def report(self, batch: Batch) -> audit_service_pb2.RecordRequest:
        """The request that delivers `batch`."""
        return audit_service_pb2.RecordRequest(
            zone=self.zone,
            decisions=[_message(each) for each in batch.decisions],
            dropped=batch.dropped,
            sampling_rate=self.sampling_rate,
        )


def _message(decision: EdgeDecision) -> audit_service_pb2.EdgeDecision:
    said: dict[str, Any] = asdict(decision)
    time_ms = said.pop("time_ms")
    message = audit_service_pb2.EdgeDecision(decision=_DENY if decision.reason else _ALLOW, **said)
    message.time.FromMilliseconds(time_ms)
    return message
