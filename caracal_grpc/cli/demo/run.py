"""Runs the flows of the demo one after the other, and says what came of them."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc.aio

from caracal_grpc.cli.demo.allowed import success
from caracal_grpc.cli.demo.delegated import delegated
from caracal_grpc.cli.demo.denied import denied
from caracal_grpc.cli.demo.flow import Flow, failed, refused
from caracal_grpc.cli.demo.record import Record, Verdict
from caracal_grpc.cli.demo.revoked import revoked
from caracal_grpc.cli.demo.rotated import rotated
from caracal_grpc.cli.demo.stage import Stage, staged
from caracal_grpc.cli.demo.step_up import step_up
from caracal_grpc.cli.demo.story import PLAIN, Story, Told, console
from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.cli.terminal.output import print_json

Show = Callable[[Stage, Flow], Awaitable[None]]

_FLOWS: Final[tuple[Show, ...]] = (
    success,
    denied,
    step_up,
    delegated,
    revoked,
    rotated,
)


@dataclass(frozen=True, slots=True)
class Play:
    """What is shown: on which stage, in which order, and in which words."""

    stage: Callable[[Path], AbstractAsyncContextManager[Stage]]
    flows: tuple[Show, ...]
    told: Told


def run(as_json: bool, mesh: bool = False) -> None:
    """Shows everything; raises `CliError` naming each flow that did not behave."""
    play = _mesh() if mesh else Play(staged, _FLOWS, PLAIN)
    story = Story(None if as_json else console(), play.told)
    # All is on this machine, and gRPC would send even that to a proxy of the environment.
    os.environ["no_grpc_proxy"] = "127.0.0.1"  # noqa: SIM112 - gRPC reads it in lower case
    try:
        flows, verdict = asyncio.run(_shown(play, story))
    except (asyncio.CancelledError, KeyboardInterrupt):
        raise CliError(ExitCode.INTERRUPTED, "interrupted") from None
    except grpc.aio.AioRpcError as error:
        said = f"{refused(error).text}: {error.details()}"
        raise CliError(ExitCode.FAULT, f"a call outside the flows failed: {said}") from error
    if as_json:
        print_json({"flows": [flow.view() for flow in flows], "ledger": verdict.view()})
    problems = failed(flows)
    if not verdict.verified:
        problems.append("the ledger does not verify")
    if problems:
        raise CliError(ExitCode.FAULT, *problems)


def _mesh() -> Play:
    """The play through Envoys; raises `CliError` saying what is not installed for it."""
    from caracal_grpc.cli.demo.mesh import needs

    needs.require()
    from caracal_grpc.cli.demo.mesh.play import FLOWS, staged_mesh
    from caracal_grpc.cli.demo.mesh.story import MESH

    return Play(staged_mesh, FLOWS, MESH)


async def _shown(play: Play, story: Story) -> tuple[list[Flow], Verdict]:
    """Everything in a folder of its own, of which nothing is left."""
    _stop_on(signal.SIGTERM)
    began = time.monotonic()
    story.begin()
    with tempfile.TemporaryDirectory(prefix="caracal-demo-") as folder:
        async with play.stage(Path(folder)) as stage:
            story.introduce(stage.names)
            record = await Record.kept(stage)
            flows = [await _flow(stage, story, each) for each in enumerate(play.flows, 1)]
            verdict = await _recorded(record, story, flows)
    ok = verdict.verified and not failed(flows)
    story.end(time.monotonic() - began, ok=ok)
    return flows, verdict


def _stop_on(number: int) -> None:
    """Turns a signal into the cancellation of the whole demo, which cleans up."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


async def _flow(stage: Stage, story: Story, numbered: tuple[int, Any]) -> Flow:
    """One flow. A call that fails where it must not makes it one that did not behave."""
    number, show = numbered
    flow = Flow(show.__name__)
    story.chapter(number, flow.name)
    began = time.monotonic()
    try:
        await show(stage, flow)
    except grpc.aio.AioRpcError as error:
        broken = refused(error)
        flow.ended(broken)
        flow.recorded("the call that failed", broken.audit_id)
        flow.expect(f"a call failed: {broken.text}", False)
    except TimeoutError:
        flow.expect("an answer came in time", False)
    flow.elapsed_ms = 1000 * (time.monotonic() - began)
    story.outcome(flow)
    return flow


async def _recorded(record: Record, story: Story, flows: list[Flow]) -> Verdict:
    """Explains each decision from the ledger, and verifies the ledger."""
    story.records(len(flows) + 1)
    for flow in flows:
        for about, audit_id in flow.entries.items():
            story.explained(about, await record.explain(audit_id))
    verdict = await record.verify()
    story.verdict(verdict)
    return verdict
