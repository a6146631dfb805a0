"""One group of entries into one transaction: rows, trees, tiles and checkpoints, or nothing.

Runs on the writer's thread only. The trees are cached between commits and used as long as what is
stored is the same; any failure drops the cache, so the next group starts from what the engine has.
What was once seen of a tree is remembered all the same: a tree never gets smaller.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, Engine, bindparam, func, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.entries.leaf import Draft
from caracal_grpc.ledger.entries.rows import Placed, TakenError, insert_rows, place
from caracal_grpc.ledger.notes.note import Signer, Verify, sign_head
from caracal_grpc.ledger.port import Receipt, unavailable
from caracal_grpc.ledger.schema import ENTRIES, TREES
from caracal_grpc.ledger.tree import Frontier
from caracal_grpc.ledger.trees.stored_tree import (
    PLANTED,
    KeptTree,
    TreeMismatchError,
    load_tree,
    lock_trees,
    require_growth,
)
from caracal_grpc.ledger.trees.tiling import write_tiles

KEPT_EVERY: Final = 64
"""A checkpoint is kept with its entry whenever a zone's size passes a multiple of this."""

PAUSE: Final = 0.5
"""Seconds in which nobody waits for a server that was just lost: everybody is refused at once."""

_GROW: Final = (
    update(TREES)
    .where(TREES.c.zone == bindparam("of_zone"), TREES.c.size == bindparam("old_size"))
    .values({name: bindparam(name) for name in ("size", "frontier", "checkpoint")})
)
_SOME: Final = select(ENTRIES.c.id).where(ENTRIES.c.id.in_(bindparam("ids", expanding=True)))
_FIND: Final = {
    "sqlite": _SOME.where(ENTRIES.c.zone == bindparam("zone")),
    # The index of ids begins with the id here; see `rows`.
    "postgresql": _SOME.where(func.coalesce(ENTRIES.c.zone, "") == bindparam("zone")),
}
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


@dataclass(frozen=True, slots=True)
class _Known:
    """A tree that this process believes, and the checkpoint that is stored with it."""

    frontier: Frontier
    checkpoint: str


