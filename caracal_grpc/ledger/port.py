"""What the authority may ask of a ledger, whichever engine keeps it.

Every method raises `CaracalError` only: `AUDIT_UNAVAILABLE` when the engine fails, is closed or is
overrun, or when what it keeps no longer matches its own checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from caracal_grpc.core.entry import Entry
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.tree import leaf_hash

MAX_PAGE: Final = 1_000
MAX_PAGE_BYTES: Final = 2 * 1024 * 1024
"""Of the entries of a page together: each tells what policy was asked, which may be long."""
RETRY_AFTER: Final = 1.0


@dataclass(frozen=True, slots=True)
class Receipt:
    """That an entry is durable: its place in the sequence of its zone, and the hash of its leaf."""

    index: int
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """One entry as it is kept.

    `canonical` is the leaf's data: the RFC 8785 JSON of the event with its `index`. `leaf` is the
    hash kept beside it. `checkpoint` is the signed checkpoint taken right after this entry, which
    some entries carry so that a verifier can say more exactly where a ledger was changed.
    """

    index: int
    canonical: bytes
    leaf: bytes
    checkpoint: str = ""

    @property
    def entry(self) -> Entry | None:
        """The entry, or `None` when the bytes were changed so that they hold none any more."""
        try:
            event = json.loads(self.canonical)
            return Entry.from_event(event) if isinstance(event, dict) else None
        except (CaracalError, ValueError, RecursionError):
            return None

    @property
    def intact(self) -> bool:
        """Whether the bytes still have the hash that was kept beside them."""
        return leaf_hash(self.canonical) == self.leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which entries to find: those that equal every field that is not empty.

    `since` (inclusive) and `until` (exclusive) are in milliseconds since the Unix epoch. The order
    is that of the sequence, oldest first unless `newest_first`.
    """

    audit_id: str = ""
    jti: str = ""
    request_id: str = ""
    session: str = ""
    application: str = ""
    subject: str = ""
    resource: str = ""
    reason: str = ""
    type: str = ""
    decision: str = ""
    since: int | None = None
    until: int | None = None
    newest_first: bool = False


EVERYTHING: Final = Filter()


@dataclass(frozen=True, slots=True)
class Page:
    """Entries that were found, and the token that continues after them, empty at the end."""

    entries: tuple[Stored, ...]
    next_page_token: str = ""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The signed root over all entries of a zone: the note, and the size and root that it signs."""

    note: str
    size: int
    root: bytes


class Ledger(Protocol):
    """The record of decisions of every zone: one gap-free sequence and one tree a zone."""

    async def append(self, entry: Entry) -> Receipt:
        """Records an entry; returns when it is durable and covered by a signed checkpoint.

        Raises `AUDIT_UNAVAILABLE` when that cannot be promised (the entry may be recorded even so),
        `OBJECT_EXISTS` when the zone has an entry of that id, `LIMIT_EXCEEDED` when the entry is
        too large. A caller that is cancelled while waiting leaves the entry to be recorded.
        """
        ...

    async def append_all(self, entries: Sequence[Entry]) -> int:
        """Records, in one commit, those of `entries` whose id their zone has not got; how many.

        So what is sent again is recorded once. Raises as `append`, but for an id that is there
        already, which is left as it is, whatever it stands for. When it raises, none may be
        recorded, or all: the same may be sent again.
        """
        ...

    async def search(
        self, zone: str, query: Filter = EVERYTHING, *, page_size: int = 100, page_token: str = ""
    ) -> Page:
        """The next page of what `query` finds; at most 1000 entries and 2 MiB of them.

        Raises `FIELD_INVALID` for a page size out of range or a token of another search.
        """
        ...

    async def get(self, zone: str, audit_id: str) -> Stored | None:
        """The entry with this id, or `None`."""
        ...

    async def checkpoint(self, zone: str) -> Checkpoint:
        """The newest signed checkpoint of a zone; one over nothing for a zone without entries."""
        ...

    def export(self, zone: str, start: int = 0, end: int | None = None) -> AsyncIterator[Stored]:
        """The entries of a zone with `start` <= index < `end`, in order."""
        ...

    async def free_bytes(self) -> int:
        """How many bytes are left for entries where they are kept."""
        ...

    async def close(self) -> None:
        """Records what was accepted, then lets go of the engine; idempotent."""
        ...


def unavailable(message: str) -> CaracalError:
    """The refusal of a ledger that cannot record or answer now."""
    return CaracalError(Reason.AUDIT_UNAVAILABLE, message, retry_after=RETRY_AFTER)
