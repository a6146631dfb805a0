"""The port of the store: keys, records, changes, events, and what every store promises.

A store is one ordered history. Each mutation is one revision, atomic and durable when the call
returns, and answers the revision at which it holds. Values are JSON objects.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.store.health import StoreHealth

MAX_PART: Final = 200
"""Characters in one part of a key."""
MAX_CHANGES: Final = 128
"""Changes, and expectations, in one commit: etcd's default `--max-txn-ops`."""
MAX_COMMIT_BYTES: Final = 1_048_576
"""Bytes of all values in one commit: under etcd's default `--max-request-bytes` of 1.5 MiB."""
MAX_TTL: Final = 366 * 86_400
"""The longest life of a key in seconds: a year and a day."""
BEATS_ZONE: Final = "_beats"
"""Where stores prove that their watches are current; never a zone of a `Key`."""

Value = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """The place of one object: whose it is, what it is, which one.

    Each part is 1 to 200 printable characters without a slash; raises `FIELD_INVALID` otherwise.
    """

    zone: str
    kind: str
    id: str

    def __post_init__(self) -> None:
        if not (_fits(self.zone) and _fits(self.kind) and _fits(self.id)):
            raise self._misfit()
        if self.zone == BEATS_ZONE:
            raise field_invalid("key.zone", f"{BEATS_ZONE} is the store's own, choose another")

    def _misfit(self) -> Exception:
        parts = {"zone": self.zone, "kind": self.kind, "id": self.id}
        bad = next(name for name, part in parts.items() if not _fits(part))
        return field_invalid(
            f"key.{bad}", f"must be 1 to {MAX_PART} printable characters without a slash"
        )


def _fits(part: str) -> bool:
    return 0 < len(part) <= MAX_PART and "/" not in part and part.isprintable()


@dataclass(frozen=True, slots=True)
class Record:
    """One stored object and the revision that last changed it."""

    key: Key
    value: Value
    revision: int


@dataclass(frozen=True, slots=True)
class Put:
    """Write `value` at `key`, whatever is there; it lives at least `ttl` seconds, or for ever.

    A ttl is a floor: etcd keeps the key up to a few minutes longer, because leases are shared.
    Who needs an exact end writes it into the value too.
    """

    key: Key
    value: Value
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove `key`; inside a commit a key that is not there is no error."""

    key: Key


Change = Put | Delete


@dataclass(frozen=True, slots=True)
class Expect:
    """A precondition: `key` was last changed at `revision`; 0 means that it must not exist."""

    key: Key
    revision: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything asked for, as it stood at `revision`."""

    revision: int
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Delta:
    """All that one revision changed: never part of it, never two revisions together."""

    revision: int
    puts: tuple[Record, ...]
    deletes: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Beat:
    """A proof that the watch is current: nothing up to `revision` is missing.

    The proof was started at `as_of` (monotonic seconds), so what was written before then is seen.
    """

    revision: int
    as_of: float


Event = Snapshot | Delta | Beat


class Store(Protocol):
    """What every room needs of the state; trouble of any driver is `STORE_UNAVAILABLE`.

    Every call is bounded in time. Reads are linearizable; `min_revision` waits, within that bound,
    until the store has reached a revision that an earlier mutation returned.
    """

    async def get(self, key: Key, *, min_revision: int = 0) -> Record | None:
        """The record at `key`, or `None` when there is none."""
        ...

    async def list(
        self, zone: str | None = None, kind: str | None = None, *, min_revision: int = 0
    ) -> Snapshot:
        """All records of `zone` and `kind` (`None` means any) at one revision, in order of keys."""
        ...

    async def create(self, key: Key, value: Value, *, ttl: int | None = None) -> int:
        """Write `key`, which must not exist yet; raises `OBJECT_EXISTS` when it does."""
        ...

    async def update(self, key: Key, change: Callable[[Value], Value]) -> int:
        """Replace the value by `change(value)`; what is left of the key's life stays as it is.

        `change` may run several times, so it must be pure; what it raises ends the update. A result
        equal to the value writes nothing. Raises `OBJECT_NOT_FOUND`, and `CONFLICT` when others
        keep winning the race for a bounded number of attempts.
        """
        ...

    async def delete(self, key: Key) -> int:
        """Remove `key`; raises `OBJECT_NOT_FOUND` when it is not there."""
        ...

    async def commit(self, changes: Sequence[Change], expects: Sequence[Expect] = ()) -> int:
        """All `changes` in one revision if every expectation holds; raises `CONFLICT` otherwise.

        A commit that changes nothing returns the revision at which its expectations were checked.
        """
        ...

    def watch(self) -> AsyncGenerator[Event, None]:
        """Everything under the prefix: a `Snapshot`, then each `Delta` and `Beat` in order.

        A new `Snapshot` comes whenever the history has a gap. It outlives outages, and ends only
        when it or the store is closed; hold it in `contextlib.aclosing`.
        """
        ...

    async def health(self) -> StoreHealth:
        """What the store says of itself; a part of it that does not answer is told, not raised."""
        ...

    async def close(self) -> None:
        """Ends every watch and lets go of connections; later calls are `STORE_UNAVAILABLE`."""
        ...
