"""From a call that a guard has decided to the decision that is kept of it."""

from __future__ import annotations

import random
from collections.abc import Callable

from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.core.entry import plain_text
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import AUDIT
from caracal_grpc.core.limits import MAX_REQUEST_ID
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.interceptors.guard.gate import Admission


class Recorder:
    """Puts what a guard decided where `put` says. It neither blocks nor asks anybody.

    `samples` is whether it wants to hear of calls that were let in, of which it keeps the share
    `sampling_rate`. Safe between threads as `put` is.
    """

    def __init__(
        self,
        put: Callable[[EdgeDecision], object],
        sampling_rate: float,
        clock: Clock,
        ids: Ids,
        *,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.samples = sampling_rate > 0
        self._put = put
        self._rate = sampling_rate
        self._clock = clock
        self._ids = ids
        self._draw = draw

    def allowed(self, admission: Admission) -> str:
        """A call was let in; most are not even looked at, and have no id."""
        return self._keep(admission, "") if self._draw() < self._rate else ""

    def refused(self, admission: Admission, error: CaracalError) -> str:
        """A call was refused, or its stream is cut; the id under which that can be explained."""
        return self._keep(admission, error.reason.value)

    def _keep(self, admission: Admission, reason: str) -> str:
        decision = _decision(self._ids.new(AUDIT), self._clock.now(), admission, reason)
        self._put(decision)
        return decision.id


def _decision(identifier: str, now: float, admission: Admission, reason: str) -> EdgeDecision:
    """Of what a caller wrote, only so much and only so clean as an entry may hold."""
    rule, mandate = admission.rule, admission.mandate
    facts: dict[str, str] = {}
    if mandate is not None:
        facts = {
            "jti": mandate.jti,
            "application_id": mandate.application,
            "subject": plain_text(mandate.subject),
            "session_id": mandate.session,
            "mandate_audit_id": mandate.audit_id,
        }
    return EdgeDecision(
        id=identifier,
        time_ms=int(now * 1000),
        reason=reason,
        method=plain_text(admission.method),
        resource=plain_text(rule.resource) if rule is not None else "",
        request_id=admission.inbound.request_id[:MAX_REQUEST_ID],
        **facts,
    )
