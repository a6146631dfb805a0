"""The guard beside a million live revocations: as fast as beside none."""

from __future__ import annotations

import json
import sys

import grpc.aio

from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.testing import ThrowawayAuthority
from tests.bench.alone import alone
from tests.bench.anchors import FOREVER, view_of
from tests.bench.child import ECHO
from tests.bench.load import in_turn
from tests.bench.row import Row, median
from tests.bench.scale import Scale
from tests.bench.verification import RULE, cpu
from tests.bench.world import child

_TOKENS = 1_000


async def measure(scale: Scale) -> list[Row]:
    """A warm call over gRPC, and the verification in it alone."""
    count = scale.revocations
    async with child("crowded", str(count)) as up:
        calls = await _calls(up, scale)
    warm = await alone("guard_growth", count, scale.rounds)
    one, other = median([x for x, _ in warm]), median([y for _, y in warm])
    detail = (
        f"{median([x for x, _ in calls]):,.0f} calls a second, 32 callers; a verification alone "
        f"{one:.1f} us against {other:.1f}, {_TOKENS:,} mandates in turn"
    )
    name = f"guarded call beside {count:,} live revocations / beside none, throughput"
    return [Row(name, median([x / y for x, y in calls]), "x", 0.9, "at least", detail)]


async def _calls(up: dict[str, str], scale: Scale) -> list[tuple[float, float]]:
    """Calls a second, beside many and beside none."""
    bearer = (("authorization", f"Bearer {up['token']}"),)
    async with (
        grpc.aio.insecure_channel(up["many"]) as many,
        grpc.aio.insecure_channel(up["none"]) as none,
    ):
        beside_many, beside_none = many.unary_unary(ECHO), none.unary_unary(ECHO)
        ones, others = await in_turn(
            lambda: beside_many(b"x", metadata=bearer),
            lambda: beside_none(b"x", metadata=bearer),
            seconds=scale.seconds,
            callers=32,
            rounds=scale.rounds,
        )
    return [(x.rate, y.rate) for x, y in zip(ones, others, strict=True)]


def verifications(count: int, rounds: int) -> list[tuple[float, float]]:
    """Microseconds of a warm verification, beside `count` revocations and beside none."""
    authority = ThrowawayAuthority("bench")
    claims = {"resource": "resource://echo", "scopes": "echo:say", "ttl": 900}
    tokens = [authority.mandate(**claims) for _ in range(_TOKENS)]
    clock = SystemClock()
    views = [view_of(authority, each) for each in (count, 0)]
    many, none = [Verifier(view, clock=clock, max_staleness=FOREVER).verify for view in views]
    taken = []
    for _ in range(20 * rounds + 1):
        one = cpu(lambda token: many(token, RULE), tokens)
        taken.append((one, cpu(lambda token: none(token, RULE), tokens)))
    return taken[1:]  # the first round is cold


if __name__ == "__main__":
    print(json.dumps(verifications(int(sys.argv[1]), int(sys.argv[2]))))
