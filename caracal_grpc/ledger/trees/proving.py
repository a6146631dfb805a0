"""Making proofs from what is kept, each in one transaction and in a logarithmic number of reads.

Nothing that is kept is believed: a proof is checked against the newest signed checkpoint before it
leaves, and so is a tree of another size before its checkpoint is signed. Whoever edits hashes in
the database gets no signature for what they would come to.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import starmap

from sqlalchemy import Connection

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.ledger.notes.note import Signer, Verify, sign_head
from caracal_grpc.ledger.port import MAX_LEAVES, Checkpoint, Proof, RangeProof, unavailable
from caracal_grpc.ledger.tree import EMPTY_ROOT, Frontier
from caracal_grpc.ledger.trees.proof import (
    consistency_proof,
    inclusion_proof,
    joined,
    range_proof,
    subtrees,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from caracal_grpc.ledger.trees.stored_tree import TreeMismatchError, kept_tree
from caracal_grpc.ledger.trees.tile import MissingHashError, TileRoots, Tiles


@dataclass(frozen=True, slots=True)
class Notary:
    """Who signs the checkpoints of a zone, and what checks those that are kept.

    `roots` are those of the ledger that the proofs are of.
    """

    signer: Signer
    verify: Verify
    roots: TileRoots


def prove_inclusion(
    connection: Connection, zone: str, notary: Notary, index: int, size: int
) -> Proof:
    """See `Ledger.inclusion`."""
    tree = _Tree.of(connection, zone, notary)
    checkpoint = tree.checkpoint("tree_size", size)
    if not 0 <= index < checkpoint.size:
        raise field_invalid("index", f"must be from 0 to {checkpoint.size - 1}")
    try:
        hashes = inclusion_proof(index, checkpoint.size, tree.tiles.node)
        leaf = tree.tiles.node(0, index)
    except MissingHashError as exc:
        raise tree.refusal(str(exc)) from exc
    if not verify_inclusion(index, checkpoint.size, leaf, hashes, checkpoint.root):
        raise tree.refusal(f"the hashes around entry {index} do not lead to the checkpoint")
    return Proof(hashes, checkpoint)


def prove_consistency(
    connection: Connection, zone: str, notary: Notary, first: int, second: int
) -> Proof:
    """See `Ledger.consistency`."""
    tree = _Tree.of(connection, zone, notary)
    checkpoint = tree.checkpoint("second_size", second)
    if not 1 <= first <= checkpoint.size:
        raise field_invalid("first_size", f"must be from 1 to {checkpoint.size}")
    return Proof(tree.grown(first, checkpoint)[1], checkpoint)


def prove_range(
    connection: Connection, zone: str, notary: Notary, start: int, end: int, size: int
) -> RangeProof:
    """See `Ledger.range_proof`."""
    tree = _Tree.of(connection, zone, notary)
    checkpoint = tree.checkpoint("tree_size", size)
    end = end or checkpoint.size
    if not 0 <= end <= checkpoint.size:
        raise field_invalid("end_index", f"must be from 0 to {checkpoint.size}")
    if not 0 <= start <= end:
        raise field_invalid("start_index", f"must be from 0 to {end}")
    node = tree.tiles.node
    try:
        before, after = range_proof(start, end, checkpoint.size, node)
        within = joined(Frontier(start, before), starmap(node, subtrees(start, end)), end)
    except MissingHashError as exc:
        raise tree.refusal(str(exc)) from exc
    if joined(within, after, checkpoint.size).root() != checkpoint.root:
        raise tree.refusal("the hashes around the range do not lead to the checkpoint")
    return RangeProof(before, after, checkpoint)


def read_leaves(connection: Connection, zone: str, start: int, end: int) -> tuple[bytes, ...]:
    """See `Ledger.leaf_hashes`."""
    kept = kept_tree(connection, zone)
    size = kept.size if kept else 0
    if not 0 <= start <= end <= size:
        raise field_invalid(
            "end_index", f"must be from start_index, which is not below 0, to {size}"
        )
    if end - start > MAX_LEAVES:
        raise field_invalid("end_index", f"must be at most {MAX_LEAVES} above start_index")
    try:
        return tuple(Tiles(connection, zone, size).hashes(0, start, end))
    except MissingHashError as exc:
        raise _refusal(zone, str(exc)) from exc


@dataclass(frozen=True, slots=True)
class _Tree:
    """The tree of a zone under its newest checkpoint, whose signature holds."""

    zone: str
    notary: Notary
    newest: Checkpoint
    tiles: Tiles

    @classmethod
    def of(cls, connection: Connection, zone: str, notary: Notary) -> _Tree:
        """The tree that is kept; raises `AUDIT_UNAVAILABLE` when its checkpoint is of another."""
        kept = kept_tree(connection, zone)
        if kept is None:
            note, frontier = sign_head(notary.signer, 0, EMPTY_ROOT), Frontier()
        else:
            note = kept.checkpoint
            try:
                frontier = kept.frontier(notary.signer, notary.verify)
            except TreeMismatchError as exc:
                raise _refusal(zone, str(exc)) from exc
        known = dict(zip(subtrees(0, frontier.size), frontier.peaks, strict=True))
        newest = Checkpoint(note, frontier.size, frontier.root())
        tiles = Tiles(connection, zone, frontier.size, notary.roots, known)
        return cls(zone, notary, newest, tiles)

    def checkpoint(self, name: str, size: int) -> Checkpoint:
        """The checkpoint over `size` entries, 0 for all; raises `FIELD_INVALID` of field `name`."""
        if size in (0, self.newest.size):
            return self.newest
        if not 0 < size < self.newest.size:
            raise field_invalid(name, f"must be from 1 to {self.newest.size}, or 0 for the newest")
        root, _ = self.grown(size, self.newest)
        return Checkpoint(sign_head(self.notary.signer, size, root), size, root)

    def grown(self, first: int, to: Checkpoint) -> tuple[bytes, tuple[bytes, ...]]:
        """The root over the `first` entries, and what proves that `to` grew from it."""
        try:
            root = tree_root(first, self.tiles.node)
            hashes = consistency_proof(first, to.size, self.tiles.node)
        except MissingHashError as exc:
            raise self.refusal(str(exc)) from exc
        if not verify_consistency(first, to.size, root, to.root, hashes):
            raise self.refusal(f"the first {first} entries do not lead to the checkpoint")
        return root, hashes

    def refusal(self, why: str) -> CaracalError:
        """No proof, since what is kept is not what was signed."""
        self.notary.roots.forget()
        return _refusal(self.zone, why)


def _refusal(zone: str, why: str) -> CaracalError:
    return unavailable(
        f"the ledger of zone {zone} does not agree with itself: {why}; "
        "export it and run caracal-grpc audit verify"
    )
