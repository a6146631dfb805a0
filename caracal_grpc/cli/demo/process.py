"""A service of the shop as a process of its own, which ends when this one does."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.store import embedded

_LAUNCHER: Final = Path(embedded.__file__).with_name("etcd_launcher.py")
"""Binds any process to the life of its parent, not only etcd."""

_PATIENCE: Final = 30.0
_GRACE: Final = 5.0
_TAIL: Final = 400


@asynccontextmanager
async def running(script: Path, settings: Mapping[str, str], log: Path) -> AsyncIterator[str]:
    """The address at which the service `script` serves, as it prints it on its first line.

    `settings` are added to its environment; what it says on stderr goes to `log`. Raises `CliError`
    when it ends or says nothing for too long.
    """
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", str(_LAUNCHER), str(os.getpid())),
            *(sys.executable, str(script)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=said,
            env={**os.environ, **settings},
            start_new_session=True,  # Ctrl-C is ours to turn into a stop
        )
    try:
        yield await _address(process, script, log)
    finally:
        await _stop(process)


def last_words(log: Path) -> str:
    """The last line of a log, for a message that outlives it."""
    said = log.read_bytes()[-_TAIL:].decode(errors="replace").strip().splitlines()
    return said[-1] if said else "nothing"


async def _address(process: Process, script: Path, log: Path) -> str:
    if process.stdout is None:
        raise _failure(script, log)
    try:
        async with asyncio.timeout(_PATIENCE):
            line = await process.stdout.readline()
    except TimeoutError:
        raise _failure(script, log) from None
    if not line.strip():
        raise _failure(script, log)
    return line.decode().split()[-1]


def _failure(script: Path, log: Path) -> CliError:
    text = f"{script.name} does not serve; the last that it said: {last_words(log)}"
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
