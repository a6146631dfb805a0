"""Asking a policy server, as the authority does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from caracal_grpc.outbound.egress import LOOPBACK
from caracal_grpc.outbound.http import HttpOutbound
from caracal_grpc.policy.opa import OpaServer, OpaSettings
from tests.policy.documents import document
from tests.support.clock import FakeClock

TIMEOUT = 5.0


def question(say: str, **changes: Any) -> str:
    """A question to which the policy of these tests says so."""
    return json.dumps(document(context={"say": say}, **changes))


@asynccontextmanager
async def asking(
    url: str, clock: FakeClock | None = None, timeout: float = TIMEOUT, token: str = ""
) -> AsyncIterator[OpaServer]:
    """The client of a server."""
    outbound = HttpOutbound(LOOPBACK, keep_alive=True, timeout=timeout)
    server = OpaServer(OpaSettings(url, timeout, token), outbound, clock or FakeClock())
    try:
        yield server
    finally:
        await server.close()
