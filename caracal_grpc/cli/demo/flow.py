"""What one flow of the demo showed: what was expected of it, and whether that came true."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors.status import from_rpc_error


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation, in words, and whether it came true."""

    text: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended. `at` is in monotonic seconds; `error` is `None` when it was OK, and `said`
    is what whoever refused it said to people.
    """

    code: str
    reason: str
    at: float
    response: Any = None
    error: CaracalError | None = None
    said: str = ""

    @property
    def audit_id(self) -> str:
        """The ledger entry of a refusal that has one."""
        return self.error.metadata.get("audit_id", "") if self.error else ""

    @property
    def text(self) -> str:
        """Code and reason, as people read them."""
        return f"{self.code} {self.reason}".rstrip()

    def is_refusal(self, code: str, reason: str) -> bool:
        """Whether the call was refused in exactly this way."""
        return (self.code, self.reason) == (code, reason)


@dataclass(slots=True)
class Flow:
    """One flow as it runs. `grpc_code`, `reason` and `said` are those of the answer that the flow
    is about; `entries` are its ledger entries, by what each is about.
    """

    name: str
    grpc_code: str = ""
    reason: str = ""
    said: str = ""
    entries: dict[str, str] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    elapsed_ms: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether it behaved: something was expected, and all of it came true."""
        return bool(self.checks) and all(check.holds for check in self.checks)

    def expect(self, text: str, holds: bool) -> None:
        """Notes an expectation and whether it came true."""
        self.checks.append(Check(text, holds))

    def ended(self, answer: Answer) -> None:
        """Makes `answer` the outcome that the flow reports."""
        self.grpc_code, self.reason, self.said = answer.code, answer.reason, answer.said

    def recorded(self, about: str, audit_id: str) -> None:
        """Notes a ledger entry, to be explained later; a matter without one is none."""
        if audit_id:
            self.entries[about] = audit_id

    def view(self) -> dict[str, Any]:
        """The flow for programs; `details` is what only this flow measured."""
        return {
            "name": self.name,
            "ok": self.ok,
            "grpc_code": self.grpc_code,
            "reason": self.reason,
            "audit_ids": list(self.entries.values()),
            "elapsed_ms": round(self.elapsed_ms, 3),
            "details": self.details,
        }


async def answer(call: Any) -> Answer:
    """How `call` ends; a refusal is an answer, not an exception."""
    try:
        response = await call
    except grpc.aio.AioRpcError as error:
        return refused(error)
    return Answer("OK", "", time.monotonic(), response)


def refused(error: grpc.aio.AioRpcError) -> Answer:
    """The answer that `error` is."""
    refusal = from_rpc_error(error)
    reason = refusal.reason.value if refusal else ""
    said = error.details() or ""
    return Answer(error.code().name, reason, time.monotonic(), error=refusal, said=said)


def failed(flows: Sequence[Flow]) -> list[str]:
    """The flows that did not behave, each with the first expectation that did not come true and
    with what was said to it.
    """
    return [_told(flow) for flow in flows if not flow.ok]


def _told(flow: Flow) -> str:
    return ": ".join(filter(None, (flow.name, _first(flow), flow.said)))


def _first(flow: Flow) -> str:
    return next((check.text for check in flow.checks if not check.holds), "it showed nothing")
