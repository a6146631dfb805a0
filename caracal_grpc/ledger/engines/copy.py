"""A ledger's file copied as it stands at one moment, while its authority goes on writing."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from caracal_grpc.ledger.port import unavailable


def copy_ledger(source: Path, target: Path) -> None:
    """Copies the SQLite file at `source` to `target`, which must not exist, and syncs it.

    By SQLite's online backup (https://sqlite.org/backup.html), so what is in the copy is a state
    between two commits. Raises `AUDIT_UNAVAILABLE`; no part of a copy is left then.
    """
    if not source.is_file():
        raise unavailable(f"there is no ledger at {source}; name the file that serve uses")
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise unavailable(f"the copy {target} cannot be made: {error.strerror}") from error
    try:
        _copy(source, target)
    except (sqlite3.Error, OSError) as error:
        target.unlink(missing_ok=True)
        raise unavailable(f"the ledger {source} cannot be copied to {target}") from error


def _copy(source: Path, target: Path) -> None:
    reading = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)
    with (
        contextlib.closing(reading) as before,
        contextlib.closing(sqlite3.connect(target)) as after,
    ):
        # All in one go, beside which a log lets others write: between two goes a commit of theirs
        # would have it begin again, each time.
        before.backup(after)
        # A copy of a log that has been checkpointed in needs no log beside it.
        after.execute("PRAGMA journal_mode=DELETE")
    descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
