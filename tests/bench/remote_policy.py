"""One question to a remote policy server beside the same one in process: what the way costs.

The server answers what was recorded, over a connection that is kept, in this very process: what a
real one takes to decide, and what lies between, comes on top.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.outbound.egress import LOOPBACK
from caracal_grpc.outbound.http import HttpOutbound
from caracal_grpc.policy.bundle import Bundle
from caracal_grpc.policy.engines import engine
from caracal_grpc.policy.grants import grants_data, grants_modules
from caracal_grpc.policy.opa import OpaPolicy, OpaServer, OpaSettings
from tests.bench.policy import latencies
from tests.bench.row import Row, median, percentile
from tests.bench.scale import Scale
from tests.policy.documents import grant
from tests.policy.opa_server import recorded


async def measure(scale: Scale) -> list[Row]:
    """The time of an answer by each, in turns."""
    bundle = Bundle.of(grants_modules(), grants_data([grant()]))
    policies = engine()
    embedded = await policies.compile(bundle)
    outbound = HttpOutbound(LOOPBACK, keep_alive=True)
    inside: list[float] = []
    away: list[float] = []
    async with _answering(recorded(bundle.version, "allow")) as url:
        remote = OpaServer(OpaSettings(url, 10.0), outbound, SystemClock())
        policy = OpaPolicy(bundle.version, remote)
        for _ in range(scale.rounds):
            inside += await latencies(embedded.decide, 10 * scale.samples)
            away += await latencies(policy.decide, scale.samples)
        await remote.close()
    await embedded.close()
    await policies.close()
    return [_row(inside, away)]


def _row(inside: list[float], away: list[float]) -> Row:
    detail = (
        f"p50 {median(away):,.0f} us, p99 {percentile(away, 0.99):,.0f}; "
        f"against {median(inside):,.0f} and {percentile(inside, 0.99):,.0f}"
    )
    name = "policy decision by a remote server / in process, p50"
    return Row(name, median(away) / median(inside), "x", 10.0, "at most", detail)


@asynccontextmanager
async def _answering(body: bytes) -> AsyncIterator[str]:
    """The URL of a server that keeps connections and answers every question with `body`."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    answer = f"{head}\r\n\r\n".encode() + body

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
                writer.write(answer)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
