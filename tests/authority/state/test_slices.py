"""Long work in slices: whole in the end, and others have their turn meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from caracal_grpc.authority.state.slices import SLICE, in_slices


async def test_items_come_in_their_order() -> None:
    """Of every group, and of an empty one none."""
    assert await in_slices([[1, 2], [], (3,), iter([4])]) == [1, 2, 3, 4]


async def test_others_run_between_slices() -> None:
    """Each slice that is over lets go of the loop."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def slow() -> Iterator[list[int]]:
        for number in range(5):
            time.sleep(SLICE)  # as a long piece of work would
            yield [number, turns]

    task = asyncio.create_task(other())
    found = await in_slices(slow())
    task.cancel()
    assert found[::2] == [0, 1, 2, 3, 4]
    seen = found[1::2]
    assert seen == sorted(set(seen))


async def test_what_the_work_raises_ends_it() -> None:
    """Nothing goes on in the background."""

    def bad() -> Iterator[list[int]]:
        yield [1]
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await in_slices(bad())
