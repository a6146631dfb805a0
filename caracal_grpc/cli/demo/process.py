"""A part of the demo as a process of its own, which ends when this one does."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Final

from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.store import embedded

_LAUNCHER: Final = Path(embedded.__file__).with_name("etcd_launcher.py")
"""Binds any process to the life of its parent, not only etcd."""

PATIENCE: Final = 30.0
"""Seconds in which each part has to start."""

_GRACE: Final = 5.0
_TAIL: Final = 400


@asynccontextmanager
async def running(script: Path, settings: Mapping[str, str], log: Path) -> AsyncIterator[str]:
    """The address at which the service `script` serves, as it prints it on its first line.

    `settings` are added to its environment; what it says on stderr goes to `log`. Raises `CliError`
    when it ends or says nothing for too long.
    """
    async with started((sys.executable, str(script)), settings, log) as process:
        yield (await first_line(process, script.name, log)).split()[-1]


@asynccontextmanager
async def started(
    command: Sequence[str], settings: Mapping[str, str], log: Path, out: IO[bytes] | int = PIPE
) -> AsyncIterator[Process]:
    """A process until the end of the block."""
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", str(_LAUNCHER), str(os.getpid())),
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=said,
            env={**os.environ, **settings},
            start_new_session=True,  # Ctrl-C is ours to turn into a stop
        )
    try:
        yield process
    finally:
        await _stop(process)


async def first_line(process: Process, name: str, log: Path) -> str:
    """What it says first; raises `CliError` when it ends or says nothing for too long."""
    if process.stdout is None:
        raise failure(name, log)
    try:
        async with asyncio.timeout(PATIENCE):
            line = await process.stdout.readline()
    except TimeoutError:
        raise failure(name, log) from None
    if not line.strip():
        raise failure(name, log)
    return line.decode()


def last_words(log: Path) -> str:
    """The last line of a log, for a message that outlives it."""
    said = log.read_bytes()[-_TAIL:].decode(errors="replace").strip().splitlines()
    return said[-1] if said else "nothing"


def failure(name: str, log: Path) -> CliError:
    """What is raised for a part that does not start."""
    text = f"{name} does not serve; the last that it said: {last_words(log)}"
    return CliError(ExitCode.FAULT, text)


async def _stop(process: Process) -> None:
    """Lets it finish what it has accepted, and ends it when that takes too long."""
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(_GRACE):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
