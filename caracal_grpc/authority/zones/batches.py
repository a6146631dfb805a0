"""Changes put together as one commit of the store holds them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from caracal_grpc.authority.state.slices import in_slices
from caracal_grpc.authority.zones.change import Change
from caracal_grpc.authority.zones.told import Told
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import MAX_CHANGES, MAX_COMMIT_BYTES, Delete
from caracal_grpc.store.port import Change as Write

_ROOM: Final = MAX_CHANGES - 8
"""Writes, and expectations, of changes in one commit; the rest is for the turn, the mark and what
is owed. A line of each fits one entry."""
_BYTES: Final = MAX_COMMIT_BYTES - 65_536
"""Bytes of their values; the rest is for the same."""


async def batches(changes: Sequence[Change]) -> list[list[Change]]:
    """Changes in order, as many together as one commit holds; raises `LIMIT_EXCEEDED`.

    There is one at least, if an empty one.
    """
    sizes = await in_slices((_size(change),) for change in changes)
    return list(_batches(changes, sizes))


def _batches(changes: Sequence[Change], sizes: Sequence[int]) -> Iterator[list[Change]]:
    batch: list[Change] = []
    writes = expects = size = 0
    for change, more in zip(changes, sizes, strict=True):
        writes, expects = writes + len(change.writes), expects + len(change.expects)
        size += more
        if writes > _ROOM or expects > _ROOM or size > _BYTES:
            yield batch
            batch, writes, expects, size = [], len(change.writes), len(change.expects), more
        batch.append(change)
    yield batch


def _size(change: Change) -> int:
    """Bytes of its writes and of its line in the entry, a little more than the store will count;
    raises `LIMIT_EXCEEDED`.
    """
    size = sum(map(_bytes, change.writes)) + len(Told.of(change).line.encode()) + 4
    if size > _BYTES:
        raise too_much(f"{change.kind} {change.name} is too large for the store; shorten it")
    return size


def _bytes(write: Write) -> int:
    if isinstance(write, Delete):
        return 0
    return 128 + len(json.dumps(dict(write.value), ensure_ascii=False).encode())


def too_much(text: str) -> CaracalError:
    """The refusal of what does not fit (`LIMIT_EXCEEDED`)."""
    return CaracalError(Reason.LIMIT_EXCEEDED, text)
