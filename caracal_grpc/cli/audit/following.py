"""Following the ledger of a zone for as long as it takes, whichever replica answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

import grpc.aio

from caracal_grpc.cli.connection import connected
from caracal_grpc.cli.context import Target
from caracal_grpc.cli.terminal.output import note
from caracal_grpc.interceptors.client.tries import is_renewable
from caracal_grpc.interceptors.feed.pace import Pace
from caracal_grpc.v1.audit_service_pb2 import ReadRequest, SearchRequest
from caracal_grpc.v1.audit_service_pb2_grpc import AuditServiceStub

SILENCE: Final = 30.0
"""Seconds without any part, of which one comes every 10, after which a stream is given up."""

_PASSES: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
)
"""How a stream ends that is to be opened again."""


async def following(target: Target, query: SearchRequest, start: int) -> AsyncGenerator[Any, None]:
    """The entries from index `start` on that match, each once; it never ends by itself.

    What breaks off goes on behind what came last. Raises `AioRpcError` for what does not pass.
    """
    request = ReadRequest(query=query, follow=True, start_index=start)
    pace, away = Pace(), False
    while True:
        try:
            async with connected(target) as channel:
                stub: Any = AuditServiceStub(channel)
                async with aclosing(_parts(stub.Read(request))) as parts:
                    async for part in parts:
                        if away:
                            note("the authority answers again")
                        away = False
                        pace.succeeded()
                        for entry in part.entries:
                            yield entry
                        request.query.page_token = part.resume_token
        except grpc.aio.AioRpcError as error:
            if not _passes(error):
                raise
        if not away:
            note("the authority does not answer; going on as soon as it does")
        away = True
        await asyncio.sleep(pace.pause())


async def _parts(call: Any) -> AsyncGenerator[Any, None]:
    """The parts of a stream, until it ends or falls silent."""
    parts = aiter(call)
    try:
        while True:
            async with asyncio.timeout(SILENCE):
                part = await anext(parts, None)
            if part is None:
                return
            yield part
    except TimeoutError:
        return
    finally:
        call.cancel()


def _passes(error: grpc.aio.AioRpcError) -> bool:
    return error.code() in _PASSES or is_renewable(error.code(), error.trailing_metadata())
