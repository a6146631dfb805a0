"""Checking an exported file offline: one pass, in memory that does not grow with the file.

What can be said of a change depends on who made it. An event that was edited no longer has the hash
beside it: the place is known. If that hash was edited along, only the root tells; then the
checkpoints that some entries carry, each signed, bound the place from both sides. Nothing in a file
tells of a tail that was cut down to an older checkpoint: give `verify_file` one kept elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from caracal_grpc.core.entry import MAX_INT, plain_text
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.export import MAX_LINE, ExportError, Header, parse_entry, parse_header
from caracal_grpc.ledger.finding import Findings, Report
from caracal_grpc.ledger.note import (
    NoteError,
    TreeHead,
    UnknownKeyError,
    VerifierKey,
    Verify,
    open_checkpoint,
)
from caracal_grpc.ledger.port import Stored
from caracal_grpc.ledger.roots import Roots
from caracal_grpc.ledger.sequence import Sequence
from caracal_grpc.ledger.tree import EMPTY_ROOT, leaf_hash


def verify_file(
    source: str | Path | Iterable[str],
    *,
    verifier_key: str | None = None,
    checkpoint: str | None = None,
    verify: Verify,
) -> Report:
    """Checks an exported file, or its lines, and reports everything that is wrong with it.

    `verifier_key` is the key that must have signed; without it the file's own word is taken, and
    the report says so. `checkpoint` is a signed note that was kept elsewhere: the file must contain
    what it covers. Raises `FIELD_INVALID` for a malformed key, `OBJECT_NOT_FOUND` for a missing
    file.
    """
    pinned = None if verifier_key is None else _pinned_key(verifier_key)
    if isinstance(source, str | Path):
        try:
            with Path(source).open("rb") as file:
                return _verify(_lines(file), pinned, checkpoint, verify)
        except FileNotFoundError as exc:
            text = f"there is no file {source}; name an exported ledger"
            raise CaracalError(Reason.OBJECT_NOT_FOUND, text) from exc
        except OSError as exc:
            raise field_invalid("file", "must be a file that can be read") from exc
    return _verify(iter(source), pinned, checkpoint, verify)


def _pinned_key(text: str) -> VerifierKey:
    try:
        return VerifierKey.parse(text.strip())
    except NoteError as exc:
        raise field_invalid("verifier_key", "must be of the form name+hash+key") from exc


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of an overlong one the beginning, which is refused for its length."""
    while line := file.readline(MAX_LINE + 2):
        yield line.rstrip(b"\n")
        while len(line) > MAX_LINE and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE + 2)
            if not line:
                return


def _verify(
    lines: Iterator[str | bytes],
    pinned: VerifierKey | None,
    checkpoint: str | None,
    verify: Verify,
) -> Report:
    findings = Findings()
    try:
        header = parse_header(next(lines, ""))
        key = pinned or VerifierKey.parse(header.verifier_key)
    except (ExportError, NoteError) as exc:
        findings.add(None, "malformed", f"line 1 {exc}")
        named = "" if pinned is None else str(pinned)
        return Report(0, EMPTY_ROOT, 0, findings.in_order(), named, pinned is not None)
    check = _Check(header, key, verify, findings, Roots(findings))
    check.read_header(checkpoint)
    for number, line in enumerate(lines, 2):
        if line.strip():
            check.read_line(number, line)
    check.finish()
    return Report(
        check.entries,
        check.roots.computed.root(),
        check.size,
        findings.in_order(),
        str(key),
        pinned is not None,
        findings.omitted,
    )


