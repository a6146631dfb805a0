"""The tree against published roots and against the definition."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.ledger.tree import EMPTY_ROOT, Frontier, leaf_hash, node_hash, root_of

# The eight leaves, and the roots over the first n of them, that the reference implementation of
# Certificate Transparency publishes for RFC 6962.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
DATA = st.lists(st.binary(max_size=8), max_size=70)


def naive_root(data: list[bytes]) -> bytes:
    """MTH as RFC 6962 section 2.1 writes it down."""
    if not data:
        return sha256(b"").digest()
    if len(data) == 1:
        return sha256(b"\x00" + data[0]).digest()
    split = 1
    while split * 2 < len(data):
        split *= 2
    return sha256(b"\x01" + naive_root(data[:split]) + naive_root(data[split:])).digest()


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    """The published roots over the first leaves come out."""
    assert root_of(map(leaf_hash, LEAVES[:size])).hex() == ROOTS[size]


def test_leaf_and_node_hashes_are_kept_apart() -> None:
    """A leaf that holds two hashes is no inner node of them."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)


@given(DATA)
def test_root_is_the_recursive_definition(data: list[bytes]) -> None:
    """Growing leaf by leaf gives the root that the definition gives."""
    assert root_of(map(leaf_hash, data)) == naive_root(data)


@given(DATA, st.integers(0, 70))
def test_growing_in_two_steps_is_growing_in_one(data: list[bytes], cut: int) -> None:
    """A frontier that was stored and restored goes on as if it never had been."""
    leaves = [leaf_hash(each) for each in data]
    first = Frontier().extend(leaves[:cut])
    restored = Frontier.from_bytes(first.size, first.to_bytes())
    assert restored.extend(leaves[cut:]) == Frontier().extend(leaves)


@given(st.integers(0, 300), st.sampled_from([1, 2, 16, 64]))
def test_the_tail_starts_at_a_tree_that_this_one_grew_from(size: int, limit: int) -> None:
    """The start plus the leaves after it is the tree again, and those are fewer than the limit."""
    leaves = [leaf_hash(bytes([i % 256])) for i in range(size)]
    whole = Frontier().extend(leaves)
    start = whole.start_of_tail(limit)
    assert size - start.size < limit
    assert start == Frontier().extend(leaves[: start.size])
    assert start.extend(leaves[start.size :]) == whole


@pytest.mark.parametrize(("size", "data"), [(1, b""), (0, bytes(32)), (3, bytes(32)), (-1, b"")])
def test_a_frontier_that_does_not_fit_its_size_is_refused(size: int, data: bytes) -> None:
    """Bytes of the wrong length are no frontier."""
    with pytest.raises(ValueError, match="does not fit"):
        Frontier.from_bytes(size, data)


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    """RFC 6962 defines the root over no leaves."""
    assert Frontier().root() == EMPTY_ROOT
