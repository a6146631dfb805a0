"""The arithmetic of the Merkle tree of RFC 6962 section 2.1: leaves, nodes, and a growing root.

A tree is kept as its frontier: the roots of the perfect subtrees that its size decomposes into,
largest first. That is enough to append and to know the root, in memory that grows with log n.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from hashlib import sha256
from typing import Final

HASH_SIZE: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
"""The root of a tree without leaves (RFC 6962 section 2.1)."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of one leaf: SHA-256 over 0x00 and the data."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256 over 0x01 and the hashes of both children."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree of `size` leaves, as the roots of its perfect subtrees, largest first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def extend(self, leaves: Iterable[bytes]) -> Frontier:
        """The tree with further leaf hashes at its end; each costs O(log n) at most."""
        size, peaks = self.size, list(self.peaks)
        for leaf in leaves:
            node, merges = leaf, size
            while merges & 1:
                node = node_hash(peaks.pop(), node)
                merges >>= 1
            peaks.append(node)
            size += 1
        return Frontier(size, tuple(peaks))

    def root(self) -> bytes:
        """The root hash over all leaves."""
        if not self.peaks:
            return EMPTY_ROOT
        return reduce(lambda right, left: node_hash(left, right), reversed(self.peaks))

    def start_of_tail(self, limit: int) -> Frontier:
        """The largest tree that this one grew from with at most `limit` - 1 leaves more.

        `limit` is a power of two; the answer keeps only the subtrees of at least that many leaves.
        """
        size = self.size & ~(limit - 1)
        return Frontier(size, self.peaks[: size.bit_count()])

    def to_bytes(self) -> bytes:
        """The peaks one after another; with the size, enough to restore the frontier."""
        return b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> Frontier:
        """The frontier that `to_bytes` wrote; raises `ValueError` when it does not fit `size`."""
        if size < 0 or len(data) != size.bit_count() * HASH_SIZE:
            raise ValueError("the frontier does not fit the size of the tree")
        return cls(size, tuple(data[i : i + HASH_SIZE] for i in range(0, len(data), HASH_SIZE)))


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root hash over all of `leaves`, which are leaf hashes in order."""
    return Frontier().extend(leaves).root()
