"""Waiting until every edge has applied a revision, and showing how far it is meanwhile."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import grpc.aio

from caracal_grpc.cli.connection import connected, run
from caracal_grpc.cli.context import Target
from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.cli.terminal.output import note, print_json
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.status import from_rpc_error
from caracal_grpc.v1.revocation_service_pb2 import (
    RevocationServiceWaitAppliedRequest,
    RevocationServiceWaitAppliedResponse,
)
from caracal_grpc.v1.revocation_service_pb2_grpc import RevocationServiceStub

if TYPE_CHECKING:
    from rich.progress import Progress

Told = RevocationServiceWaitAppliedResponse
Show = Callable[[Told], None]

_PAUSE: Final = 0.5


def wait_applied(
    target: Target, revision: int, timeout: float, facts: dict[str, Any] | None
) -> None:
    """Returns when every edge has applied `revision`; raises `CliError` after `timeout` seconds.

    People see the progress on a terminal, and one line on stderr in the end. Programs get `facts`
    with what was told last, whatever it was: what they tell of holds all the same.
    """
    told = None
    try:
        told = _last(target, revision, timeout)
    finally:
        if facts is not None:
            print_json({**facts, "applied": to_facts(told) if told else None})
    if not told.done:
        raise _not_everywhere(told, timeout)
    note(f"applied: {_counts(told)}")


def _last(target: Target, revision: int, timeout: float) -> Told:
    """What was told last: `done`, unless `timeout` seconds went by before."""
    last = Told()

    async def work() -> None:
        nonlocal last
        with suppress(TimeoutError), _shown() as show:
            async with asyncio.timeout(timeout):
                async for last in _told(target, revision):
                    show(last)

    run(target, work())
    return last


def _not_everywhere(told: Told, timeout: float) -> CliError:
    """The end of a command that waited in vain: what it did holds all the same."""
    return CliError(
        ExitCode.TIMEOUT,
        f"it holds, but not every edge has told within {timeout:g} s that it applied it: "
        f"{_counts(told)}",
    )


def to_facts(told: Told) -> dict[str, Any]:
    """The form in JSON."""
    return {
        "replicas": told.replicas,
        "replicas_told": told.replicas_told,
        "edges": told.edges,
        "edges_applied": told.edges_applied,
        "done": told.done,
    }


async def _told(target: Target, revision: int) -> AsyncIterator[Told]:
    """What is told to the end, by another replica when one is stopped."""
    request = RevocationServiceWaitAppliedRequest(zone=target.zone, revision=revision)
    while True:
        try:
            async with connected(target) as channel:
                stub: Any = RevocationServiceStub(channel)
                async for told in stub.WaitApplied(request):
                    yield told
            return
        except grpc.aio.AioRpcError as error:
            refusal = from_rpc_error(error)
            if refusal is None or refusal.reason is not Reason.DRAINING:
                raise
        await asyncio.sleep(_PAUSE)


@contextmanager
def _shown() -> Iterator[Show]:
    """Shows what is told on a terminal, and nowhere else."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with _bar() as bar:
        task = bar.add_task("edges", total=None)
        yield lambda told: bar.update(
            task, total=told.edges, completed=told.edges_applied, description=_counts(told)
        )


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn()
    return Bar(*columns, console=console, transient=True)


def _counts(told: Told) -> str:
    return (
        f"{told.edges_applied} of {told.edges} edges, "
        f"{told.replicas_told} of {told.replicas} replicas told"
    )
