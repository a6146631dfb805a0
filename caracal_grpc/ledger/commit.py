"""One group of entries into one transaction: rows, trees and signed checkpoints, or nothing.

Runs on the writer's thread only. The trees are cached between commits; any failure drops the cache,
so the next group starts from what the engine really holds.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Engine, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.leaf import Draft
from caracal_grpc.ledger.note import Signer, Verify, sign_head
from caracal_grpc.ledger.port import Receipt, unavailable
from caracal_grpc.ledger.schema import ENTRIES, SEARCHED, TREES
from caracal_grpc.ledger.stored_tree import TreeMismatchError, load_tree
from caracal_grpc.ledger.tree import Frontier, leaf_hash

KEPT_EVERY: Final = 64
"""A checkpoint is kept with its entry whenever a zone's size passes a multiple of this."""

ROWS_AT_ONCE: Final = 60
"""Rows in one statement, so that its parameters stay under SQLite's oldest limit of 999.

One statement of many rows and not one row many times: the driver gives up the interpreter lock for
every single step, and beside a busy event loop each return costs more than the step.
"""

_PLANT: Final = insert(TREES)
_GROW: Final = (
    update(TREES)
    .where(TREES.c.zone == bindparam("of_zone"), TREES.c.size == bindparam("old_size"))
    .values({name: bindparam(name) for name in ("size", "frontier", "checkpoint")})
)
_COLUMNS: Final = tuple(ENTRIES.c.keys())
_LOG: Final = logging.getLogger(__name__)

Outcome = Receipt | CaracalError


@dataclass(frozen=True, slots=True)
class Job:
    """One entry to record, and the signer of its zone."""

    draft: Draft
    signer: Signer

    @property
    def place(self) -> tuple[str, str]:
        """The zone and id, which no other entry may have."""
        return self.draft.entry.zone, self.draft.entry.id


