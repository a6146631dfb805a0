"""How far a sink is: one small file of mode 0600 a sink, replaced as a whole.

The file is written after a batch is durable at the receiver. A process, or a machine, that dies
before it is sends the batch again: at least once, in order, under the same names.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.crypto.secret_file import read_secret_file, write_secret_file

VERSION: Final = 1
STATE_DIR: Final = "state_dir"
"""The setting that names the folder."""

_MEMBERS: Final = {"next", "id", "read"}


@dataclass(frozen=True, slots=True)
class Place:
    """How far a sink is in a zone.

    `next` is the index of the first entry that it has not got, `id` that of the one before it, and
    `read` how many entries of the zone are known to hold nothing more for it.
    """

    next: int = 0
    id: str = ""
    read: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sink is in each zone, and why it stopped, if it did."""

    zones: Mapping[str, Place] = field(default_factory=dict)
    stopped: str = ""

    @classmethod
    def parse(cls, text: str) -> Progress:
        """What a file says; raises `ValueError` for one that is no such file."""
        said = json.loads(text)
        if not isinstance(said, dict) or said.get("version") != VERSION:
            raise ValueError("is of another version")
        zones, stopped = said.get("zones"), said.get("stopped")
        if isinstance(zones, dict) and isinstance(stopped, str):
            return cls({zone: _place(place) for zone, place in zones.items()}, stopped)
        raise ValueError("lacks zones or stopped")

    def text(self) -> str:
        """The file."""
        zones = {zone: asdict(place) for zone, place in self.zones.items()}
        return json.dumps({"version": VERSION, "zones": zones, "stopped": self.stopped}) + "\n"


def read_progress(folder: Path, sink: str) -> Progress:
    """How far `sink` is, as its file in `folder` says; nowhere without one.

    Raises `FIELD_INVALID` for a file that cannot be read or is not private.
    """
    file = _file(folder, sink)
    if not file.exists():
        return Progress()
    try:
        return Progress.parse(read_secret_file(file))
    except CaracalError as error:
        raise field_invalid(STATE_DIR, error.violations[0].description) from error
    except (ValueError, RecursionError) as error:
        text = f"{file} is no cursor of this release; delete it, and the sink begins anew"
        raise field_invalid(STATE_DIR, text) from error


class Cursors:
    """The file of one sink, which this process alone writes. Blocks on the disk."""

    def __init__(self, folder: Path, sink: str, lock: int) -> None:
        self._file = _file(folder, sink)
        self._lock = lock
        try:
            self._progress = read_progress(folder, sink)
            for left in folder.glob(f".{self._file.name}.*"):
                left.unlink(missing_ok=True)  # of a process that was killed while it wrote
        except BaseException:
            self.close()
            raise

    @classmethod
    def open(cls, folder: Path, sink: str) -> Cursors:
        """Takes the file of `sink` in `folder`, which is made if it is not there.

        Raises `FIELD_INVALID`: another process has it, or folder or file are not as they must be.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _require_private(folder)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            lock = os.open(folder / f"{sink}.lock", flags, 0o600)
        except OSError as error:
            text = f"{folder} cannot be used: {error.strerror}"
            raise field_invalid(STATE_DIR, text) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            text = f"{folder} is in use: another process ships to the sink {sink}"
            raise field_invalid(STATE_DIR, text) from error
        return cls(folder, sink, lock)

    def place(self, zone: str) -> Place | None:
        """How far the sink is in `zone`; `None` when it never got anything of it."""
        return self._progress.zones.get(zone)

    def move(self, zone: str, place: Place) -> None:
        """Notes how far it is, durable before it returns; raises `FIELD_INVALID` when it cannot."""
        self._write(Progress({**self._progress.zones, zone: place}, self._progress.stopped))

    def stopped(self, why: str) -> None:
        """Notes why it stopped, or with nothing that it goes on; raises as `move` does."""
        if why != self._progress.stopped:
            self._write(Progress(self._progress.zones, why))

    def close(self) -> None:
        """Lets another process have it; again is no error."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def _write(self, progress: Progress) -> None:
        write_secret_file(self._file, progress.text())
        self._progress = progress


def _file(folder: Path, sink: str) -> Path:
    return folder / f"{sink}.json"


def _require_private(folder: Path) -> None:
    if folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise field_invalid(STATE_DIR, f"{folder} can be written by others; run: chmod 700 it")


def _place(said: Any) -> Place:
    if not isinstance(said, dict) or said.keys() != _MEMBERS:
        raise ValueError("holds a place that is none")
    place = Place(**said)
    numbers = all(type(each) is int and each >= 0 for each in (place.next, place.read))
    if numbers and isinstance(place.id, str):
        return place
    raise ValueError("holds a place that is none")
