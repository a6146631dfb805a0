"""Proofs over the Merkle tree: that a leaf is in it, that it only grew, that a range is in it.

RFC 9162 section 2.1.3 and 2.1.4, whose arithmetic is that of RFC 6962. A range of leaves is proven
by its compact ranges: the roots of the perfect subtrees that make up all leaves before it, and of
those that make up all behind it. Whoever makes a proof asks for perfect subtrees only, as many as
the tree is high; whoever checks one needs nothing but the proof.

A size is bound by the root only together with the signed checkpoint that names both: two sizes for
which a leaf has a path of the same form are one to this arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from itertools import compress

from caracal_grpc.ledger.tree import EMPTY_ROOT, HASH_SIZE, Frontier, node_hash

Node = Callable[[int, int], bytes]
"""The root of the perfect subtree at (height, index): the 2^height leaves from index * 2^height.

The subtree of height 0 is a leaf.
"""


def subtrees(start: int, end: int) -> list[tuple[int, int]]:
    """The fewest perfect subtrees that make up the leaves from `start` to `end` - 1, in order."""
    found: list[tuple[int, int]] = []
    while start < end:
        height = (end - start).bit_length() - 1
        if start:
            height = min(height, (start & -start).bit_length() - 1)
        found.append((height, start >> height))
        start += 1 << height
    return found


def tree_root(size: int, node: Node) -> bytes:
    """The root over the first `size` leaves."""
    return _root(0, size, node) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, node: Node) -> tuple[bytes, ...]:
    """What proves the leaf at `index` in the tree of `size` leaves, from the leaf to the root."""
    hashes: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = _split(start, end)
        if index < middle:
            hashes.append(_root(middle, end, node))
            end = middle
        else:
            hashes.append(_root(start, middle, node))
            start = middle
    return tuple(reversed(hashes))


def consistency_proof(first: int, second: int, node: Node) -> tuple[bytes, ...]:
    """What proves that the tree of `second` leaves grew from that of `first`, which is not 0."""
    hashes: list[bytes] = []
    start, end = 0, second
    while end != first:
        middle = _split(start, end)
        if first <= middle:
            hashes.append(_root(middle, end, node))
            end = middle
        else:
            hashes.append(_root(start, middle, node))
            start = middle
    if start:
        hashes.append(_root(start, end, node))
    return tuple(reversed(hashes))


def range_proof(
    start: int, end: int, size: int, node: Node
) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """The subtrees that make up the leaves before `start`, and those from `end` to `size`."""
    before, after = subtrees(0, start), subtrees(end, size)
    return tuple(node(*each) for each in before), tuple(node(*each) for each in after)


def verify_inclusion(
    index: int, size: int, leaf: bytes, hashes: Sequence[bytes], root: bytes
) -> bool:
    """Whether `hashes` prove that `leaf` is the leaf at `index` of a tree of that size and root."""
    if not 0 <= index < size or not _are_hashes(leaf, *hashes):
        return False
    inner = (index ^ (size - 1)).bit_length()
    if len(hashes) != inner + (index >> inner).bit_count():
        return False
    node = leaf
    for height, other in enumerate(hashes):
        # Where the way to the last leaf is the same, all that is beside it stands to the left.
        left = height >= inner or index >> height & 1
        node = node_hash(other, node) if left else node_hash(node, other)
    return node == root


def verify_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, hashes: Sequence[bytes]
) -> bool:
    """Whether `hashes` prove that a tree of `second` leaves grew from one of `first`.

    Both have the roots that are given. Every tree grew from that without leaves, which needs no
    proof.
    """
    if not 0 <= first <= second or not _are_hashes(first_root, second_root, *hashes):
        return False
    if first == second or not first:
        same = first_root == (second_root if first else EMPTY_ROOT)
        return same and not hashes
    low = (first & -first).bit_length() - 1
    way = (first - 1) >> low
    inner = (way ^ (second - 1) >> low).bit_length()
    # The largest subtree that ends the first tree: that tree itself, or what the proof begins with.
    steps = hashes if first == 1 << low else hashes[1:]
    if not hashes or len(steps) != inner + (way >> inner).bit_count():
        return False
    seed = first_root if first == 1 << low else hashes[0]
    lefts = [height >= inner or bool(way >> height & 1) for height in range(len(steps))]
    old = reduce(lambda node, left: node_hash(left, node), compress(steps, lefts), seed)
    new = seed
    for other, left in zip(steps, lefts, strict=True):
        new = node_hash(other, new) if left else node_hash(new, other)
    return (old, new) == (first_root, second_root)


def joined(tree: Frontier, after: Iterable[bytes], size: int) -> Frontier:
    """`tree` grown to `size` leaves by the roots of the subtrees that are missing.

    Raises `ValueError` when those are not as many as `subtrees(tree.size, size)`.
    """
    peaks = list(tree.peaks)
    for (_, index), root in zip(subtrees(tree.size, size), after, strict=True):
        node, merges = root, index
        while merges & 1:
            node = node_hash(peaks.pop(), node)
            merges >>= 1
        peaks.append(node)
    return Frontier(size, tuple(peaks))


def _split(start: int, end: int) -> int:
    """Where the two halves of a subtree meet: the left one is the largest perfect one."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def _root(start: int, end: int, node: Node) -> bytes:
    roots = [node(*each) for each in subtrees(start, end)]
    return reduce(lambda right, left: node_hash(left, right), reversed(roots))


def _are_hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_SIZE for value in values)