@dataclass(slots=True)
class Committer:
    """Commits groups of entries on one engine, answering each entry by itself."""

    engine: Engine
    verify: Verify
    _trees: dict[str, Frontier] = field(default_factory=dict)
    _refused: dict[str, str] = field(default_factory=dict)

    def commit(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Records the jobs in order; never raises, so that every caller is answered."""
        try:
            return self._commit(jobs)
        except Exception as exc:  # noqa: BLE001 - whatever fails, each caller must be refused
            self._trees.clear()
            _LOG.error("audit commit of %d entries failed", len(jobs), exc_info=exc)
            return [_failed(exc) for _ in jobs]

    def _commit(self, jobs: Sequence[Job]) -> list[Outcome]:
        try:
            return self._transaction(jobs)
        except IntegrityError:
            self._trees.clear()
            taken = self._taken(jobs)
            if not taken:
                raise
        fresh = [job for i, job in enumerate(jobs) if i not in taken]
        outcomes = iter(self._transaction(fresh) if fresh else ())
        return [_exists() if i in taken else next(outcomes) for i in range(len(jobs))]

    def _transaction(self, jobs: Sequence[Job]) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        grown: dict[str, Frontier] = {}
        rows: list[dict[str, Any]] = []
        with self.engine.begin() as connection:
            for zone, places in _by_zone(jobs).items():
                group = [jobs[i] for i in places]
                try:
                    tree = self._tree(connection, zone, group[-1].signer)
                except CaracalError as refusal:
                    outcomes.update((i, unavailable(refusal.message)) for i in places)
                    continue
                new_rows, grown[zone] = _grow(tree, group)
                _keep_tree(connection, zone, tree, grown[zone], new_rows[-1], group[-1].signer)
                rows += new_rows
                outcomes.update(zip(places, map(_receipt, new_rows), strict=True))
            _insert(connection, rows)
        self._trees |= grown
        return [outcomes[i] for i in range(len(jobs))]

    def _tree(self, connection: Connection, zone: str, signer: Signer) -> Frontier:
        if zone in self._trees:
            return self._trees[zone]
        if zone not in self._refused:
            try:
                return load_tree(connection, zone, signer, self.verify)
            except TreeMismatchError as exc:
                _LOG.error("the ledger of zone %s takes no entries: %s", zone, exc)
                self._refused[zone] = str(exc)
        raise unavailable(
            f"the ledger of zone {zone} does not agree with itself and takes no entries: "
            f"{self._refused[zone]}; export it and run caracal-grpc audit verify"
        )

    def _taken(self, jobs: Sequence[Job]) -> set[int]:
        """The places in `jobs` whose ids are recorded already, or come earlier in `jobs`."""
        seen: set[tuple[str, str]] = set()
        with self.engine.begin() as connection:
            for zone, places in _by_zone(jobs).items():
                ids = [jobs[i].draft.entry.id for i in places]
                query = select(ENTRIES.c.id).where(ENTRIES.c.zone == zone, ENTRIES.c.id.in_(ids))
                seen.update((zone, found) for (found,) in connection.execute(query))
        taken: set[int] = set()
        for i, job in enumerate(jobs):
            if job.place in seen:
                taken.add(i)
            seen.add(job.place)
        return taken


def _by_zone(jobs: Iterable[Job]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for i, job in enumerate(jobs):
        groups.setdefault(job.draft.entry.zone, []).append(i)
    return groups


def _grow(tree: Frontier, group: Sequence[Job]) -> tuple[list[dict[str, Any]], Frontier]:
    rows = [_row(job, index) for index, job in enumerate(group, tree.size)]
    return rows, tree.extend(row["leaf"] for row in rows)


def _row(job: Job, index: int) -> dict[str, Any]:
    entry = job.draft.entry
    event = job.draft.at(index)
    row: dict[str, Any] = {name: getattr(entry, name) or None for name in SEARCHED}
    row.update(zone=entry.zone, idx=index, id=entry.id, leaf=leaf_hash(event), event=event)
    row.update(checkpoint=None, time_ms=entry.time_ms)
    return row


def _insert(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    for start in range(0, len(rows), ROWS_AT_ONCE):
        chunk = rows[start : start + ROWS_AT_ONCE]
        values = tuple(row[name] for row in chunk for name in _COLUMNS)
        connection.exec_driver_sql(_insert_text(len(chunk), mark), values)


@lru_cache(maxsize=ROWS_AT_ONCE)
def _insert_text(rows: int, mark: str) -> str:
    row = "(" + ",".join([mark] * len(_COLUMNS)) + ")"
    columns = ",".join(_COLUMNS)
    # Names of our own schema and marks; every value is a parameter.
    return f"INSERT INTO {ENTRIES.name} ({columns}) VALUES {','.join([row] * rows)}"  # noqa: S608


def _keep_tree(
    connection: Connection,
    zone: str,
    old: Frontier,
    new: Frontier,
    last_row: dict[str, Any],
    signer: Signer,
) -> None:
    """Writes the grown tree and its checkpoint; fails when another writer moved the tree."""
    note = sign_head(signer, new.size, new.root())
    values = {"size": new.size, "frontier": new.to_bytes(), "checkpoint": note}
    if not old.size:
        connection.execute(_PLANT, {"zone": zone, **values})
    else:
        place = {"of_zone": zone, "old_size": old.size}
        if connection.execute(_GROW, {**place, **values}).rowcount != 1:
            raise TreeMismatchError(f"the tree of zone {zone} was moved by another writer")
    if old.size // KEPT_EVERY != new.size // KEPT_EVERY:
        last_row["checkpoint"] = note


def _receipt(row: dict[str, Any]) -> Receipt:
    return Receipt(row["idx"], row["leaf"])


def _failed(cause: Exception) -> CaracalError:
    refusal = unavailable("the audit record cannot be written; try again later")
    refusal.__cause__ = cause
    return refusal


def _exists() -> CaracalError:
    return CaracalError(Reason.OBJECT_EXISTS, "the zone has an audit entry of this id already")
