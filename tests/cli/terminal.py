"""A command with somebody at its terminal: prompts are read, answers typed."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from tests.cli.support import PATIENCE, Ended, environment


class Terminal:
    """Runs a command whose stdin and stderr are a terminal; use it as a context.

    `shown` is all that the terminal has shown: prompts, and what is echoed of the answers.
    """

    def __init__(self, *arguments: str | Path, **more: str) -> None:
        self._ours, theirs = pty.openpty()
        self.shown = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "caracal_grpc", *map(str, arguments)],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            env=environment(**more),
            start_new_session=True,  # /dev/tty would be the terminal of whoever runs the tests
        )
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
        os.close(self._ours)

    def answer(self, prompt: str, line: str) -> None:
        """Types a line once the terminal shows `prompt`, after all that was answered before."""
        self._await(prompt)
        self.shown += "⏎"
        os.write(self._ours, f"{line}\n".encode())

    def end(self) -> Ended:
        """Waits for the end."""
        out, _ = self._process.communicate(timeout=PATIENCE)
        while self._ready(0):
            if not self._read():
                break
        return Ended(self._process.returncode, out, self.shown)

    def _await(self, prompt: str) -> None:
        end = time.monotonic() + PATIENCE
        while prompt not in self.shown.rpartition("⏎")[2]:
            assert time.monotonic() < end, self.shown
            if self._ready(0.1):
                assert self._read(), self.shown

    def _ready(self, seconds: float) -> bool:
        return bool(select.select([self._ours], [], [], seconds)[0])

    def _read(self) -> bool:
        try:
            data = os.read(self._ours, 65_536)
        except OSError:  # on Linux the end of the other side
            return False
        self.shown += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)
