"""Examples as a user runs them: real processes, none of which may outlive its test."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SHOP = EXAMPLES / "shop"
CLI = (sys.executable, "-m", "caracal_grpc")

_MARK = "CARACAL_TEST_RUN"
_PATIENCE = 100
"""Seconds for one of them: less than a test has."""


class Run:
    """Starts processes in a folder of their own, and finds whatever they leave behind."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self._mark = uuid4().hex
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *command: str, **settings: str) -> subprocess.Popen[str]:
        """A running process; its stdout and stderr are pipes."""
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self._environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def run(self, *command: str, **settings: str) -> str:
        """What a process says on stdout; it must succeed."""
        process = self.start(*command, **settings)
        out, err = process.communicate(timeout=_PATIENCE)
        assert process.returncode == 0, err
        return out

    def alive(self) -> list[str]:
        """The command lines of all that descends from what was started and still runs."""
        return [_command_line(pid) for pid in self._descendants()]

    def soon_nothing_alive(self) -> bool:
        """Whether all of it is gone within a moment, which the kernel may need after a kill."""
        for _ in range(200):
            if not self._descendants():
                return True
            time.sleep(0.05)
        return False

    def end(self) -> None:
        """Ends what a failed test may have left, by its process id, and closes the pipes."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
        for pid in self._descendants():  # they may hold the pipes
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self._started:
            process.communicate()

    def _environment(self, settings: dict[str, str]) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if name != "CARACAL_PROFILE"},
            "TMPDIR": str(self.temporary),
            _MARK: self._mark,
            **settings,
        }

    def _descendants(self) -> list[int]:
        wanted = f"{_MARK}={self._mark}".encode()
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
        return [pid for pid in pids if wanted in _environment_of(pid)]


def line(process: subprocess.Popen[str]) -> str:
    """The next line that a process prints."""
    assert process.stdout is not None
    text = process.stdout.readline()
    assert text, process.stderr.read() if process.stderr else ""
    return text.rstrip("\n")


def _environment_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it ended meanwhile, or is another user's
        return []


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return f"process {pid}, which ended"
