"""Guarded servers whose handlers report what they see, one of each stack."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
import pytest

from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.testing import guarded_server, guarded_server_sync
from tests.interceptors.context.report import aio_reports, sync_reports
from tests.support.echo import AIO_METHODS, SYNC_METHODS, echo_rules, path
from tests.support.echo_client import EchoClient, Metadata, bearing
from tests.support.keys import Mint

STYLES = [
    *(pytest.param("aio", name, id=f"aio-{name}") for name in AIO_METHODS),
    *(pytest.param("sync", name, id=f"sync-{name}") for name in SYNC_METHODS),
]
"""Every stack with every style of handler that it knows."""


@dataclass
class Reports:
    """A running server of one stack, asked for what its handlers see."""

    mint: Mint
    client: EchoClient

    async def ask(self, name: str, metadata: Metadata) -> list[dict[str, Any]]:
        """Every answer of one call that carries no mandate but what `metadata` holds."""
        return [json.loads(answer) for answer in await self.client.call(name, metadata)]

    async def under_mandate(
        self, name: str, metadata: Metadata = ()
    ) -> tuple[str, list[dict[str, Any]]]:
        """The `jti` of a good mandate, and every answer of one call under it."""
        mandate = self.mint.mandate()
        token = bearing(self.mint.token(mandate))
        return mandate.jti, await self.ask(name, (*token, *metadata))


@asynccontextmanager
async def reports(stack: str, *, public: bool = False, **options: Any) -> AsyncIterator[Reports]:
    """A guarded server of `stack`, every method of which may be public."""
    opened = [Rule(path(name), public=True, public_reason="for tests") for name in AIO_METHODS]
    rules = Rules(opened) if public else echo_rules()
    mint = Mint()
    options |= {"rules": rules, "authority": mint.authority}
    if stack == "aio":
        async with guarded_server(_adding(aio_reports()), **options) as server:
            yield Reports(mint, EchoClient(server.channel()))
        return
    serving = guarded_server_sync(_adding(sync_reports()), **options)
    sync_server = serving.__enter__()
    try:
        async with grpc.aio.insecure_channel(sync_server.address) as channel:
            yield Reports(mint, EchoClient(channel))
    finally:
        await asyncio.to_thread(serving.__exit__, None, None, None)


def _adding(handlers: grpc.GenericRpcHandler) -> Any:
    return lambda server: server.add_generic_rpc_handlers((handlers,))
