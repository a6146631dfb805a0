"""The SQLite engine: one file of mode 0600, one process, durable at each commit.

WAL with `synchronous=FULL` syncs the log at every commit and lets readers work beside the writer.
A tree has one writer, so a lock file beside the ledger keeps a second process out; SQLite's own
exclusive mode would keep our readers out too. The kernel frees the lock when a process dies.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.ledger.port import unavailable

BUSY_SECONDS: Final = 2.0
"""How long a statement waits for a lock that another program holds on the file."""

READERS: Final = 2

_SCRUBS: Final = 3
"""Times that the log is tried to be emptied, each for as long as a statement waits."""

_PRAGMAS: Final = (
    # Of a new file: three exchanges to a page, where one of 4 KiB has room for one and a half.
    "PRAGMA page_size=8192",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA journal_size_limit=67108864",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA secure_delete=ON",
)


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """An opened ledger file: the engine that writes, the one that reads, and the lock."""

    writer: Engine
    reader: Engine
    lock: int

    @property
    def readers(self) -> int:
        """How many connections read."""
        return READERS

    def free_bytes(self) -> int:
        """Bytes that are left on its disk for who is not root; raises `OSError`."""
        disk = os.fstatvfs(self.lock)
        return disk.f_bavail * disk.f_frsize

    def cut_hung(self) -> None:
        """Nothing: a file has no connection that could be lost."""

    def keep_up(self) -> None:
        """Nothing: the entries are in one table."""

    @property
    def shared(self) -> bool:
        """Nobody else writes, by the lock."""
        return False

    def scrub(self) -> None:
        """Empties the log, which has pages as they were; raises `OSError` while a reader needs it.

        What a page no longer holds is overwritten there (`secure_delete`).
        """
        connection = self.writer.raw_connection()
        try:
            for _ in range(_SCRUBS):
                cursor = connection.cursor()
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                busy, *_ = cursor.fetchone() or (1,)
                if not busy:
                    return
        finally:
            connection.close()
        raise OSError("the log of the ledger is still read")

    def close(self) -> None:
        """Closes every connection, then lets another process in."""
        self.reader.dispose()
        self.writer.dispose()
        os.close(self.lock)


def file_of(location: str | Path) -> Path:
    """The file that a path or a `sqlite:///` URL names; raises `FIELD_INVALID` otherwise."""
    if isinstance(location, Path) or "://" not in location:
        path = Path(location)
    else:
        path = Path(_database_of(location))
    if path.name in {"", ".", ":memory:"}:
        raise field_invalid("ledger", "must name a file, for a ledger in memory records nothing")
    return path


def open_file(path: Path) -> SqliteFile:
    """Opens or creates the ledger file; raises `AUDIT_UNAVAILABLE` when that cannot be.

    Blocks on the file system; call it from the writer's thread.
    """
    try:
        lock = _lock(path)
    except OSError as exc:
        text = f"cannot open the ledger file {path}; check that its directory can be written"
        raise unavailable(text) from exc
    try:
        _create(path)
    except OSError as exc:
        os.close(lock)
        raise unavailable(f"cannot create the ledger file {path} with mode 0600") from exc
    return SqliteFile(_engine(path, 1, "BEGIN IMMEDIATE"), _engine(path, READERS, "BEGIN"), lock)


def _database_of(location: str) -> str:
    try:
        url = make_url(location)
    except ArgumentError as exc:
        raise field_invalid("ledger", "must be a path or a sqlite:/// URL") from exc
    if url.get_backend_name() != "sqlite" or url.host or url.query:
        raise field_invalid("ledger", "must be a path or a sqlite:/// URL")
    return url.database or ""


def _lock(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(path.with_name(path.name + ".lock"), flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError as exc:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        os.close(descriptor)
        text = f"the ledger file {path} is open in process {holder}; stop it, or use another file"
        raise unavailable(text) from exc
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _create(path: Path) -> None:
    """Makes the file before SQLite does: the log beside it takes over its mode."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).chmod(0o600)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _engine(path: Path, connections: int, begin: str) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )

    def connected(connection: Any, _record: object) -> None:
        # The driver would begin transactions late and by its own rules; `begun` does it instead.
        connection.isolation_level = None
        # Text that was edited by hand may be no UTF-8: it is found by its row, not refused with it.
        connection.text_factory = partial(str, encoding="utf-8", errors="replace")
        for pragma in _PRAGMAS:
            connection.execute(pragma)

    def begun(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine
