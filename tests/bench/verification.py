"""One verification: of a token that was never seen, and of one that is remembered."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from caracal_grpc.core.rule import Rule
from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.testing import CannedFeed, ThrowawayAuthority
from tests.bench.row import Row, median
from tests.bench.scale import Scale

_TOKENS = 500
RULE = Rule("/x/Y", "resource://echo", frozenset({"echo:say"}))


async def measure(scale: Scale) -> list[Row]:
    """CPU of a cold verification over raw ECDSA P-256, and of a warm one over a cold one."""
    feed, tokens = minted(_TOKENS)
    raw = _raw_verify(tokens[0].rpartition(".")[0].encode())
    colds, raws, warms = [], [], []
    for _ in range(3 * scale.rounds):
        verifier = Verifier(feed, clock=SystemClock())
        colds.append(cpu(lambda token, verify=verifier.verify: verify(token, RULE), tokens))
        raws.append(cpu(raw, tokens))
        warms.append(cpu(lambda token, verify=verifier.verify: verify(token, RULE), tokens))
    cold, bare, warm = median(colds), median(raws), median(warms)
    return [
        Row(
            "cold verification / raw ECDSA verify, CPU",
            median([x / y for x, y in zip(colds, raws, strict=True)]),
            "x",
            1.6,
            "at most",
            f"{cold:,.0f} us against {bare:,.0f} us raw",
        ),
        Row(
            "remembered token / cold verification, CPU",
            median([x / y for x, y in zip(warms, colds, strict=True)]),
            "x",
            0.1,
            "at most",
            f"{warm:,.1f} us of a token in the cache against {cold:,.0f} us",
        ),
    ]


def minted(count: int) -> tuple[CannedFeed, list[str]]:
    """What a guard knows, and that many mandates for the echo."""
    authority = ThrowawayAuthority("bench")
    claims = {"resource": "resource://echo", "scopes": "echo:say"}
    return CannedFeed(authority), [authority.mandate(**claims) for _ in range(count)]


def cpu(work: Callable[[str], object], tokens: Sequence[str]) -> float:
    """Microseconds of this process that `work` takes on each of `tokens`."""
    begin = time.process_time()
    for token in tokens:
        work(token)
    return (time.process_time() - begin) / len(tokens) * 1e6


def _raw_verify(data: bytes) -> Callable[[str], object]:
    private = ec.generate_private_key(ec.SECP256R1())
    public, algorithm = private.public_key(), ec.ECDSA(hashes.SHA256())
    signature = private.sign(data, algorithm)
    return lambda _: public.verify(signature, data, algorithm)
