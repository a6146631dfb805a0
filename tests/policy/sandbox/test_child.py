"""The process: what it may do, and that it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.sandbox import frames
from caracal_grpc.policy.sandbox.cell import Cell
from caracal_grpc.policy.sandbox.engine import SandboxEngine, _content
from caracal_grpc.policy.sandbox.limits import Limits
from caracal_grpc.policy.sandbox.pool import Pool
from caracal_grpc.policy.sandbox.process import Child
from tests.policy.sandbox.policies import HONEST, SLOW, bundle, children, loaded, question
from tests.support.clock import FakeClock
from tests.support.refusals import refused


def text(pid: int, name: str) -> str:
    """What the kernel says of a process."""
    return Path(f"/proc/{pid}/{name}").read_text()


async def ended(pid: int) -> None:
    """Returns when the process is gone."""
    async with asyncio.timeout(20):
        while Path(f"/proc/{pid}").exists() and ") Z " not in text(pid, "stat"):
            await asyncio.sleep(0.01)


async def test_child_is_confined(
    monkeypatch: pytest.MonkeyPatch, sandbox: SandboxEngine, limits: Limits
) -> None:
    """Bounded memory, no core, nothing to write, open or start; nothing of our environment."""
    monkeypatch.setenv("CARACAL_KEK_FILE", "/secret")
    monkeypatch.setenv("A_PASSWORD", "hunter2")
    before = children()
    policy = await sandbox.compile(bundle(HONEST))
    (pid,) = children() - before
    rows = text(pid, "limits").splitlines()[1:]
    lines = {row[:25].strip(): row[25:].split()[:2] for row in rows}
    assert lines["Max address space"] == [str(limits.memory)] * 2
    assert lines["Max core file size"] == lines["Max file size"] == ["0", "0"]
    assert lines["Max open files"] == lines["Max processes"] == ["0", "0"]
    names = {entry.partition("=")[0] for entry in text(pid, "environ").split("\0")}
    assert names <= {"PYTHONPATH", "PYTHONUTF8", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", ""}
    assert (await policy.decide(question())).outcome == "allow"
    await policy.close()
    assert children() == before


async def test_child_that_is_killed_is_replaced(sandbox: SandboxEngine, clock: FakeClock) -> None:
    """POLICY_FAILED for whoever asks next, and an answer after the pause."""
    before = children()
    policy = await sandbox.compile(bundle(HONEST))
    (pid,) = children() - before
    os.kill(pid, signal.SIGKILL)
    await ended(pid)
    with refused(Reason.POLICY_FAILED):
        await policy.decide(question())
    clock.advance(1)
    assert (await policy.decide(question())).outcome == "allow"


async def test_closed_policy_fails_and_leaves_nothing(sandbox: SandboxEngine) -> None:
    """Those who wait are refused, whoever asks later too, and closing twice is closing once."""
    before = children()
    policy = await sandbox.compile(bundle(SLOW))
    waiting = [asyncio.create_task(policy.decide(each)) for each in (loaded(), question())]
    await asyncio.sleep(0)
    await policy.close()
    await policy.close()
    for each in (*waiting, asyncio.create_task(policy.decide(question()))):
        with refused(Reason.POLICY_FAILED):
            await each
    assert children() == before


async def test_whoever_gives_up_harms_nobody(sandbox: SandboxEngine) -> None:
    """Hanging up neither ends the child nor mixes up the answers of others."""
    policy = await sandbox.compile(bundle(HONEST))
    given_up = asyncio.create_task(policy.decide(question()))
    await asyncio.sleep(0)
    before = children()
    given_up.cancel()
    elsewhere = question().replace('"acme"', '"other"')
    answers = await asyncio.gather(policy.decide(elsewhere), policy.decide(question()))
    assert [each.outcome for each in answers] == ["deny", "allow"]
    assert children() == before


async def test_there_are_so_many_children_at_most(limits: Limits, clock: FakeClock) -> None:
    """The one that was idle for longest gives way, and comes back when it is asked."""
    engine = SandboxEngine("regorus", replace(limits, children=2), clock.monotonic)
    before = children()
    policies = [await engine.compile(bundle(f"{HONEST}\n# {n}\n")) for n in range(4)]
    for policy in (*policies, *policies):
        assert (await policy.decide(question())).outcome == "allow"
        assert len(children() - before) <= 2
    await engine.close()
    assert children() == before


async def test_children_that_nobody_asks_end(sandbox: SandboxEngine, clock: FakeClock) -> None:
    """And come back when they are asked."""
    before = children()
    policy = await sandbox.compile(bundle(HONEST))
    clock.advance(sandbox._limits.idle + 1)
    await sandbox._pool.sweep()
    assert children() == before
    assert (await policy.decide(question())).outcome == "allow"


ORPHANED = """
import asyncio, os, sys
from caracal_grpc.policy.sandbox.cell import Cell
from caracal_grpc.policy.sandbox.engine import SandboxEngine
from caracal_grpc.policy.sandbox.limits import Limits
from tests.policy.sandbox.policies import HONEST, SLOW, bundle, loaded, children
import time

async def main():
    engine = SandboxEngine("regorus", Limits(answer=1.0), time.monotonic)
    idle, busy = [await engine.compile(bundle(each)) for each in (HONEST, SLOW)]
    asking = asyncio.create_task(busy.decide(loaded()))
    await asyncio.sleep(0.2)
    print(*children(), flush=True)
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


async def test_nothing_outlives_an_authority_that_is_killed() -> None:
    """Neither a child that waits nor one that evaluates."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ORPHANED, stdout=asyncio.subprocess.PIPE, cwd=Path.cwd()
    )
    output, _ = await process.communicate()
    pids = [int(pid) for pid in output.split()]
    assert (process.returncode, len(pids)) == (-signal.SIGKILL, 2)
    for pid in pids:
        await ended(pid)


async def test_a_starved_child_gets_its_time(limits: Limits) -> None:
    """What counts is what it used of the processor: stopped for longer, it still answers."""
    child = await Child.start("regorus", limits)
    await child.ask(frames.COMPILE, _content("regorus", bundle(HONEST), {}), 20.0)
    os.kill(child.pid, signal.SIGSTOP)
    asking = asyncio.create_task(child.ask(frames.DECIDE, question().encode(), 0.05))
    await asyncio.sleep(0.2)
    os.kill(child.pid, signal.SIGCONT)
    assert (await asking)["decision"] == "allow"
    await child.kill()


async def test_a_child_that_cannot_be_started_is_a_refusal(
    limits: Limits, clock: FakeClock
) -> None:
    """For whoever asks, and for whoever asks then; none of them waits for ever."""
    pool = Pool("no\0name", limits, clock.monotonic)
    cell = Cell(pool, "odd", b"{}")
    async with asyncio.timeout(20):
        for _ in range(2):
            with refused(Reason.POLICY_FAILED):
                await cell.ready()
    await cell.close()
    await pool.close()
