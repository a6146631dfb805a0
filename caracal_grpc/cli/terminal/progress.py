"""Waiting until every edge has applied a revision, and showing how far it is meanwhile."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
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
_BRIEF: Final = 1.0
"""Seconds for which a revocation is held back at most, to know how many edges it cuts off."""


def connected_edges(target: Target) -> int:
    """How many edges are connected, as far as replicas tell within a second."""
    told = Told()
    with suppress(CliError):
        told = _last(target, _told(target, 1), _BRIEF, lambda t: t.replicas_told == t.replicas)
    return told.edges


def wait_applied(
    target: Target, revision: int, timeout: float, facts: dict[str, Any] | None, edges: int = 0
) -> None:
    """Returns when every edge, and `edges` at least, have applied `revision`; raises `CliError`
    after `timeout` seconds.

    People see the progress on a terminal, and one line on stderr in the end. Programs get `facts`
    with what was told last, whatever it was: what they tell of holds all the same.
    """
    told = None
    try:
        told = _last(target, _told(target, revision, edges), timeout, lambda t: t.done)
    finally:
        if facts is not None:
            print_json({**facts, "applied": to_facts(told) if told else None})
    if not told.done:
        raise _not_everywhere(told, timeout)
    note(f"applied: {_counts(told)}")


def _last(
    target: Target, told: AsyncGenerator[Told, None], timeout: float, enough: Callable[[Told], bool]
) -> Told:
    """What was told last: `enough`, unless `timeout` seconds went by before."""
    last = Told()

    async def work() -> None:
        nonlocal last
        with suppress(TimeoutError), _shown() as show:
            async with asyncio.timeout(timeout), aclosing(told):
                async for last in told:
                    show(last)
                    if enough(last):
                        return

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


async def _told(target: Target, revision: int, edges: int = 0) -> AsyncGenerator[Told, None]:
    """What is told again and again, by another replica when one is stopped.

    It counts `edges` at least: who was cut off has not applied it before it comes back.
    """
    request = RevocationServiceWaitAppliedRequest(zone=target.zone, revision=revision)
    while True:
        try:
            async with connected(target) as channel:
                stub: Any = RevocationServiceStub(channel)
                async for told in stub.WaitApplied(request):
                    told.edges = max(told.edges, edges)
                    told.done = told.done and told.edges_applied == told.edges
                    yield told
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
