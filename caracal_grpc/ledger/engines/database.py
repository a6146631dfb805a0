"""What a ledger needs of the engine that keeps it, and which engine a location names."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from caracal_grpc.ledger.engines.location import is_server
from caracal_grpc.ledger.engines.migrations.runner import migrate
from caracal_grpc.ledger.engines.postgres import open_server
from caracal_grpc.ledger.engines.sqlite import file_of, open_file
from caracal_grpc.ledger.port import unavailable


class Database(Protocol):
    """An opened database: one engine for the thread that writes, one for those that read."""

    @property
    def writer(self) -> Engine:
        """Of one connection; what it reads is the newest."""
        ...

    @property
    def reader(self) -> Engine:
        """Of a few connections; each transaction sees one state."""
        ...

    @property
    def readers(self) -> int:
        """How many connections those are."""
        ...

    def free_bytes(self) -> int | None:
        """Bytes that are left for entries, `None` when it does not tell; raises `OSError`."""
        ...

    def cut_hung(self) -> None:
        """Breaks the connections that have not answered for too long; from any thread."""
        ...

    def keep_up(self) -> None:
        """Does what is due every hour; raises what the engine raises. From the writer's thread."""
        ...

    @property
    def shared(self) -> bool:
        """Whether other processes may write, too."""
        ...

    def scrub(self) -> None:
        """Lets go of what rows held before they were changed; raises `OSError`. Of a file from the
        writer's thread, of a server from another.
        """
        ...

    def close(self) -> None:
        """Closes every connection."""
        ...


def open_database(location: str | Path, password: str | None = None) -> Database:
    """Opens the ledger that a path or URL names, with its tables as this release has them.

    Blocks; call it from the writer's thread. Raises `FIELD_INVALID` naming `ledger` for another
    kind of location or an unsafe one, `AUDIT_UNAVAILABLE` when it cannot be opened.
    """
    if isinstance(location, str) and is_server(location):
        return open_server(location, password)
    path = file_of(location)
    database = open_file(path)
    try:
        migrate(database.writer)
    except SQLAlchemyError as exc:
        database.close()
        text = f"the file {path} cannot be used as a ledger; restore it, or use another file"
        raise unavailable(text) from exc
    except BaseException:
        database.close()
        raise
    return database
