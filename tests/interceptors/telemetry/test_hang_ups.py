"""Clients that hang up leave nothing behind but the spans of their calls."""

from __future__ import annotations

import asyncio
import gc
import logging

import pytest

from tests.interceptors.conftest import Eventually
from tests.support.echo_client import bearing
from tests.support.echo_server import Setup, aio_stage, sync_stage
from tests.support.otel import Shown

CLIENTS = 100
GIVING = ("Expand", "Chat", "ExpandWriting", "ChatWriting")
"""A plain function on an asyncio server is never told that its client has gone."""

SERVERS = {"aio": aio_stage, "sync": sync_stage}
CASES = [("aio", name) for name in GIVING] + [("sync", name) for name in GIVING[:2]]


@pytest.mark.parametrize(("kind", "name"), CASES)
async def test_a_hundred_clients_that_hang_up_are_no_complaint(
    kind: str, name: str, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    """Each call has its span, and no context is left attached, nor is that logged."""
    shown = Shown()
    async with SERVERS[kind](Setup(options={"observer": shown.telemetry()})) as stage:
        token = stage.mint.token()
        with caplog.at_level(logging.DEBUG, logger="opentelemetry"):
            for _ in range(CLIENTS // 10):
                calls = [await stage.client.open(name, bearing(token), "flood") for _ in range(10)]
                for call in calls:
                    call.cancel()
                await asyncio.gather(*(_over(call) for call in calls))
                await eventually(lambda: stage.guard.open_streams == 0)
            gc.collect()
            await eventually(lambda: len(shown.exporter.get_finished_spans()) == CLIENTS)
    said = [each for each in caplog.records if each.name.startswith(("opentelemetry", "caracal"))]
    assert [each.getMessage() for each in said if each.levelno >= logging.WARNING] == []


async def _over(call: object) -> None:
    assert await call.code() is not None  # type: ignore[attr-defined]
