"""What the authority may ask of a ledger, whichever engine keeps it.

Every method raises `CaracalError` only: `AUDIT_UNAVAILABLE` when the engine fails, is closed or is
overrun, or when what it keeps no longer matches its own checkpoint.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from caracal_grpc.core.entry import Entry
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.retention import Erased, Hold, Pruned
from caracal_grpc.ledger.entries.stored import Stored

if TYPE_CHECKING:
    from caracal_grpc.ledger.checks.sweep import Sweep

MAX_PAGE: Final = 1_000
MAX_PAGE_BYTES: Final = 2 * 1024 * 1024
"""Of the entries of a page together: each tells what policy was asked, which may be long."""
MAX_LEAVES: Final = 65_536
"""Leaf hashes that are read at once: 2 MiB."""
RETRY_AFTER: Final = 1.0


@dataclass(frozen=True, slots=True)
class Receipt:
    """That an entry is durable: its place in the sequence of its zone, and the hash of its leaf."""

    index: int
    leaf_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which entries to find: those that equal every field that is not empty.

    `since` (inclusive) and `until` (exclusive) are in milliseconds since the Unix epoch, `start`
    (inclusive) and `end` (exclusive) are indexes. The order is that of `order_by`: `index`, `time`
    or a field; what has not got the field comes first, and what is equal in it goes by index.
    `newest_first` is the whole of it the other way round.
    """

    audit_id: str = ""
    jti: str = ""
    request_id: str = ""
    about: str = ""
    session: str = ""
    application: str = ""
    subject: str = ""
    resource: str = ""
    reason: str = ""
    type: str = ""
    decision: str = ""
    since: int | None = None
    until: int | None = None
    start: int = 0
    end: int | None = None
    order_by: str = "index"
    newest_first: bool = False


EVERYTHING: Final = Filter()


