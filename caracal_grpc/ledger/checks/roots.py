"""Holding what was read against signed roots, and saying what follows for single entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from caracal_grpc.ledger.checks.finding import MAX_FINDINGS, Findings, Kind
from caracal_grpc.ledger.checks.heads import SignedHead, fork_text
from caracal_grpc.ledger.tree import Frontier
from caracal_grpc.ledger.trees.proof import joined

_WORDS: Final[dict[Kind, str]] = {
    "changed": "was changed; the leaf hash beside it is the one that was signed",
    "leaf": "is as it was signed, but the leaf hash beside it was changed",
}


@dataclass(slots=True)
class Roots:
    """Two trees over the entries read: over the events, and over the hashes beside them.

    They are one until an entry at which they differ. Whichever has a signed root is as it was
    signed; it tells for each differing entry which of the two was changed, and both go on from it.
    A signed root that neither has, while they have one that was signed for as many entries or more,
    contradicts that one. `around` says whether subtrees beside the entries are part of the roots.
    """

    findings: Findings
    around: bool = False
    computed: Frontier = field(default_factory=Frontier)
    declared: Frontier | None = None
    good: int = 0
    _agreed: SignedHead | None = None
    _good_before: int = 0
    _missed: list[tuple[SignedHead, int]] = field(default_factory=list)
    _bad: int = 0
    _differing: list[tuple[int, str]] = field(default_factory=list)

    def grow(self, index: int, name: str, computed: bytes, declared: bytes) -> None:
        """Adds the leaf of an entry, as computed from its event and as declared beside it."""
        if computed != declared:
            self._differ(index, name)
            if self.declared is None:
                self.declared = self.computed
        self.computed = self.computed.extend((computed,))
        if self.declared is not None:
            self.declared = self.declared.extend((declared,))

    def compare(self, signed: SignedHead, after: Sequence[bytes] = ()) -> None:
        """Holds both trees, with the subtrees `after` behind them, against a signed head."""
        size, root = signed.head.size, signed.head.root
        if root == joined(self.computed, after, size).root():
            self._settle(signed, "leaf")
        elif self.declared is not None and root == joined(self.declared, after, size).root():
            self.computed = self.declared
            self._settle(signed, "changed")
        elif self._agreed is not None and self._agreed.head.size >= size:
            self.findings.add(self._good_before, "fork", fork_text(signed, self._agreed))
        elif len(self._missed) < MAX_FINDINGS:
            self._bad = self._bad if self._missed else self.computed.size
            self._missed.append((signed, self.good))

    def finish(self) -> None:
        """Reports the differing entries for which no root could tell more."""
        for index, name in self._differing:
            text = f"the entry {name} does not have the leaf hash beside it"
            self.findings.add(index, "changed", text)

    def mismatch(self, comparable: bool) -> str:
        """What to say of the whole: empty when it is as signed, or why and from where it is not."""
        if self._missed:
            size = self._missed[0][0].head.size
            around = (
                ", or hashes of what is before or behind the range are not" if self.around else ""
            )
            return (
                f"the root over {size} entries is not the signed one: at least one event and "
                f"one leaf hash among the entries {self.good} to {self._bad - 1} are not those "
                f"that were signed{around}"
            )
        if comparable:
            return ""
        return (
            "the signed root cannot be compared while entries are missing or misplaced: "
            f"the {self.good} first are as they were signed, later ones may differ too"
        )

    def _differ(self, index: int, name: str) -> None:
        if len(self._differing) < MAX_FINDINGS:
            self._differing.append((index, name))
        else:
            self.findings.omitted += 1

    def _settle(self, signed: SignedHead, kind: Kind) -> None:
        for missed, good in self._missed:
            self.findings.add(good, "fork", fork_text(missed, signed))
        self._missed.clear()
        self._agreed = signed
        self._good_before, self.good = self.good, self.computed.size
        self.declared = None
        for index, name in self._differing:
            self.findings.add(index, kind, f"the entry {name} {_WORDS[kind]}")
        self._differing.clear()