@dataclass(slots=True)
class _Check:
    """One pass over a file: its header, then its lines in order, then what only the end shows."""

    header: Header
    key: VerifierKey
    verify: Verify
    findings: Findings
    roots: Roots
    entries: int = 0
    heads: list[TreeHead] = field(default_factory=list)
    sequence: Sequence = field(default_factory=Sequence)

    def read_header(self, checkpoint: str | None) -> None:
        """Takes the checkpoints that the file must match: its own, and the caller's."""
        if self.header.verifier_key != str(self.key):
            self.findings.add(None, "key", f"the file names another key than {self.key}")
        notes = {"the checkpoint of the file": self.header.checkpoint}
        if checkpoint is not None:
            notes["the given checkpoint"] = checkpoint
        opened = (self._opened(None, what, note) for what, note in notes.items())
        self.heads = [head for head in opened if head is not None]
        self._compare()

    def read_line(self, number: int, line: str | bytes) -> None:
        """Takes the line of one entry."""
        try:
            stored = parse_entry(line)
        except ExportError as exc:
            self.findings.add(self.sequence.expected, "malformed", f"line {number} {exc}")
            self.sequence.unreadable()
            return
        self.entries += 1
        leaf = leaf_hash(stored.canonical)
        event = _event(stored.canonical)
        name = plain_text(str(event.get("id", "without an id")), 64)
        self.roots.grow(stored.index, name, leaf, stored.leaf)
        if leaf == stored.leaf:
            self._check_event(stored.index, name, event)
            self._place(number, stored.index, name, event.get("index"))
        else:
            self._place(number, stored.index, name, stored.index)
        if not self.sequence.broken:
            self._compare()
            self._compare_kept(stored)

    def finish(self) -> None:
        """Says what is missing, and whether the roots agree."""
        for start, end in self.sequence.gaps:
            what = f"entry {start} is" if end == start + 1 else f"entries {start} to {end - 1} are"
            self.findings.add(start, "removed", f"{what} missing")
        self.roots.finish()
        size = self.size
        seen = self.sequence.expected
        if seen < size:
            text = f"the file ends before entry {seen}, but the checkpoint covers {size} entries"
            self.findings.add(seen, "tail", text)
        elif seen > size and self.heads:
            text = f"the entries from {size} on are covered by no checkpoint"
            self.findings.add(size, "beyond", text)
        if mismatch := self.roots.mismatch(seen >= size and not self.sequence.broken):
            self.findings.add(self.roots.good, "root", mismatch)

    @property
    def size(self) -> int:
        """The most entries that a signed checkpoint covers; 0 without one."""
        return max((head.size for head in self.heads), default=0)

    def _opened(self, index: int | None, what: str, note: str) -> TreeHead | None:
        try:
            head = open_checkpoint(note, self.key, self.verify)
        except NoteError as exc:
            unknown = isinstance(exc, UnknownKeyError)
            self.findings.add(index, "key" if unknown else "signature", f"{what} {exc}")
            return None
        if head.origin == self.header.origin:
            return head
        text = f"{what} is of {head.origin}, not of {self.header.origin}"
        self.findings.add(index, "foreign", text)
        return None

    def _check_event(self, index: int, name: str, event: dict[str, Any]) -> None:
        if type(event.get("index")) is not int:
            self.findings.add(index, "changed", f"the entry {name} is no event of a ledger")
        elif event.get("zone") != self.header.zone:
            text = f"the entry {name} is not of zone {self.header.zone}"
            self.findings.add(index, "foreign", text)

    def _place(self, number: int, index: int, name: str, inner: object) -> None:
        """Where the entry belongs: by the index in its event, for that one is hashed."""
        at = inner if type(inner) is int and 0 <= inner <= MAX_INT else index
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

    def _compare(self) -> None:
        for head in self.heads:
            if head.size == self.roots.computed.size:
                self.roots.compare(head.root)

    def _compare_kept(self, stored: Stored) -> None:
        what = f"the checkpoint at entry {stored.index}"
        head = self._opened(stored.index, what, stored.checkpoint) if stored.checkpoint else None
        if head is None:
            return
        if head.size == self.roots.computed.size:
            self.roots.compare(head.root)
        else:
            text = f"{what} is the one over {head.size} entries"
            self.findings.add(stored.index, "moved", text)


def _event(data: bytes) -> dict[str, Any]:
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}
