"""The ledger over SQL: one code path for SQLite and PostgreSQL.

One thread writes and owns the trees, a small pool reads beside it. Nothing else holds the engine;
on PostgreSQL other processes have theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from caracal_grpc.core.entry import Entry
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.retention import Erased, Hold, Pruned
from caracal_grpc.ledger.checks.sweep import Sweep
from caracal_grpc.ledger.checks.swept import sweep_on, swept_zones
from caracal_grpc.ledger.commit import Committer, Job
from caracal_grpc.ledger.entries.leaf import draft
from caracal_grpc.ledger.entries.query import find_one, find_page, find_range, tree_size
from caracal_grpc.ledger.entries.stored import Stored
from caracal_grpc.ledger.notes.cosigned import find_cosigned, keep_cosigned
from caracal_grpc.ledger.notes.note import NoteError, Signer, Verify, parse_head, sign_head
from caracal_grpc.ledger.port import (
    EVERYTHING,
    Checkpoint,
    Cosigned,
    Filter,
    Page,
    Proof,
    RangeProof,
    Receipt,
    unavailable,
)
from caracal_grpc.ledger.retention.erasure import erase
from caracal_grpc.ledger.retention.holds import find_holds, put_hold, take_hold
from caracal_grpc.ledger.retention.pruning import prune
from caracal_grpc.ledger.tree import EMPTY_ROOT
from caracal_grpc.ledger.trees.proving import (
    Notary,
    prove_consistency,
    prove_inclusion,
    prove_range,
    read_leaves,
)
from caracal_grpc.ledger.trees.stored_tree import kept_tree
from caracal_grpc.ledger.trees.tile import TileRoots
from caracal_grpc.ledger.upkeep import Upkeep
from caracal_grpc.ledger.work import Work
from caracal_grpc.ledger.writer import CAPACITY, GroupWriter

_CHUNK: Final = 500
_SLICE: Final = 25
"""Entries that are made ready in one go, about a millisecond, before others get their turn."""


class SqlLedger:
    """A `Ledger` in a database; made by `open`, and `close` must be awaited."""

    def __init__(
        self,
        work: Work,
        signer_for: Callable[[str], Signer],
        verify: Verify,
        capacity: int,
    ) -> None:
        self._work = work
        self._database = work.database
        self._read, self._write = work.read, work.write
        self._committer = Committer(work.database.writer, verify)
        self._writer = GroupWriter(self._committer.commit, work.writing, capacity=capacity)
        self._upkeep = Upkeep(work, self._committer)
        self._signer_for = signer_for
        self._verify = verify
        self._tile_roots = TileRoots()
        self._closing: asyncio.Future[None] | None = None

    @classmethod
    async def open(
        cls,
        location: str | Path,
        signer_for: Callable[[str], Signer],
        verify: Verify,
        *,
        password: str | None = None,
        capacity: int = CAPACITY,
    ) -> SqlLedger:
        """Opens or creates the ledger at a path or `sqlite:///` URL, for this process alone, or on
        a PostgreSQL server, which takes a `password`.

        `signer_for` gives the signer of a zone; it is asked at each append, on the event loop, and
        what it raises reaches the caller. `verify` checks the stored checkpoint of a zone before
        the zone's first append. `capacity` bounds the entries that may wait. Raises
        `FIELD_INVALID` naming `ledger` for another kind of location or one that is not safe,
        `AUDIT_UNAVAILABLE` when the file cannot be opened or is in use, or the server does not
        answer or may lose what it acknowledged.
        """
        return cls(await Work.open(location, password), signer_for, verify, capacity)

    @property
    def answers(self) -> bool:
        """Whether the engine took what it was last given; while not, it is tried each second."""
        return self._committer.answers

    @property
    def shared(self) -> bool:
        """Whether other authority processes may record into it, too."""
        return self._database.shared

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
        self,
        zone: str,
        query: Filter = EVERYTHING,
        *,
        page_size: int = 100,
        page_token: str = "",
        briefly: bool = False,
    ) -> Page:
        """The next page of a search; see `Ledger.search`."""
        while True:
            page = await self._read(find_page, zone, query, page_size, page_token)
            page_token = page.next_page_token
            if page.entries or briefly or not page_token:
                return page

    async def get(self, zone: str, audit_id: str) -> Stored | None:
        """The entry with this id, or `None`."""
        return await self._read(find_one, zone, audit_id)

    async def size(self, zone: str) -> int:
        """How many entries a zone has, the pruned ones included."""
        return await self._read(tree_size, zone)

    async def checkpoint(self, zone: str) -> Checkpoint:
        """The newest signed checkpoint of a zone; see `Ledger.checkpoint`."""
        kept = await self._read(kept_tree, zone)
        note = kept.checkpoint if kept else sign_head(self._signer_for(zone), 0, EMPTY_ROOT)
        try:
            head = parse_head(note.rpartition("\n\n")[0] + "\n")
        except NoteError as exc:
            raise unavailable(f"the checkpoint of zone {zone} is damaged") from exc
        return Checkpoint(note, head.size, head.root)

    async def inclusion(self, zone: str, index: int, size: int = 0) -> Proof:
        """Proves an entry; see `Ledger.inclusion`."""
        return await self._read(prove_inclusion, zone, self._notary(zone), index, size)

    async def consistency(self, zone: str, first: int, second: int = 0) -> Proof:
        """Proves that the tree grew; see `Ledger.consistency`."""
        return await self._read(prove_consistency, zone, self._notary(zone), first, second)

    async def range_proof(self, zone: str, start: int, end: int = 0, size: int = 0) -> RangeProof:
        """Proves a range; see `Ledger.range_proof`."""
        return await self._read(prove_range, zone, self._notary(zone), start, end, size)

    async def leaf_hashes(self, zone: str, start: int, end: int) -> tuple[bytes, ...]:
        """The leaf hashes of a range; see `Ledger.leaf_hashes`."""
        return await self._read(read_leaves, zone, start, end)

    async def export(
        self, zone: str, start: int = 0, end: int | None = None
    ) -> AsyncIterator[Stored]:
        """The entries of a zone with `start` <= index < `end`, in order."""
        while chunk := await self._read(find_range, zone, start, end, _CHUNK):
            for stored in chunk:
                yield stored
            start = chunk[-1].index + 1

    async def add_hold(self, zone: str, hold: Hold) -> None:
        """Puts entries on hold; see `Ledger.add_hold`."""
        await self._write(put_hold, zone, hold)

    async def remove_hold(self, zone: str, hold: str) -> bool:
        """Ends a hold; whether there was one of that id."""
        return await self._write(take_hold, zone, hold)

    async def list_holds(self, zone: str) -> tuple[Hold, ...]:
        """The holds of a zone, oldest first."""
        return await self._read(find_holds, zone)

    async def prune(self, zone: str, before: int, *, dry_run: bool = False) -> Pruned:
        """Takes old entries away; see `Ledger.prune`."""
        return await prune(self._read, self._write, zone, before, dry_run=dry_run)

    async def erase(self, zone: str, subject: str, *, dry_run: bool = False) -> Erased:
        """Takes away what is personal of a subject; see `Ledger.erase`."""
        erased = await erase(self._read, self._write, zone, subject, dry_run=dry_run)
        if not dry_run:
            thread = self._work.reading if self.shared else self._work.writing
            await self._work.on(thread, self._database.scrub)
        return erased

    async def cosign(self, zone: str, cosigned: Cosigned) -> None:
        """Keeps a cosigned checkpoint; see `Ledger.cosign`."""
        await self._write(keep_cosigned, zone, cosigned)

    async def cosigned(self, zone: str) -> tuple[Cosigned, ...]:
        """The newest checkpoint that each witness has cosigned."""
        return await self._read(find_cosigned, zone)

    async def zones(self) -> tuple[str, ...]:
        """Every zone that has a tree, in order."""
        return await self._read(swept_zones)

    async def sweep(self, sweep: Sweep) -> bool:
        """Checks the next part of a sweep; see `Ledger.sweep`."""
        return await self._read(sweep_on, sweep)

    async def quarantine(self, zone: str, why: str) -> None:
        """Takes no more entries of a zone; see `Ledger.quarantine`."""
        await self._work.on(self._work.writing, partial(self._committer.refuse, zone, why))

    async def free_bytes(self) -> int | None:
        """How many bytes are left on the disk of the file; a server does not tell."""
        return await self._work.on(self._work.reading, self._database.free_bytes)

    async def close(self) -> None:
        """Records what was accepted, joins the threads and closes the database; idempotent."""
        self._work.refuse()
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    def _job(self, entry: Entry) -> Job:
        return Job(draft(entry), self._signer_for(entry.zone))

    def _notary(self, zone: str) -> Notary:
        return Notary(self._signer_for(zone), self._verify, self._tile_roots)

    async def _close(self) -> None:
        await self._writer.close()
        await self._upkeep.rest()
        await self._work.close()
        await self._upkeep.close()
