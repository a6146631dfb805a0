"""The signed heads that something is held against, and what they say of each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from caracal_grpc.ledger.checks.finding import Findings
from caracal_grpc.ledger.notes.cosignature import WitnessKey, open_cosigned
from caracal_grpc.ledger.notes.note import (
    NoteError,
    TreeHead,
    UnknownKeyError,
    VerifierKey,
    Verify,
    open_checkpoint,
)
from caracal_grpc.ledger.trees.proof import verify_consistency

_GIVEN: Final = "the given checkpoint"
_PROVEN: Final = "the checkpoint of the consistency proof"


@dataclass(frozen=True, slots=True)
class Growth:
    """A consistency proof from elsewhere: its hashes, and the note of the newer checkpoint."""

    hashes: tuple[bytes, ...]
    checkpoint: str


@dataclass(frozen=True, slots=True)
class Trust:
    """What an auditor got elsewhere, to hold a file or a receipt against; all of it optional.

    `key` must have signed, `checkpoint` is a note that the file must not contradict, `growth`
    connects two checkpoints, and every one of `witnesses` must have cosigned.
    """

    key: VerifierKey | None = None
    checkpoint: str | None = None
    growth: Growth | None = None
    witnesses: tuple[WitnessKey, ...] = ()


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A tree head that the key of the zone signed, its note, and what people call it."""

    what: str
    head: TreeHead
    note: str


@dataclass(slots=True)
class Heads:
    """The heads that were opened, each signed by `key` and of the log that it is named after."""

    key: VerifierKey
    verify: Verify
    findings: Findings
    known: list[SignedHead] = field(default_factory=list)

    def take(self, own: str, note: str, trust: Trust) -> SignedHead | None:
        """Opens the checkpoint of what is checked, which people call `own`, and those of `trust`.

        Returns the first. Of two that contradict each other over as many entries, which is
        reported, only the first counts.
        """
        notes = [(own, note)]
        if trust.checkpoint is not None:
            notes.append((_GIVEN, trust.checkpoint))
        if trust.growth is not None:
            notes.append((_PROVEN, trust.growth.checkpoint))
        for what, each in notes:
            signed = self.opened(None, what, each)
            if signed is not None and self._fits(signed):
                self.known.append(signed)
        return next((each for each in self.known if each.what == own), None)

    def opened(self, index: int | None, what: str, note: str) -> SignedHead | None:
        """The head in a note, or a finding at `index` that says why it is not to be believed."""
        try:
            head = open_checkpoint(note, self.key, self.verify)
        except NoteError as exc:
            unknown = isinstance(exc, UnknownKeyError)
            self.findings.add(index, "key" if unknown else "signature", f"{what} {exc}")
            return None
        if head.origin == self.key.name:
            return SignedHead(what, head, note)
        text = f"{what} is of {head.origin}, not of {self.key.name}"
        self.findings.add(index, "foreign", text)
        return None

    @property
    def size(self) -> int:
        """The most entries that one of them covers; 0 without any."""
        return max((each.head.size for each in self.known), default=0)

    def unconnected(
        self, compared: Iterable[SignedHead], growth: Growth | None, end: int
    ) -> list[SignedHead]:
        """Those that neither are `compared` with the entries nor are connected with one that is.

        Connected are heads over the same tree, and two that the proof connects: with what grew from
        it an older one, but a newer one only with what covers all entries, up to `end`. What comes
        behind an older one within them may be in another history. A proof that connects none is
        reported.
        """
        reached = {each.head for each in compared}
        newer = next((each.head for each in self.known if each.what == _PROVEN), None)
        if growth is not None and newer is not None:
            older = self._grown_to(newer, growth.hashes)
            if newer in reached or any(each in reached and each.size >= end for each in older):
                reached |= {newer, *older}
        return [each for each in self.known if each.head not in reached]

    def cosigned(self, witnesses: Sequence[WitnessKey]) -> tuple[tuple[str, int], ...]:
        """When each witness cosigned one of the heads at last; those that did not are reported."""
        found = []
        for witness in witnesses:
            times = list(
                filter(None, (self._cosigned_at(each.note, witness) for each in self.known))
            )
            if times:
                found.append((str(witness), max(times)))
            else:
                text = f"no checkpoint that holds is cosigned by {witness}"
                self.findings.add(None, "witness", text)
        return tuple(found)

    def _cosigned_at(self, note: str, witness: WitnessKey) -> int:
        """When, in seconds since the Unix epoch; 0 when it did not, or does not say when."""
        try:
            return open_cosigned(note, self.key, witness, self.verify)[1]
        except UnknownKeyError:
            return 0
        except NoteError as exc:
            self.findings.add(None, "witness", f"a checkpoint {exc}")
            return 0

    def _fits(self, signed: SignedHead) -> bool:
        for other in self.known:
            if other.head.size == signed.head.size and other.head != signed.head:
                self.findings.add(0, "fork", fork_text(signed, other))
                return False
        return True

    def _grown_to(self, newer: TreeHead, hashes: Sequence[bytes]) -> list[TreeHead]:
        """The older heads from which the hashes lead to the newer one, that of the proof."""
        older = {each.head for each in self.known if each.head.size < newer.size}
        held = [
            each
            for each in older
            if verify_consistency(each.size, newer.size, each.root, newer.root, hashes)
        ]
        if older and not held:
            sizes = " or ".join(str(each.size) for each in sorted(older, key=lambda h: h.size))
            text = f"the proof does not lead from a checkpoint over {sizes} to {newer.size} entries"
            self.findings.add(None, "consistency", text)
        return held


def uncompared_text(signed: SignedHead, with_what: str, covered: int) -> str:
    """That a head cannot be compared with what is checked, whose own covers so many entries."""
    smaller, larger = sorted((signed.head.size, covered))
    return (
        f"{signed.what} covers {signed.head.size} entries and cannot be compared with the "
        f"{with_what}; give a consistency proof from {smaller} to {larger} entries"
    )


def fork_text(one: SignedHead, other: SignedHead) -> str:
    """That two signed heads contradict each other."""
    first, second = (
        f"{each.what} over {each.head.size} entries with the root {each.head.root.hex()}"
        for each in (one, other)
    )
    return f"{first} contradicts {second}: both are signed, so the zone showed two histories"
