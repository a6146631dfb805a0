"""The ledger over SQL: one code path, today on SQLite.

One thread writes and owns the trees, a small pool reads beside it. Nothing else holds the engine.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import SQLAlchemyError

from caracal_grpc.core.entry import Entry
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.commit import Committer, Job
from caracal_grpc.ledger.leaf import draft
from caracal_grpc.ledger.note import NoteError, Signer, Verify, parse_head, sign_head
from caracal_grpc.ledger.port import (
    EVERYTHING,
    Checkpoint,
    Filter,
    Page,
    Receipt,
    Stored,
    unavailable,
)
from caracal_grpc.ledger.query import find_one, find_page, find_range
from caracal_grpc.ledger.schema import FORMAT, FORMATS, METADATA, TREES
from caracal_grpc.ledger.sqlite import READERS, SqliteFile, file_of, open_file
from caracal_grpc.ledger.tree import EMPTY_ROOT
from caracal_grpc.ledger.writer import CAPACITY, GroupWriter

_CHUNK: Final = 500
_SLICE: Final = 25
"""Entries that are made ready in one go, about a millisecond, before others get their turn."""
_LOG: Final = logging.getLogger(__name__)
_P = ParamSpec("_P")
_T = TypeVar("_T")


class SqlLedger:
    """A `Ledger` in one SQLite file; made by `open`, and `close` must be awaited."""

    def __init__(
        self,
        file: SqliteFile,
        threads: tuple[ThreadPoolExecutor, ThreadPoolExecutor],
        writer: GroupWriter,
        signer_for: Callable[[str], Signer],
    ) -> None:
        self._file = file
        self._writing, self._reading = threads
        self._writer = writer
        self._signer_for = signer_for
        self._closing: asyncio.Future[None] | None = None

    @classmethod
    async def open(
        cls,
        location: str | Path,
        signer_for: Callable[[str], Signer],
        verify: Verify,
        *,
        capacity: int = CAPACITY,
    ) -> SqlLedger:
        """Opens or creates the ledger at a path or `sqlite:///` URL, for this process alone.

        `signer_for` gives the signer of a zone; it is asked at each append, on the event loop, and
        what it raises reaches the caller. `verify` checks the stored checkpoint of a zone before
        the zone's first append. `capacity` bounds the entries that may wait. Raises
        `FIELD_INVALID` for another kind of location, `AUDIT_UNAVAILABLE` when the file cannot be
        opened or is in use.
        """
        path = file_of(location)
        writing = ThreadPoolExecutor(1, thread_name_prefix="caracal-ledger-write")
        try:
            file = await asyncio.get_running_loop().run_in_executor(writing, _open, path)
        except BaseException:
            writing.shutdown()
            raise
        reading = ThreadPoolExecutor(READERS, thread_name_prefix="caracal-ledger-read")
        committer = Committer(file.writer, verify)
        writer = GroupWriter(committer.commit, writing, capacity=capacity)
        return cls(file, (writing, reading), writer, signer_for)

    async def append(self, entry: Entry) -> Receipt:
        """Records an entry durably; see `Ledger.append`."""
        (outcome,) = await self._writer.submit([self._job(entry)])
        if isinstance(outcome, CaracalError):
            raise outcome
        return outcome

    async def append_all(self, entries: Sequence[Entry]) -> int:
        """Records those entries that are new, in one commit; see `Ledger.append_all`."""
        jobs: list[Job] = []
        for entry in entries:
            if len(jobs) % _SLICE == 0:
                await asyncio.sleep(0)
            jobs.append(self._job(entry))
        outcomes = await self._writer.submit(jobs)
        refusals = [each for each in outcomes if isinstance(each, CaracalError)]
        for refusal in refusals:
            if refusal.reason is not Reason.OBJECT_EXISTS:
                raise refusal
        return len(outcomes) - len(refusals)

    async def search(
        self, zone: str, query: Filter = EVERYTHING, *, page_size: int = 100, page_token: str = ""
    ) -> Page:
        """The next page of a search; see `Ledger.search`."""
        return await self._read(find_page, zone, query, page_size, page_token)

    async def get(self, zone: str, audit_id: str) -> Stored | None:
        """The entry with this id, or `None`."""
        return await self._read(find_one, zone, audit_id)

    async def checkpoint(self, zone: str) -> Checkpoint:
        """The newest signed checkpoint of a zone; see `Ledger.checkpoint`."""
        note = await self._read(_kept_note, zone)
        if note is None:
            note = sign_head(self._signer_for(zone), 0, EMPTY_ROOT)
        try:
            head = parse_head(note.rpartition("\n\n")[0] + "\n")
        except NoteError as exc:
            raise unavailable(f"the checkpoint of zone {zone} is damaged") from exc
        return Checkpoint(note, head.size, head.root)

    async def export(
        self, zone: str, start: int = 0, end: int | None = None
    ) -> AsyncIterator[Stored]:
        """The entries of a zone with `start` <= index < `end`, in order."""
        while chunk := await self._read(find_range, zone, start, end, _CHUNK):
            for stored in chunk:
                yield stored
            start = chunk[-1].index + 1

    async def free_bytes(self) -> int:
        """How many bytes are left on the disk of the file."""
        if self._closing is not None:
            raise unavailable("the audit ledger is closed")
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._reading, self._file.free_bytes)
        except OSError as exc:
            raise unavailable("the disk of the audit ledger does not answer") from exc

    async def close(self) -> None:
        """Records what was accepted, joins the threads and closes the file; idempotent."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    def _job(self, entry: Entry) -> Job:
        return Job(draft(entry), self._signer_for(entry.zone))

    async def _close(self) -> None:
        await self._writer.close()
        await asyncio.to_thread(self._shut)

    def _shut(self) -> None:
        self._reading.shutdown()
        self._writing.shutdown()
        self._file.close()

    async def _read(
        self,
        question: Callable[Concatenate[Connection, _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        def ask() -> _T:
            with self._file.reader.connect() as connection:
                return question(connection, *args, **kwargs)

        if self._closing is not None:
            raise unavailable("the audit ledger is closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reading, ask)
        except (SQLAlchemyError, OSError) as exc:
            _LOG.error("audit read failed", exc_info=exc)
            raise unavailable("the audit record cannot be read; try again later") from exc


def _open(path: Path) -> SqliteFile:
    file = open_file(path)
    try:
        with file.writer.begin() as connection:
            METADATA.create_all(connection)
            versions = connection.scalars(select(FORMATS.c.version)).all()
            if not versions:
                connection.execute(insert(FORMATS), {"version": FORMAT})
    except SQLAlchemyError as exc:
        file.close()
        text = f"the file {path} cannot be used as a ledger; restore it, or use another file"
        raise unavailable(text) from exc
    if versions not in ([], [FORMAT]):
        file.close()
        raise unavailable(f"the ledger file {path} is of another release; use that release")
    return file


def _kept_note(connection: Connection, zone: str) -> str | None:
    return connection.scalar(select(TREES.c.checkpoint).where(TREES.c.zone == zone))