@dataclass(slots=True)
class Committer:
    """Commits groups of entries on one engine, answering each entry by itself.

    `answers` says whether the engine took the newest group.
    """

    engine: Engine
    verify: Verify
    answers: bool = True
    _trees: dict[str, _Known] = field(default_factory=dict)
    _seen: dict[str, Frontier] = field(default_factory=dict)
    _refused: dict[str, str] = field(default_factory=dict)
    _lost_at: float = -PAUSE

    def commit(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Records the jobs in order; never raises, so that every caller is answered."""
        if time.monotonic() - self._lost_at < PAUSE:
            return [_failed(None) for _ in jobs]
        try:
            outcomes = self._commit(jobs)
        except Exception as exc:  # noqa: BLE001 - whatever fails, each caller must be refused
            self._trees.clear()
            self.answers = False
            if self.engine.dialect.name != "sqlite" and _is_loss(exc):
                self._lost_at = time.monotonic()
            _LOG.error("audit commit of %d entries failed", len(jobs), exc_info=exc)
            return [_failed(exc) for _ in jobs]
        self.answers = True
        return outcomes

    def refuse(self, zone: str, why: str) -> None:
        """Takes no more entries of `zone`, of which was found what `why` says."""
        self._refused.setdefault(zone, why)

    def _commit(self, jobs: Sequence[Job]) -> list[Outcome]:
        alone = len({job.place for job in jobs}) == len(jobs)
        try:
            return self._transaction(jobs, sift=not alone)
        except (IntegrityError, TakenError):
            self._trees.clear()
            return self._transaction(jobs, sift=True)

    def _transaction(self, jobs: Sequence[Job], *, sift: bool) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        grown: dict[str, _Known] = {}
        placed: list[Placed] = []
        groups = _by_zone(jobs)
        with self.engine.begin() as connection:
            planted = groups.keys() <= self._seen.keys()
            kept = lock_trees(connection, list(groups), planted=planted)
            for i in _taken(connection, jobs, groups) if sift else ():
                outcomes[i] = _exists()
            for zone, all_places in groups.items():
                places = [i for i in all_places if i not in outcomes]
                group = [jobs[i] for i in places]
                if not group:
                    continue
                try:
                    fresh, grown[zone] = self._grow(connection, zone, kept.get(zone), group)
                except CaracalError as refusal:
                    outcomes.update((i, unavailable(refusal.message)) for i in places)
                    continue
                placed += fresh
                outcomes.update(zip(places, map(_receipt, fresh), strict=True))
            insert_rows(connection, placed)
        self._trees |= grown
        self._seen |= {zone: known.frontier for zone, known in grown.items()}
        return [outcomes[i] for i in range(len(jobs))]

    def _grow(
        self, connection: Connection, zone: str, kept: KeptTree | None, group: Sequence[Job]
    ) -> tuple[list[Placed], _Known]:
        """A group placed behind the tree of its zone, which is written with its tiles."""
        signer = group[-1].signer
        try:
            tree = self._tree(connection, zone, kept or PLANTED, signer)
            placed = [place(job.draft, index) for index, job in enumerate(group, tree.size)]
            leaves = [each.leaf for each in placed]
            write_tiles(connection, zone, tree, leaves)
        except TreeMismatchError as exc:
            _LOG.error("the ledger of zone %s takes no entries: %s", zone, exc)
            self.refuse(zone, str(exc))
            raise self._refusal(zone) from exc
        grown = tree.extend(leaves)
        note = _keep_tree(connection, zone, tree, grown, signer)
        if tree.size // KEPT_EVERY != grown.size // KEPT_EVERY:
            placed[-1] = placed[-1]._replace(checkpoint=note)
        return placed, _Known(grown, note)

    def _tree(self, connection: Connection, zone: str, kept: KeptTree, signer: Signer) -> Frontier:
        """The stored tree, checked unless it is the one that we left."""
        if zone in self._refused:
            raise self._refusal(zone)
        known = self._trees.get(zone)
        if known and (known.frontier.size, known.checkpoint) == (kept.size, kept.checkpoint):
            return known.frontier
        if known is None:
            frontier = load_tree(connection, zone, kept, signer, self.verify)
        else:
            frontier = kept.frontier(signer, self.verify)
        if seen := self._seen.get(zone):
            require_growth(connection, zone, seen, frontier)
        return frontier

    def _refusal(self, zone: str) -> CaracalError:
        return unavailable(
            f"the ledger of zone {zone} does not agree with itself and takes no entries: "
            f"{self._refused[zone]}; export it and run caracal-grpc audit verify"
        )


def _taken(connection: Connection, jobs: Sequence[Job], groups: dict[str, list[int]]) -> list[int]:
    """The places in `jobs` whose ids are recorded already, or come earlier in `jobs`."""
    seen: set[tuple[str, str]] = set()
    for zone, places in groups.items():
        ids = [jobs[i].draft.entry.id for i in places]
        found = connection.scalars(_FIND[connection.dialect.name], {"zone": zone, "ids": ids})
        seen.update((zone, audit_id) for audit_id in found)
    taken: list[int] = []
    for i, job in enumerate(jobs):
        if job.place in seen:
            taken.append(i)
        seen.add(job.place)
    return taken


def _by_zone(jobs: Iterable[Job]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for i, job in enumerate(jobs):
        groups.setdefault(job.draft.entry.zone, []).append(i)
    return groups


def _keep_tree(
    connection: Connection, zone: str, old: Frontier, new: Frontier, signer: Signer
) -> str:
    """Writes the grown tree under a signed checkpoint, which is returned."""
    note = sign_head(signer, new.size, new.root())
    values = {"size": new.size, "frontier": new.to_bytes(), "checkpoint": note}
    place = {"of_zone": zone, "old_size": old.size}
    if connection.execute(_GROW, {**place, **values}).rowcount != 1:
        # Locked as it is, nobody can have moved it: the engine does not keep its promises.
        raise RuntimeError(f"the tree of zone {zone} was moved by another writer")
    return note


def _receipt(placed: Placed) -> Receipt:
    return Receipt(placed.idx, placed.leaf)


def _failed(cause: Exception | None) -> CaracalError:
    refusal = unavailable("the audit record cannot be written; try again later")
    refusal.__cause__ = cause
    return refusal


def _is_loss(exc: Exception) -> bool:
    """Whether a server was lost or cannot be reached, and not one statement that failed."""
    if not isinstance(exc, DBAPIError):
        return isinstance(exc, CaracalError)
    return exc.connection_invalidated or exc.statement is None


def _exists() -> CaracalError:
    return CaracalError(Reason.OBJECT_EXISTS, "the zone has an audit entry of this id already")
