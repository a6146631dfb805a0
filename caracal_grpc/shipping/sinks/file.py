"""Lines in a file of mode 0600, rotated by size and by time, durable before a batch counts.

A process that died while it wrote leaves a torn last line; it is cut off, and its record comes
again. A file that somebody else moved away or deleted is noticed before each batch: the lines go
into a new one under the name.
"""

from __future__ import annotations

import asyncio
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from caracal_grpc.settings.receivers import FileSink
from caracal_grpc.shipping.port import Batch, Format, SinkRefusedError, SinkUnavailableError
from caracal_grpc.shipping.sinks.rotation import rotate, sync_folder

_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_CHUNK: Final = 65_536


class FileDelivery:
    """The sink of one file. `now` gives seconds since the Unix epoch."""

    def __init__(
        self, settings: FileSink, form: Format, now: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._path = settings.path
        self._form = form
        self._now = now
        self._descriptor: int | None = None
        self._lock = threading.Lock()

    async def open(self) -> None:
        """Opens or makes the file."""
        await asyncio.to_thread(self._guarded, self._reopen)

    async def send(self, batch: Batch) -> None:
        """Returns when the lines are on the disk."""
        await asyncio.to_thread(self._guarded, lambda: self._write(batch))

    async def close(self) -> None:
        """Closes the file."""
        await asyncio.to_thread(self._guarded, self._close)

    def _guarded(self, work: Callable[[], object]) -> None:
        with self._lock:  # a write that was given up may still be under way when all is closed
            try:
                work()
            except BaseException as error:
                self._close()
                if isinstance(error, OSError):
                    why = f"{self._path} cannot be written: {error.strerror}"
                    raise SinkUnavailableError(why) from error
                raise

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _reopen(self) -> int:
        """The descriptor of the file that has the name now, its torn end cut off."""
        if self._descriptor is not None and self._is_ours(self._descriptor):
            return self._descriptor
        self._close()
        descriptor = os.open(self._path, _FLAGS, 0o600)
        self._descriptor = descriptor
        self._require_private(os.fstat(descriptor))
        _cut_torn_end(descriptor)
        sync_folder(self._path.parent)
        return descriptor

    def _is_ours(self, descriptor: int) -> bool:
        try:
            there = self._path.stat(follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(descriptor))

    def _require_private(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise SinkRefusedError(f"{self._path} must be a regular file")
        if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            shown = f"{stat.S_IMODE(found.st_mode):04o}"
            raise SinkRefusedError(f"{self._path} has mode {shown} and must have 0600")

    def _write(self, batch: Batch) -> None:
        descriptor = self._reopen()
        lines = (self._form.line(record) + b"\n" for record in batch)
        for piece in self._pieces(lines, os.fstat(descriptor)):
            if piece is None:
                os.fsync(descriptor)
                rotate(self._path, self._settings.keep)
                descriptor = self._reopen()
            else:
                _append(descriptor, piece)
        os.fsync(descriptor)

    def _pieces(self, lines: Iterator[bytes], found: os.stat_result) -> Iterator[bytes | None]:
        """What goes into the file that there is; after a `None`, into the next one."""
        if found.st_size and self._is_of_another_period(found.st_mtime):
            yield None
            size = 0
        else:
            size = found.st_size
        piece = bytearray()
        for line in lines:
            if size + len(piece) and size + len(piece) + len(line) > self._settings.max_bytes:
                if piece:
                    yield bytes(piece)
                yield None
                size, piece = 0, bytearray()
            piece += line
        yield bytes(piece)

    def _is_of_another_period(self, written: float) -> bool:
        period = self._settings.max_seconds
        return period is not None and written // period != self._now() // period


def _append(descriptor: int, data: bytes) -> None:
    """Appends all of `data`; raises `OSError`, and then the file is as it was before."""
    before = os.fstat(descriptor).st_size
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError:
        with suppress(OSError):  # then the torn end is cut off when the file is opened again
            os.ftruncate(descriptor, before)
        raise


def _cut_torn_end(descriptor: int) -> None:
    """Takes away what stands behind the last line end."""
    size = end = os.fstat(descriptor).st_size
    while end:
        start = max(0, end - _CHUNK)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        os.ftruncate(descriptor, end)
        os.fsync(descriptor)
