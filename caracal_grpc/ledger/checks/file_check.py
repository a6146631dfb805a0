"""One pass over an exported file: its header, then its lines in order, then what the end shows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from caracal_grpc.core.entry import MAX_INT, plain_text
from caracal_grpc.ledger.checks.export import ExportError, Header, parse_entry
from caracal_grpc.ledger.checks.finding import Findings, Report
from caracal_grpc.ledger.checks.heads import Heads, SignedHead, Trust, uncompared_text
from caracal_grpc.ledger.checks.roots import Roots
from caracal_grpc.ledger.checks.sequence import Sequence
from caracal_grpc.ledger.entries.disclosure import committed, is_opened
from caracal_grpc.ledger.entries.stored import Stored
from caracal_grpc.ledger.notes.note import VerifierKey, Verify
from caracal_grpc.ledger.tree import Frontier, leaf_hash
from caracal_grpc.ledger.trees.proof import joined, subtrees


@dataclass(slots=True)
class FileCheck:
    """What a file says, held against what was signed.

    `own` is the head of the file's own checkpoint, if it holds, and `end` the index behind the last
    entry that the file must have, if it is known.
    """

    header: Header
    trust: Trust
    findings: Findings
    heads: Heads
    roots: Roots
    sequence: Sequence
    own: SignedHead | None = None
    end: int | None = None
    entries: int = 0
    pruned: int = 0
    pruned_end: int = 0
    withheld: int = 0

    @classmethod
    def of(
        cls, header: Header, key: VerifierKey, trust: Trust, verify: Verify, findings: Findings
    ) -> FileCheck:
        """The check of what follows this header, which takes the heads that the file must match."""
        if header.verifier_key != str(key):
            findings.add(None, "key", f"the file names another key than {key}")
        if header.origin != key.name:
            findings.add(None, "foreign", f"the file is of {header.origin}, not of {key.name}")
        around = bool(header.start or header.after)
        before = Frontier(header.start, header.before)
        roots = Roots(findings, around, before, good=header.start)
        heads = Heads(key, verify, findings)
        check = cls(header, trust, findings, heads, roots, Sequence(header.start))
        check.own = heads.take("the checkpoint of the file", header.checkpoint, trust)
        check.end = check.heads.size if header.end is None else header.end
        if check.own is not None:
            check.own = check._fitting(check.own)
        check._compare()
        return check

    def read_line(self, number: int, line: str | bytes) -> None:
        """Takes the line of one entry."""
        try:
            stored = parse_entry(line, self.header.version)
        except ExportError as exc:
            self.findings.add(self.sequence.expected, "malformed", f"line {number} {exc}")
            self.sequence.unreadable()
            return
        self.entries += 1
        if stored.pruned and self.header.version > 1:
            self._read_pruned(number, stored)
        else:
            self._read_entry(number, stored)
        if not self.sequence.broken:
            self._compare()
            self._compare_kept(stored)

    def finish(self) -> Report:
        """Says what is missing, and whether the roots agree."""
        for start, end in self.sequence.gaps:
            what = f"entry {start} is" if end == start + 1 else f"entries {start} to {end - 1} are"
            self.findings.add(start, "removed", f"{what} missing")
        self.roots.finish()
        self._finish_end()
        cosigned = self.heads.cosigned(self.trust.witnesses)
        return Report(
            self.entries,
            self._root(),
            self.heads.size,
            self.findings.in_order(),
            str(self.heads.key),
            self.trust.key is not None,
            self.findings.omitted,
            self.header.start,
            self.pruned,
            self.pruned_end,
            self.withheld,
            cosigned,
        )

    def _root(self) -> bytes:
        """The root over what was read, with what the header says is around it."""
        tree = self.roots.computed
        if self.own is not None and tree.size == self.end:
            tree = joined(tree, self.header.after, self.own.head.size)
        return tree.root()

    def _finish_end(self) -> None:
        seen, end = self.sequence.expected, self.end or 0
        if seen < end:
            text = f"the file ends before entry {seen}, but it must have those up to {end - 1}"
            self.findings.add(seen, "tail", text)
        elif seen > end and self.heads.known:
            text = f"the entries from {end} on are covered by no checkpoint"
            self.findings.add(end, "beyond", text)
        if mismatch := self.roots.mismatch(seen >= end and not self.sequence.broken):
            self.findings.add(self.roots.good, "root", mismatch)
        self._finish_heads(end)

    def _finish_heads(self, end: int) -> None:
        """Whether every head was compared, or is connected with one that was."""
        compared = [each for each in self.heads.known if self._place(each) is not None]
        covered = self.own.head.size if self.own else end
        for each in self.heads.unconnected(compared, self.trust.growth, end):
            text = uncompared_text(each, "file", covered)
            whole = not self.roots.around and each.head.size > end
            self.findings.add(end if whole else None, "tail" if whole else "consistency", text)

    def _fitting(self, own: SignedHead) -> SignedHead | None:
        """The file's own head, if the subtrees fit between the file and what that covers."""
        size = own.head.size
        self.end = min(self.end or 0, size)
        if len(self.header.after) == len(subtrees(self.end, size)):
            return own
        text = f"line 1 does not have the subtrees behind its range, up to {size} entries"
        self.findings.add(None, "malformed", text)
        return None

    def _place(self, signed: SignedHead) -> int | None:
        """How many entries there must be to compare a head with them; `None` when it cannot be."""
        if signed == self.own:
            return self.end
        within = self.header.start <= signed.head.size <= (self.end or 0)
        return signed.head.size if within else None

    def _compare(self) -> None:
        for each in self.heads.known:
            if self._place(each) == self.roots.computed.size:
                self.roots.compare(each, self.header.after if each == self.own else ())

    def _compare_kept(self, stored: Stored) -> None:
        if not stored.checkpoint:
            return
        what = f"the checkpoint at entry {stored.index}"
        signed = self.heads.opened(stored.index, what, stored.checkpoint)
        if signed is None:
            return
        if signed.head.size == self.roots.computed.size:
            self.roots.compare(signed)
        else:
            text = f"{what} is the one over {signed.head.size} entries"
            self.findings.add(stored.index, "moved", text)

    def _read_pruned(self, number: int, stored: Stored) -> None:
        self.pruned += 1
        self.pruned_end = stored.index + 1
        self.roots.grow(stored.index, "pruned", stored.leaf, stored.leaf)
        self._see(number, stored.index, "pruned", stored.index)

    def _read_entry(self, number: int, stored: Stored) -> None:
        leaf = leaf_hash(stored.canonical)
        event = read_event(stored.canonical)
        name = name_of(event)
        self.roots.grow(stored.index, name, leaf, stored.leaf)
        if leaf == stored.leaf:
            self._check_event(stored, name, event)
            self._see(number, stored.index, name, event.get("index"))
        else:
            self._see(number, stored.index, name, stored.index)

    def _check_event(self, stored: Stored, name: str, event: dict[str, Any]) -> None:
        if type(event.get("index")) is not int:
            text = f"the entry {name} is no event of a ledger"
            self.findings.add(stored.index, "changed", text)
        elif event.get("zone") != self.header.zone:
            text = f"the entry {name} is not of zone {self.header.zone}"
            self.findings.add(stored.index, "foreign", text)
        if not is_opened(event, stored.personal):
            text = f"what is told as personal of the entry {name} is not what it commits to"
            self.findings.add(stored.index, "personal", text)
        elif committed(event) and not stored.personal:
            self.withheld += 1

    def _see(self, number: int, index: int, name: str, inner: object) -> None:
        """Where the entry belongs: by the index in its event, for that one is hashed."""
        at = inner if type(inner) is int and 0 <= inner <= MAX_INT else index
        if at < self.header.start:
            self.sequence.broken = True
            text = (
                f"entry {at}, {name}, is of before the range, which starts at {self.header.start}"
            )
            self.findings.add(at, "beyond", text)
            return
        place = self.sequence.see(at)
        if at != index:
            self.sequence.broken = True
            text = f"in the place of entry {index} stands entry {at}, {name}"
            self.findings.add(index, "moved", text)
        elif place == "late":
            text = f"entry {at}, {name}, comes after later ones, at line {number}"
            self.findings.add(at, "order", text)
        if place == "twice":
            text = f"entry {at}, {name}, comes once more at line {number}"
            self.findings.add(at, "duplicated", text)


def read_event(data: bytes) -> dict[str, Any]:
    """The event that the data of a leaf holds; empty when it holds none."""
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def name_of(event: dict[str, Any]) -> str:
    """What people call an entry: its id."""
    return plain_text(str(event.get("id", "without an id")), 64)
