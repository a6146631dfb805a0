"""Checking the whole ledger of a zone where it is kept, a part at a time.

What is found is what `verify` would find in an export, and what an export does not show: the tiles,
what searches compare, and checkpoints that were seen before. Nothing here reads: `swept` does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from caracal_grpc.ledger.checks.finding import Findings
from caracal_grpc.ledger.checks.swept_part import SweptPart, SweptTree
from caracal_grpc.ledger.checks.swept_row import SweptRow, is_filed, is_in_place, is_opened_right
from caracal_grpc.ledger.notes.note import NoteError, TreeHead, VerifierKey, Verify, open_checkpoint
from caracal_grpc.ledger.tree import HASH_SIZE, Frontier, leaf_hash, root_of
from caracal_grpc.ledger.trees.tile import TILE_WIDTH

PART: Final = 64
"""Entries that are checked in one go, which takes a few milliseconds."""
_LOST: Final = bytes(HASH_SIZE)
"""In the place of a hash that is nowhere: no root can come of it."""


@dataclass(slots=True)
class Sweep:
    """One pass over the ledger of `zone`, signed by `key`. `seen` are the roots, by size, that were
    signed before. `head` is the newest checkpoint, and `size` how many entries are checked.
    """

    zone: str
    key: VerifierKey
    verify: Verify
    seen: dict[int, bytes] = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)
    tree: SweptTree | None = None
    head: TreeHead | None = None
    size: int = 0
    _whole: Frontier = field(default_factory=Frontier)
    _part: Frontier = field(default_factory=Frontier)
    _leaves: bytes = b""
    _levels: list[list[bytes]] = field(default_factory=list)
    _differs: bool = False

    @property
    def place(self) -> int:
        """The index of the next entry."""
        return self._whole.size * TILE_WIDTH + self._part.size

    @property
    def end(self) -> int:
        """The index behind the next part, which never goes over the end of a tile."""
        whole = self.place - self.place % TILE_WIDTH + TILE_WIDTH
        return min(self.place + PART, whole, self.size)

    @property
    def done(self) -> bool:
        """Whether all is checked."""
        return self.tree is not None and self.place >= self.size

    def tiles(self) -> list[tuple[int, int]]:
        """The whole tiles that the next part is checked by: at its start the one of its leaves, at
        its end those above that it completes.
        """
        wanted = []
        if self.place % TILE_WIDTH == 0 and self.place + TILE_WIDTH <= self.size:
            wanted.append((0, self.place // TILE_WIDTH))
        level, width = 1, TILE_WIDTH * TILE_WIDTH
        while self.end % width == 0:
            wanted.append((level, self.end // width - 1))
            level, width = level + 1, width * TILE_WIDTH
        return wanted

    def expect(self, size: int, root: bytes) -> None:
        """Takes note of a root that was signed before; two over as many entries are a fork."""
        if self.seen.setdefault(size, root) != root:
            self.findings.add(None, "fork", f"two different roots were signed over {size} entries")

    def begin(self, tree: SweptTree) -> None:
        """Takes what there is to check, and says what is outside of it.

        A size that is not signed is not believed: then it is the rows that say how many there are.
        """
        self.tree = tree
        if not tree.planted:
            self.head = self._opened("the newest checkpoint", None, tree.note)
        signed = self.head is not None and self.head.size == tree.size
        if self.head is not None and not signed:
            text = f"the tree has {tree.size} entries, and its checkpoint signs {self.head.size}"
            self.findings.add(None, "root", text)
        rows = 0 if tree.last is None else tree.last + 1
        self.size = tree.size if signed else max(0, min(tree.size, rows))
        if tree.last is not None and tree.last >= self.size:
            text = f"there is an entry {tree.last} where the tree ends with {self.size}"
            self.findings.add(self.size, "beyond", text)
        if tree.first is not None and tree.first < 0:
            self.findings.add(None, "beyond", f"there is an entry {tree.first}, before the first")
        for size in sorted(self.seen):
            if size > self.size:
                text = f"{size} entries were signed, and there are {self.size}: the end is cut off"
                self.findings.add(self.size, "tail", text)
        if self.done:
            self._finish()

    def take(self, part: SweptPart) -> None:
        """Checks the next part."""
        if self.place % TILE_WIDTH == 0 and self.place + TILE_WIDTH <= self.size:
            self._leaves = self._tile(0, self.place // TILE_WIDTH, part)
        places = range(self.place, self.end)
        for between in part.rows.keys() - places:
            self.findings.add(None, "beyond", f"there is an entry {between}, which is no place")
        for index in places:
            self._take_one(index, part.rows.get(index), part.pruned)
        if self._part.size == TILE_WIDTH:
            self._complete(part)
        if self.done:
            self._finish()

    def _take_one(self, index: int, row: SweptRow | None, pruned: int) -> None:
        at = index % TILE_WIDTH * HASH_SIZE
        signed = self._leaves[at : at + HASH_SIZE]
        if row is None:
            if index >= pruned:
                self.findings.add(index, "removed", f"entry {index} is missing")
            leaf = signed or _LOST
        else:
            leaf = self._checked(index, row, signed)
        self._part = self._part.extend((leaf,))
        if row is not None and row.checkpoint:
            self._compare_kept(index, row.checkpoint)
        seen = self.seen.get(index + 1)
        if seen is not None and seen != self._grown().root():
            text = f"a checkpoint over {index + 1} entries was signed, and is not of this tree"
            self.findings.add(None, "fork", text)

    def _checked(self, index: int, row: SweptRow, signed: bytes) -> bytes:
        """The hash of the entry; what is wrong with it is said."""
        leaf = leaf_hash(row.event)
        name = f"entry {index}"
        if leaf != row.leaf or (signed and leaf != signed):
            if leaf == signed:
                self.findings.add(index, "leaf", f"the hash beside {name} was changed")
            else:
                text = f"{name} does not have the hash that is kept of it"
                self.findings.add(index, "changed", text)
            return signed or row.leaf
        event = row.parsed()
        if not is_in_place(event, index, self.zone):
            self.findings.add(index, "moved", f"in the place of {name} stands another")
        elif not is_opened_right(event, row):
            text = f"what is personal of {name} is not what it commits to"
            self.findings.add(index, "personal", text)
        elif not is_filed(event, row):
            self.findings.add(index, "column", f"searches find {name} by what it does not say")
        return leaf

    def _complete(self, part: SweptPart) -> None:
        """Holds the tiles above against what was hashed, and begins the next tile."""
        root = self._part.root()
        self._part, self._leaves = Frontier(), b""
        self._whole = self._whole.extend((root,))
        above, place = [root], self._whole.size - 1
        for level in range(1, 9):
            if len(self._levels) < level:
                self._levels.append([])
            self._levels[level - 1] += above
            if len(self._levels[level - 1]) < TILE_WIDTH:
                return
            hashes, self._levels[level - 1] = self._levels[level - 1], []
            place //= TILE_WIDTH
            kept = self._tile(level, place, part)
            if kept and kept != b"".join(hashes):
                text = f"tile {place} of level {level} is not made of the tiles below it"
                self.findings.add(None, "tile", text)
            above = [root_of(hashes)]

    def _tile(self, level: int, place: int, part: SweptPart) -> bytes:
        """The hashes of a whole tile; empty, and said so, when they are not there."""
        hashes = part.tiles.get((level, place), b"")
        if len(hashes) == TILE_WIDTH * HASH_SIZE:
            return hashes
        what = "is missing" if not hashes else "is damaged"
        self.findings.add(None, "tile", f"tile {place} of level {level} {what}")
        return b""

    def _compare_kept(self, index: int, note: str) -> None:
        what = f"the checkpoint at entry {index}"
        head = self._opened(what, index, note)
        if head is not None and head.size != index + 1:
            self.findings.add(index, "moved", f"{what} is the one over {head.size} entries")
        elif head is not None and head.root != self._grown().root():
            self._differ(index)

    def _finish(self) -> None:
        """Holds the whole against the tree that is kept of it, and its checkpoint."""
        tree = self.tree
        if tree is None or tree.planted:
            return
        grown, head = self._grown(), self.head
        if head is not None and (head.size, head.root) != (grown.size, grown.root()):
            self._differ(None)
        elif tree.peaks != grown.to_bytes():
            self.findings.add(None, "root", "what is kept to go on from is not what is signed")

    def _opened(self, what: str, index: int | None, note: str) -> TreeHead | None:
        try:
            head = open_checkpoint(note, self.key, self.verify)
        except NoteError as exc:
            self.findings.add(index, "signature", f"{what} {exc}")
            return None
        if head.origin == self.key.name:
            return head
        self.findings.add(index, "foreign", f"{what} is of {head.origin}")
        return None

    def _differ(self, index: int | None) -> None:
        """Says once that the roots differ: all later ones do, too."""
        if not self._differs:
            self._differs = True
            where = "" if index is None else f", up to entry {index} at the latest"
            self.findings.add(index, "root", f"the entries do not hash to a signed root{where}")

    def _grown(self) -> Frontier:
        return Frontier(self.place, self._whole.peaks + self._part.peaks)
