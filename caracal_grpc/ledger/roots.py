"""Holding what was read against signed roots, and saying what follows for single entries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from caracal_grpc.ledger.finding import MAX_FINDINGS, Findings, Kind
from caracal_grpc.ledger.tree import Frontier

_WORDS: Final[dict[Kind, str]] = {
    "changed": "was changed; the leaf hash beside it is the one that was signed",
    "leaf": "is as it was signed, but the leaf hash beside it was changed",
}


@dataclass(slots=True)
class Roots:
    """Two trees over the entries read: over the events, and over the hashes beside them.

    They are one until an entry at which they differ. Whichever has a signed root is as it was
    signed; it tells for each differing entry which of the two was changed, and both go on from it.
    """

    findings: Findings
    computed: Frontier = field(default_factory=Frontier)
    declared: Frontier | None = None
    good: int = 0
    bad: int | None = None
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

    def compare(self, root: bytes) -> None:
        """Holds both trees against a root that was signed for their present size."""
        if root == self.computed.root():
            self._settle("leaf")
        elif self.declared is not None and root == self.declared.root():
            self.computed = self.declared
            self._settle("changed")
        elif self.bad is None:
            self.bad = self.computed.size

    def finish(self) -> None:
        """Reports the differing entries for which no root could tell more."""
        for index, name in self._differing:
            text = f"the entry {name} does not have the leaf hash beside it"
            self.findings.add(index, "changed", text)

    def mismatch(self, comparable: bool) -> str:
        """What to say of the whole: empty when it is as signed, or why and from where it is not."""
        if self.bad is not None:
            return (
                f"the root over {self.bad} entries is not the signed one: at least one event and "
                f"one leaf hash among the entries {self.good} to {self.bad - 1} are not those "
                "that were signed"
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

    def _settle(self, kind: Kind) -> None:
        self.good = self.computed.size
        self.declared = None
        for index, name in self._differing:
            self.findings.add(index, kind, f"the entry {name} {_WORDS[kind]}")
        self._differing.clear()
