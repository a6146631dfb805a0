"""The guard: a warm unary call against the same server without it, and a cold verification."""

from __future__ import annotations

import time

import grpc.aio
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from caracal_grpc.core.rule import Rule
from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.testing import CannedFeed, ThrowawayAuthority
from tests.bench.child import ECHO
from tests.bench.exchange import request
from tests.bench.load import in_turn
from tests.bench.row import Row, median
from tests.bench.world import World, child


async def measure(world: World, *, seconds: float, rounds: int) -> list[Row]:
    """Throughput with 32 callers, and the median that the guard adds to a lone caller's call."""
    issued = await world.tokens.Exchange(request(world))
    bearer = (("authorization", f"Bearer {issued.mandate}"),)
    async with (
        child("services", world.service_profile) as up,
        grpc.aio.insecure_channel(up["guarded"]) as guarded,
        grpc.aio.insecure_channel(up["bare"]) as bare,
    ):
        with_guard, without = guarded.unary_unary(ECHO), bare.unary_unary(ECHO)

        async def crowd(callers: int) -> tuple[list[float], list[float], list[float]]:
            one, other = await in_turn(
                lambda: with_guard(b"x", metadata=bearer),
                lambda: without(b"x", metadata=bearer),
                seconds=seconds,
                callers=callers,
                rounds=rounds,
            )
            ratios = [x.rate / y.rate for x, y in zip(one, other, strict=True)]
            added = [x.p50 - y.p50 for x, y in zip(one, other, strict=True)]
            return ratios, added, [x.rate for x in one]

        ratios, _, rates = await crowd(32)
        _, added, _ = await crowd(1)
    return [
        Row(
            "guarded / bare unary call, warm, throughput",
            median(ratios),
            "x",
            0.90,
            "at least",
            f"{median(rates):,.0f} guarded calls a second, 32 callers",
        ),
        Row("guard, warm, added p50", median(added) * 1000, "ms", 0.05, "at most", "1 caller"),
        _cold(rounds),
    ]


def _cold(rounds: int) -> Row:
    """CPU of a verification that meets each token for the first time, over raw ECDSA P-256."""
    authority = ThrowawayAuthority("bench")
    feed = CannedFeed(authority)
    claims = {"resource": "resource://echo", "scopes": "echo:say"}
    tokens = [authority.mandate(**claims) for _ in range(500)]
    rule = Rule("/x/Y", "resource://echo", frozenset({"echo:say"}))
    private = ec.generate_private_key(ec.SECP256R1())
    public, data = private.public_key(), tokens[0].rpartition(".")[0].encode()
    algorithm = ec.ECDSA(hashes.SHA256())
    signature = private.sign(data, algorithm)
    ratios = []
    for _ in range(3 * rounds):
        verifier = Verifier(feed, clock=SystemClock())
        cold = _cpu(lambda token, verify=verifier.verify: verify(token, rule), tokens)
        raw = _cpu(lambda _: public.verify(signature, data, algorithm), tokens)
        ratios.append(cold / raw)
    detail = f"{cold / len(tokens) * 1e6:,.0f} us against {raw / len(tokens) * 1e6:,.0f} us raw"
    return Row(
        "cold verification / raw ECDSA verify, CPU", median(ratios), "x", 1.6, "at most", detail
    )


def _cpu(work: object, tokens: list[str]) -> float:
    begin = time.process_time()
    for token in tokens:
        work(token)  # type: ignore[operator]
    return time.process_time() - begin
