"""One entry as a ledger keeps it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from caracal_grpc.core.entry import Entry
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.ledger.entries.disclosure import committed, is_opened, whole_event
from caracal_grpc.ledger.tree import leaf_hash


@dataclass(frozen=True, slots=True)
class Stored:
    """One entry as it is kept.

    `canonical` is the leaf's data: the RFC 8785 JSON of the event with its `index`. `leaf` is the
    hash kept beside it. `checkpoint` is the signed checkpoint taken right after this entry, which
    some entries carry so that a verifier can say more exactly where a ledger was changed.
    `personal` is what opens the event's commitment (`ledger.disclosure`).
    """

    index: int
    canonical: bytes
    leaf: bytes
    checkpoint: str = ""
    personal: bytes = b""

    @property
    def entry(self) -> Entry | None:
        """The entry with what is personal of it, as far as that is kept; `None` when it was pruned,
        or changed so that the bytes hold none any more.
        """
        try:
            return Entry.from_event(whole_event(self._event, self.personal))
        except (CaracalError, ValueError, RecursionError):
            return None

    @property
    def intact(self) -> bool:
        """Whether the bytes still have the hash that was kept beside them, and what is personal the
        one that they say. A pruned entry has no bytes that could.
        """
        if leaf_hash(self.canonical) != self.leaf:
            return False
        try:
            return is_opened(self._event, self.personal)
        except (ValueError, RecursionError):
            return not self.personal

    @property
    def erased(self) -> bool:
        """Whether there was something personal of it that is not kept any more."""
        try:
            return not self.personal and bool(committed(self._event))
        except (ValueError, RecursionError):
            return False

    @property
    def pruned(self) -> bool:
        """Whether its place and its hash are all that is left of it."""
        return not self.canonical

    @property
    def _event(self) -> dict[str, Any]:
        event = json.loads(self.canonical)
        if isinstance(event, dict):
            return event
        raise ValueError("the bytes are no event")
