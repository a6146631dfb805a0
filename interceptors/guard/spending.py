"""Methods that take a mandate once: it is consumed before the guarded behaviour begins.

What comes of it is kept in the admission. The guarded behaviour then judges as for any method: it
refuses what was not consumed, and what was revoked while that took its time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from caracal_grpc.interceptors.guard.consumer import SyncConsumer, no_consumer, patience
from caracal_grpc.interceptors.guard.gate import Admission, Gate, as_refusal
from caracal_grpc.interceptors.guard.plan import Plan

Wrap = Callable[[Admission], Any]
"""Makes the guarded behaviour of one call."""


def spending(plan: Plan, wrap: Wrap, gate: Gate, consumer: SyncConsumer | None) -> Wrap:
    """`wrap` for the single-use method of `plan`, which is a plain function."""

    def once(admission: Admission) -> Any:
        behave = wrap(admission)

        def guarded(request: Any, context: Any) -> Any:
            spend(gate, consumer, admission, context, request)
            return behave(request, context)

        def stream(request: Any, context: Any) -> Iterator[Any]:
            spend(gate, consumer, admission, context, request)
            yield from behave(request, context)

        return stream if plan.streams[1] else guarded

    return once


def spend(
    gate: Gate, consumer: SyncConsumer | None, admission: Admission, context: Any, request: Any
) -> None:
    """Has the mandate consumed if the call may go on; never raises, the admission holds why not."""
    try:
        gate.judge(admission, context, request)
        if consumer is None:
            raise no_consumer()  # noqa: TRY301 - one path for every refusal
        consumer(admission, patience(context))
    except Exception as exc:  # noqa: BLE001 - whatever happens here, the call is refused
        admission.error = as_refusal(exc)
