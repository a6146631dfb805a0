"""Long work in short slices, so that everybody else has a turn in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final, TypeVar

SLICE: Final = 0.005
"""Seconds that the loop is held at a time, and what one group of items takes."""

T = TypeVar("T")


async def in_slices(groups: Iterable[Iterable[T]]) -> list[T]:
    """The items of all groups; the loop runs others whenever a slice is over.

    A lazy iterable does its work here. What it reads of the state may change between two groups.
    """
    loop = asyncio.get_running_loop()
    found: list[T] = []
    until = loop.time() + SLICE
    for group in groups:
        found.extend(group)
        if loop.time() >= until:
            await asyncio.sleep(0)
            until = loop.time() + SLICE
    return found
