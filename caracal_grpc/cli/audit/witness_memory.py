"""What a witness remembers of each log between two rounds, and across its own restarts.

It is on the disk before a cosignature leaves, so that a crash never makes it cosign a smaller or
another tree. Who forgets would cosign a fork.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from caracal_grpc.cli.errors import CliError, ExitCode, usage
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.crypto.secret_file import read_secret_file, write_secret_file

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Remembered:
    """The newest checkpoint that was seen of a log, and the verifier key of that log.

    `fork` are the files with the evidence, when it contradicted itself.
    """

    verifier_key: str
    note: str
    fork: tuple[str, ...] = ()


class Memory:
    """The file of one witness, a log a zone. Use it while `opened`, which nobody else then can."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._logs = _read(path)

    def of(self, zone: str) -> Remembered | None:
        """What is remembered of the log of `zone`."""
        return self._logs.get(zone)

    def keep(self, zone: str, remembered: Remembered | None) -> None:
        """Remembers that, durably, or forgets the log; raises `CliError`."""
        logs = {name: each for name, each in self._logs.items() if name != zone}
        self._logs = logs if remembered is None else {**logs, zone: remembered}
        written = {name: asdict(each) for name, each in self._logs.items()}
        _write(self.path, json.dumps({"v": VERSION, "logs": written}) + "\n")

    def keep_evidence(self, zone: str, earlier: str, later: str) -> tuple[str, ...]:
        """Writes two notes that contradict each other to files of their own; their names."""
        number = 1
        while self._evidence(zone, number, "earlier").exists():
            number += 1
        files = [self._evidence(zone, number, which) for which in ("earlier", "later")]
        for file, note in zip(files, (earlier, later), strict=True):
            _write(file, note)
        return tuple(map(str, files))

    def _evidence(self, zone: str, number: int, which: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{zone}.fork-{number}.{which}.note")


@contextmanager
def opened(path: Path) -> Iterator[Memory]:
    """The memory in `path`, for this process alone; raises `CliError`."""
    try:
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise usage(f"--state {path} cannot be kept there: {exc.strerror}") from exc
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield Memory(path)
    except BlockingIOError as exc:
        raise CliError(
            ExitCode.STATE,
            f"another witness runs with --state {path}; stop it, or use another file",
        ) from exc
    finally:
        os.close(descriptor)


def _read(path: Path) -> dict[str, Remembered]:
    if not path.exists():
        return {}
    unfit = f"--state {path} is not what a witness wrote; restore it: who forgets cosigns forks"
    try:
        value = json.loads(read_secret_file(path))
        if value["v"] != VERSION:
            raise usage(unfit)
        return {zone: _parsed(each) for zone, each in value["logs"].items()}
    except CaracalError as exc:
        raise usage(exc.message) from exc
    except (ValueError, LookupError, TypeError, AttributeError) as exc:
        raise usage(unfit) from exc


def _parsed(value: dict[str, Any]) -> Remembered:
    return Remembered(str(value["verifier_key"]), str(value["note"]), tuple(value["fork"]))


def _write(path: Path, text: str) -> None:
    """Durably: the file, and that it has this name."""
    try:
        write_secret_file(path, text)
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except CaracalError as exc:
        raise usage(exc.message) from exc
    except OSError as exc:
        raise usage(f"{path} cannot be written: {exc.strerror}") from exc
