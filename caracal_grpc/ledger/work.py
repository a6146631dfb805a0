"""The threads on which a ledger's questions and changes run, each in a transaction of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, Self, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from caracal_grpc.ledger.engines.database import Database, open_database
from caracal_grpc.ledger.port import unavailable

_LOG: Final = logging.getLogger(__name__)
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Work:
    """One thread that writes and a few that read, over one database; made by `open`."""

    def __init__(self, database: Database, writing: ThreadPoolExecutor) -> None:
        self.database = database
        self.writing = writing
        self.reading = ThreadPoolExecutor(
            database.readers, thread_name_prefix="caracal-ledger-read"
        )
        self._closed = False

    @classmethod
    async def open(cls, location: str | Path, password: str | None) -> Self:
        """Opens the database as `open_database`, on the thread that is going to write."""
        writing = ThreadPoolExecutor(1, thread_name_prefix="caracal-ledger-write")
        loop = asyncio.get_running_loop()
        try:
            return cls(
                await loop.run_in_executor(writing, open_database, location, password), writing
            )
        except BaseException:
            writing.shutdown()
            raise

    async def read(
        self,
        question: Callable[Concatenate[Connection, _P], _T],
        /,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        """What `question` finds in one state; raises `AUDIT_UNAVAILABLE` and what it raises."""

        def ask() -> _T:
            with self.database.reader.connect() as connection:
                return question(connection, *args, **kwargs)

        return await self.on(self.reading, ask)

    async def write(
        self,
        change: Callable[Concatenate[Connection, _P], _T],
        /,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        """What `change` did, durably; raises `AUDIT_UNAVAILABLE` and what it raises."""

        def do() -> _T:
            with self.database.writer.begin() as connection:
                return change(connection, *args, **kwargs)

        return await self.on(self.writing, do)

    async def on(self, thread: ThreadPoolExecutor, work: Callable[[], _T]) -> _T:
        """What `work` returns on a thread; raises `AUDIT_UNAVAILABLE`."""
        if self._closed:
            raise unavailable("the audit ledger is closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, work)
        except (SQLAlchemyError, OSError) as exc:
            _LOG.error("the audit ledger does not answer", exc_info=exc)
            raise unavailable("the audit record cannot be reached; try again later") from exc

    def refuse(self) -> None:
        """Takes nothing more."""
        self._closed = True

    async def close(self) -> None:
        """Joins the threads and closes the database."""
        await asyncio.to_thread(self._shut)

    def _shut(self) -> None:
        self.reading.shutdown()
        self.writing.shutdown()
        self.database.close()
