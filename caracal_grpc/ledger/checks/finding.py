"""What a verification found: where, of what kind, and in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

MAX_FINDINGS: Final = 1_000

Kind = Literal[
    "malformed",
    "key",
    "signature",
    "changed",
    "leaf",
    "moved",
    "order",
    "duplicated",
    "removed",
    "foreign",
    "tail",
    "beyond",
    "root",
    "tile",
    "column",
    "personal",
    "fork",
    "consistency",
    "witness",
]
"""What is wrong.

`malformed`: a line that cannot be read. `key`: not signed by the expected key. `signature`: a
signature that does not hold. `changed`: an entry is not what was recorded. `leaf`: only the hash
beside an entry was changed. `moved`: an entry stands in another's place. `order`: an entry comes
too late. `duplicated`: an entry comes twice. `removed`: entries are missing. `foreign`: an entry
or a checkpoint of another zone. `tail`: the end is cut off. `beyond`: entries that no checkpoint
covers. `root`: the whole does not hash to the signed root, or could not be compared to it. `tile`:
a tile is missing, or has other hashes than those of which it is made. `column`: searches find an
entry by something else than it says. `personal`: what is personal of an entry is not what it
commits to. `fork`: two checkpoints contradict each other, and the key of the zone signed both: it
showed two histories. `consistency`: a checkpoint that nothing connects with what is checked, or a
consistency proof that does not hold. `witness`: no checkpoint that was compared has a cosignature
that was asked for.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: the index of the entry (`None` when it is of the file), and why."""

    index: int | None
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a verification.

    `entries` is how many were read and `root` the root over them (where an event was changed and
    its signed leaf hash is known, over that hash); `size` is how many the checkpoint signs.
    `pinned` says whether the caller named the key: without that, the file was only held against
    the key that it names itself, which whoever rewrote all of it could have replaced. `omitted`
    counts findings beyond the first 1000. `start` is the index of the first entry that is proven.

    `pruned` counts entries whose place and hash are proven and whose content is gone, and
    `pruned_end` is the index behind the last of them; `withheld` counts those of which the personal
    part is not told: both are no findings. `cosigned` says which witness cosigned, and when at
    last, in seconds since the Unix epoch.
    """

    entries: int
    root: bytes
    size: int
    findings: tuple[Finding, ...]
    verifier_key: str
    pinned: bool
    omitted: int = 0
    start: int = 0
    pruned: int = 0
    pruned_end: int = 0
    withheld: int = 0
    cosigned: tuple[tuple[str, int], ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


@dataclass(slots=True)
class Findings:
    """The findings so far, bounded in number."""

    kept: list[Finding] = field(default_factory=list)
    omitted: int = 0

    def add(self, index: int | None, kind: Kind, text: str) -> None:
        """Keeps a finding, or counts it when there are too many."""
        if len(self.kept) < MAX_FINDINGS:
            self.kept.append(Finding(index, kind, text))
        else:
            self.omitted += 1

    def in_order(self) -> tuple[Finding, ...]:
        """The findings of the file first, then by index."""
        return tuple(sorted(self.kept, key=lambda f: -1 if f.index is None else f.index))
