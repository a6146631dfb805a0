"""Decisions in a file, one JSON object a line, oldest first, while the authority is away.

The file is its owner's alone and one edge's alone. It holds ids and names, never a token. A process
that dies while it writes leaves a torn last line, which is cut off; one that dies before it noted a
delivery delivers again, which the ledger takes once.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Final

from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.interceptors.records.recording import MAX_LINE

_FIELD: Final = "record.spill"
_CHUNK: Final = 1 << 20
_FLAGS: Final = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


class SpillFile:
    """An open spill file; one thread at a time. `lost` counts lines that nobody can read.

    `owner` says whose edge it is; what another one left behind is not reported as its own.
    """

    def __init__(self, descriptor: int, limit: int, owner: str) -> None:
        self.lost = 0
        self.waiting = 0
        """Decisions in the file that are not delivered, as far as they were counted."""
        self._descriptor = descriptor
        self._limit = limit
        self._owner = owner
        self._start = 0
        self._end = 0

    @classmethod
    def open(cls, path: str | os.PathLike[str], limit: int, owner: str) -> SpillFile:
        """Opens or makes the file at `path`; raises `FIELD_INVALID` with what is wrong with it."""
        name = os.fspath(path)
        try:
            descriptor = _open(name)
        except (OSError, ValueError) as exc:
            text = f"{name} cannot be opened; check the path, its folder and its owner"
            raise field_invalid(_FIELD, text) from exc
        try:
            _require_private(name, os.fstat(descriptor))
            _lock(name, descriptor)
            file = cls(descriptor, limit, owner)
            file._look(name)
        except BaseException:
            os.close(descriptor)
            raise
        return file

    def append(self, decisions: Iterable[EdgeDecision]) -> list[int]:
        """Adds as many of `decisions` as there is room for; the size of each that was added.

        Raises `OSError`, and then none was added.
        """
        if self._start >= self._end - self._start:
            self._make_room()
        room, lines = self._limit - self._end, []
        for decision in decisions:
            line = self._line(decision)
            if len(line) > room:
                break
            lines.append(line)
            room -= len(line)
        try:
            _write(self._descriptor, b"".join(lines), self._end)
            os.fsync(self._descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._end)
            raise
        self._end = self._limit - room
        self.waiting += len(lines)
        return list(map(len, lines))

    def read(self, count: int) -> tuple[list[EdgeDecision], int]:
        """The oldest decisions, at most `count`, and the bytes to be forgotten with them."""
        data = os.pread(self._descriptor, min(_CHUNK, self._end - self._start), self._start)
        whole = data[: data.rfind(b"\n") + 1]
        if not whole:  # no line of ours is as long
            self.lost += bool(data)
            return [], len(data)
        lines = whole.splitlines(keepends=True)[:count]
        found = [self._parse(line) for line in lines]
        self.lost += found.count(None)
        return [each for each in found if each is not None], sum(map(len, lines))

    def forget(self, size: int, count: int) -> None:
        """Takes the oldest `size` bytes, which held `count` decisions, for delivered."""
        self._start += size
        self.waiting = max(0, self.waiting - count)
        if self._start >= self._end:
            self._start = self._end = self.waiting = 0
            os.ftruncate(self._descriptor, 0)

    @property
    def empty(self) -> bool:
        """Whether everything in it was delivered."""
        return self._start >= self._end

    def close(self) -> None:
        """Lets another process have it, with what is not delivered."""
        with suppress(OSError):
            self._make_room()
        os.close(self._descriptor)

    def _look(self, name: str) -> None:
        """Takes in what an earlier process left: counts it, and cuts off a line it never ended."""
        at = 0
        while chunk := os.pread(self._descriptor, _CHUNK, at):
            self.waiting += chunk.count(b"\n")
            self._end = at + chunk.rfind(b"\n") + 1 if b"\n" in chunk else self._end
            at += len(chunk)
        if self._end < at:
            os.ftruncate(self._descriptor, self._end)
            self.lost += 1
        first = os.pread(self._descriptor, MAX_LINE, 0).partition(b"\n")[0]
        if first and _owner_of(first) not in {self._owner, None}:
            text = f"{name} holds decisions of another edge; deliver them with its profile first"
            raise field_invalid(_FIELD, text)

    def _make_room(self) -> None:
        """Moves what waits to the front. Should the process die meanwhile, some is there twice."""
        size = self._end - self._start
        if not self._start:
            return
        for offset in range(0, size, _CHUNK):
            chunk = os.pread(self._descriptor, min(_CHUNK, size - offset), self._start + offset)
            _write(self._descriptor, chunk, offset)
        os.fsync(self._descriptor)
        os.ftruncate(self._descriptor, size)
        self._start, self._end = 0, size

    def _line(self, decision: EdgeDecision) -> bytes:
        said = {name: value for name, value in asdict(decision).items() if value != ""}
        return json.dumps({"edge": self._owner, **said}, ensure_ascii=False).encode() + b"\n"

    def _parse(self, line: bytes) -> EdgeDecision | None:
        try:
            said: dict[str, Any] = json.loads(line)
            if len(line) > MAX_LINE or said.pop("edge") != self._owner:
                return None
            decision = EdgeDecision(**said)
            decision.require("line")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, CaracalError):
            return None
        return decision


def _open(name: str) -> int:
    try:
        return os.open(name, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(name, _FLAGS | getattr(os, "O_NONBLOCK", 0))


def _require_private(name: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise field_invalid(_FIELD, f"{name} must be a regular file")
    if found.st_uid != os.geteuid():
        raise field_invalid(_FIELD, f"{name} must belong to the user of this process")
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        shown = f"{stat.S_IMODE(found.st_mode):04o}"
        raise field_invalid(_FIELD, f"{name} has mode {shown} and must have 0600")


def _lock(name: str, descriptor: int) -> None:
    import fcntl  # where there is none there can be edges, but no spill file

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        text = f"{name} is in use by another edge; give each process a file of its own"
        raise field_invalid(_FIELD, text) from exc


def _write(descriptor: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, at)
        view, at = view[written:], at + written


def _owner_of(line: bytes) -> str | None:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    owner = said.get("edge") if isinstance(said, dict) else None
    return owner if isinstance(owner, str) else None
