"""One question to a policy: in this process, in a process of its own, and to the engine alone."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from typing import Final

from caracal_grpc.policy.bundle import Bundle
from caracal_grpc.policy.engines import engine
from caracal_grpc.policy.grants import GRANTS_MODULE, grants_data, grants_modules
from caracal_grpc.policy.workbench import RESULT, compiled
from tests.bench.row import Row, median, percentile
from tests.bench.scale import Scale
from tests.policy.documents import document, grant

_APPLICATIONS: Final = 1_000
Ask = Callable[[str], Awaitable[object]]


async def measure(scale: Scale) -> list[Row]:
    """The time of an answer, by the built-in policy and by the same one as if others wrote it."""
    data = grants_data([grant(application=f"app-{n}") for n in range(_APPLICATIONS)] + [grant()])
    ours = Bundle.of(grants_modules(), data)
    theirs = Bundle.of({"own.rego": grants_modules()[GRANTS_MODULE] + "\n# ours\n"}, data)
    rego, policies = compiled(ours), engine()
    embedded, sandboxed = [await policies.compile(each) for each in (ours, theirs)]

    async def alone(question: str) -> object:
        rego.set_input_json(question)
        return rego.eval_rule(RESULT)

    asked: tuple[Ask, ...] = (alone, embedded.decide, sandboxed.decide)
    times: tuple[list[float], ...] = ([], [], [])
    for _ in range(scale.rounds):
        for ask, taken in zip(asked, times, strict=True):
            taken.extend(await latencies(ask, 10 * scale.samples))
    await embedded.close()
    await sandboxed.close()
    await policies.close()
    bare, inside, apart = times
    return [
        _row("policy decision in process / the engine alone, p50", inside, bare, 1.5),
        _row("policy decision in a process of its own / in process, p50", apart, inside, 5.0),
    ]


async def latencies(ask: Ask, count: int) -> list[float]:
    """Microseconds of each of so many questions, one after the other."""
    question, taken = json.dumps(document()), []
    for _ in range(count):
        begin = time.perf_counter()
        await ask(question)
        taken.append((time.perf_counter() - begin) * 1e6)
    return taken


def _row(name: str, measured: list[float], against: list[float], bar: float) -> Row:
    p50, p99 = median(measured), percentile(measured, 0.99)
    detail = (
        f"p50 {p50:,.0f} us, p99 {p99:,.0f}; "
        f"against {median(against):,.0f} and {percentile(against, 0.99):,.0f}"
    )
    return Row(name, p50 / median(against), "x", bar, "at most", detail)
