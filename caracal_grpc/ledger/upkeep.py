"""What a ledger needs besides appends: hung connections cut, losses noticed, months prepared."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

from sqlalchemy import delete, insert, select, text
from sqlalchemy.exc import SQLAlchemyError

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.ledger.commit import Committer
from caracal_grpc.ledger.schema import TILES
from caracal_grpc.ledger.work import Work

_LOOK: Final = 0.5
"""Seconds between two looks for what hangs."""
_PROBE: Final = 1.0
_HOUR, _MINUTE = 3_600.0, 60.0
_TRIAL: Final = {"zone": "", "level": 0, "idx": 0}
"""A row of no zone, of 64 KiB: where that can be written, a group of entries can."""

_LOG: Final = logging.getLogger(__name__)
_FAILURES: Final = (SQLAlchemyError, CaracalError, OSError)


class Upkeep:
    """Two tasks beside a ledger: `rest` before its threads end, and `close` afterwards."""

    def __init__(self, work: Work, committer: Committer) -> None:
        self._database = work.database
        self._committer = committer
        self._writing, self._reading = work.writing, work.reading
        self._cutting = asyncio.create_task(self._cut(), name="caracal-ledger-cut")
        self._caring = asyncio.create_task(self._care(), name="caracal-ledger-care")

    async def rest(self) -> None:
        """Gives the threads nothing more to do; what hangs is still cut."""
        self._caring.cancel()
        await asyncio.gather(self._caring, return_exceptions=True)

    async def close(self) -> None:
        """Ends the rest of it."""
        self._cutting.cancel()
        await asyncio.gather(self._cutting, return_exceptions=True)

    async def _cut(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            self._database.cut_hung()

    async def _care(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + _HOUR
        while True:
            await asyncio.sleep(_PROBE)
            if not self._committer.answers:
                self._committer.answers = await self._did(self._writing, self._write)
            elif not await self._did(self._reading, self._read):
                self._committer.answers = False
            if self._committer.answers and loop.time() >= due:
                done = await self._did(self._writing, self._database.keep_up)
                due = loop.time() + (_HOUR if done else _MINUTE)

    async def _did(self, thread: Executor, work: Callable[[], None]) -> bool:
        try:
            await asyncio.get_running_loop().run_in_executor(thread, work)
        except _FAILURES as exc:
            _LOG.warning("the audit ledger does not answer: %s", type(exc).__name__)
            return False
        return True

    def _read(self) -> None:
        with self._database.reader.connect() as connection:
            connection.execute(text("SELECT 1"))

    def _write(self) -> None:
        """A real write, since a full disk still reads."""
        trial = [TILES.c[name] == value for name, value in _TRIAL.items()]
        with self._database.writer.begin() as connection:
            if connection.scalar(select(TILES.c.level).where(*trial)) is None:
                connection.execute(insert(TILES), {**_TRIAL, "hashes": os.urandom(65_536)})
        with self._database.writer.begin() as connection:
            connection.execute(delete(TILES).where(*trial))