@dataclass(frozen=True, slots=True)
class Page:
    """Entries that were found, and the token that continues after them, empty at the end.

    `size` is how many entries the zone has; those below `pruned` may be missing.
    """

    entries: tuple[Stored, ...]
    next_page_token: str = ""
    size: int = 0
    pruned: int = 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The signed root over all entries of a zone: the note, and the size and root that it signs."""

    note: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Proof:
    """The hashes of an inclusion or a consistency proof, and the checkpoint that they lead to."""

    hashes: tuple[bytes, ...]
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class RangeProof:
    """The subtrees before and behind a range, and the checkpoint that all together lead to."""

    before: tuple[bytes, ...]
    after: tuple[bytes, ...]
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A checkpoint that a witness, named by its verifier key, has cosigned: its size and note."""

    witness: str
    size: int
    note: str


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
        self,
        zone: str,
        query: Filter = EVERYTHING,
        *,
        page_size: int = 100,
        page_token: str = "",
        briefly: bool = False,
    ) -> Page:
        """The next page of what `query` finds; at most 1000 entries and 2 MiB of them, and maybe
        fewer although there are more: the token tells.

        All pages of a search find of what was there when the first of them was read; what is pruned
        meanwhile is missing, and all else is as it was. With `briefly` even an empty page comes
        back when it passed by so many entries that did not match that others should have their
        turn. Raises `FIELD_INVALID` for a page size out of range, an order that there is not, or a
        token of another search.
        """
        ...

    async def size(self, zone: str) -> int:
        """How many entries a zone has, the pruned ones included."""
        ...

    async def get(self, zone: str, audit_id: str) -> Stored | None:
        """The entry with this id, or `None`."""
        ...

    async def checkpoint(self, zone: str) -> Checkpoint:
        """The newest signed checkpoint of a zone; one over nothing for a zone without entries."""
        ...

    async def inclusion(self, zone: str, index: int, size: int = 0) -> Proof:
        """What proves the entry at `index`, pruned or not, in the tree of `size` entries.

        `size` 0 is the newest, here and in the other proofs; the checkpoint over another is signed
        when it is asked for. Raises `FIELD_INVALID` for an index or a size that the tree has not.
        """
        ...

    async def consistency(self, zone: str, first: int, second: int = 0) -> Proof:
        """What proves that the tree of `second` entries grew from that of `first`, at least 1.

        Raises `FIELD_INVALID` for sizes that the tree has not had, or in the other order.
        """
        ...

    async def range_proof(self, zone: str, start: int, end: int = 0, size: int = 0) -> RangeProof:
        """What proves the entries with `start` <= index < `end` at once; `end` 0 is the size.

        Raises `FIELD_INVALID` for a range or a size that the tree has not.
        """
        ...

    async def leaf_hashes(self, zone: str, start: int, end: int) -> tuple[bytes, ...]:
        """The leaf hashes of the entries with `start` <= index < `end`, pruned or not.

        At most `MAX_LEAVES`; raises `FIELD_INVALID` for more, and for what the tree has not.
        """
        ...

    async def cosign(self, zone: str, cosigned: Cosigned) -> None:
        """Keeps a cosigned checkpoint instead of what its witness cosigned of fewer entries."""
        ...

    async def cosigned(self, zone: str) -> tuple[Cosigned, ...]:
        """The newest checkpoint that each witness has cosigned."""
        ...

    async def zones(self) -> tuple[str, ...]:
        """Every zone that has a tree, also those that were removed."""
        ...

    async def sweep(self, sweep: Sweep) -> bool:
        """Lets the sweep check its next part, beside what is appended; whether there is more."""
        ...

    async def quarantine(self, zone: str, why: str) -> None:
        """Takes no more entries of a zone until it is opened anew; `why` is told to who asks."""
        ...

    def export(self, zone: str, start: int = 0, end: int | None = None) -> AsyncIterator[Stored]:
        """The entries of a zone with `start` <= index < `end`, in order."""
        ...

    @property
    def shared(self) -> bool:
        """Whether other authority processes may record into it, too."""
        ...

    async def add_hold(self, zone: str, hold: Hold) -> None:
        """Keeps what a hold matches from being pruned and erased, from now on; raises
        `LIMIT_EXCEEDED` when the zone has as many as it may.
        """
        ...

    async def remove_hold(self, zone: str, hold: str) -> bool:
        """Ends a hold; whether there was one of that id."""
        ...

    async def list_holds(self, zone: str) -> tuple[Hold, ...]:
        """The holds of a zone, oldest first."""
        ...

    async def prune(self, zone: str, before: int, *, dry_run: bool = False) -> Pruned:
        """Takes away the entries from before a moment, in ms, and leaves their hashes.

        The newest 256 stay, and what is behind the last complete tile. With `dry_run` it only
        counts. Raises `AUDIT_UNAVAILABLE`, also for an entry that is not what the tree says, which
        stays; some may be gone then.
        """
        ...

    async def erase(self, zone: str, subject: str, *, dry_run: bool = False) -> Erased:
        """Takes away what is personal of every entry that names a subject, and leaves the event.

        Once this returns, no query finds it, and no byte of it is left in a file. What a server
        keeps of old rows it overwrites when it needs the room. With `dry_run` it only counts.
        Raises `AUDIT_UNAVAILABLE`; some may be erased then, and the same may be asked again.
        """
        ...

    @property
    def answers(self) -> bool:
        """Whether entries can be recorded now, as far as is known; what does not is tried again."""
        ...

    async def free_bytes(self) -> int | None:
        """How many bytes are left for entries where they are kept, `None` when that is not told."""
        ...

    async def close(self) -> None:
        """Records what was accepted, then lets go of the engine; idempotent."""
        ...


def unavailable(message: str) -> CaracalError:
    """The refusal of a ledger that cannot record or answer now."""
    return CaracalError(Reason.AUDIT_UNAVAILABLE, message, retry_after=RETRY_AFTER)
