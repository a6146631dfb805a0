"""Commands as real processes, and a running `dev` to point them at."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE = 60.0

MANIFEST = """\
zone: {zone}
applications:
  - name: agent
    labels: [batch, night]
  - name: orders
    labels: [backend]
    ceiling:
      - resource: resource://payments
        scopes: [payments:charge]
resources:
  - name: resource://orders
    scopes: [orders:place, orders:read]
  - name: resource://payments
    scopes: [payments:charge]
    max_ttl_seconds: 120
grants:
  - application: agent
    resource: resource://orders
    scopes: [orders:place]
  - application: orders
    resource: resource://payments
    scopes: [payments:charge]
    subjects: [agent]
  - application: agent
    resource: resource://caracal
    scopes: ["caracal:sessions:start", "caracal:sessions:read", "caracal:sessions:terminate"]
settings:
  max_hops: 4
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a process left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one line of stdout, parsed."""
        assert self.out.count("\n") == 1, (self.out, self.err)
        return json.loads(self.out)

    @property
    def line(self) -> str:
        """The one line of stderr, without the name of the program; never a traceback."""
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        assert self.err.startswith("caracal-grpc: "), self.err
        return self.err.removeprefix("caracal-grpc: ").rstrip("\n")


def environment(**more: str) -> dict[str, str]:
    """The environment of this process without settings and stored profiles of ours, and `more`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CARACAL_")}
    return {**kept, "XDG_CONFIG_HOME": "/nonexistent", **more}


def caracal(
    *arguments: str | Path, profile: Path | None = None, stdin: str = "", **more: str
) -> Ended:
    """Runs one command to its end, without a terminal; `more` goes into its environment."""
    if profile is not None:
        more["CARACAL_PROFILE"] = str(profile)
    done = subprocess.run(
        [sys.executable, "-m", "caracal_grpc", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment(**more),
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


class Running:
    """A command that serves until it is told to end; it is ready when it has printed a line."""

    def __init__(self, *arguments: str | Path, **more: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "caracal_grpc", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(**more),
        )
        self.first = ""
        self._await_start()

    def _await_start(self) -> None:
        watchdog = threading.Timer(PATIENCE, self._process.kill)
        watchdog.start()
        assert self._process.stdout is not None
        self.first = self._process.stdout.readline()
        watchdog.cancel()
        watchdog.join()
        if not self.first:
            raise AssertionError(self.end().err)

    @property
    def json(self) -> Any:
        """The line with which it said that it is ready."""
        return json.loads(self.first)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def children(self) -> list[int]:
        """The process ids of the processes that it has started."""
        listed = Path(f"/proc/{self._process.pid}/task").glob("*/children")
        return [int(pid) for file in listed for pid in file.read_text().split()]

    def send(self, number: int) -> None:
        """Sends the signal, and waits for nothing."""
        self._process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> Ended:
        """Sends the signal and waits for the end; again is no error."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        out, err = self._process.communicate(timeout=PATIENCE)
        return Ended(self._process.returncode, self.first + out, err)


class Dev(Running):
    """A running `dev`."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__("dev", "--data-dir", data_dir, "--port", "0", "--json")
        self.profile = Path(self.json["profile"])

    def run(self, *arguments: str | Path) -> Ended:
        """Runs one command as its operator."""
        return caracal(*arguments, profile=self.profile)


class HalfStarted(Running):
    """A command that has begun to start others and is not ready yet."""

    def _await_start(self) -> None:
        end = time.monotonic() + PATIENCE
        while not self.children():
            assert time.monotonic() < end
            assert self._process.poll() is None
            time.sleep(0.01)


class AtOnce(Running):
    """A command that may not even have begun."""

    def _await_start(self) -> None:
        """Waits for nothing."""


def is_alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
