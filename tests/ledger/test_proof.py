"""Proofs against published ones, against the RFC's own recursion, and against another verifier."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.ledger.tree import EMPTY_ROOT, Frontier, leaf_hash, root_of
from caracal_grpc.ledger.trees.proof import (
    consistency_proof,
    inclusion_proof,
    joined,
    range_proof,
    subtrees,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from tests.ledger import auditor
from tests.ledger.test_tree import LEAVES, ROOTS

# Inclusion proofs (index, size) and consistency proofs (first, second) over the eight leaves, as
# the tests of the reference implementation of Certificate Transparency have them.
PATHS = {
    (0, 1): (),
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (1, 5): (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
PROOFS = {
    (1, 1): (),
    (1, 8): PATHS[0, 8],
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
MOST = 300
HASHES = [leaf_hash(i.to_bytes(2)) for i in range(MOST)]
SIZES = st.integers(1, MOST)


def reader(leaves: Sequence[bytes]) -> Callable[[int, int], bytes]:
    """The perfect subtrees over some leaves; one that is not among them is an error."""

    def node(height: int, index: int) -> bytes:
        start, end = index << height, (index + 1) << height
        assert end <= len(leaves)
        return root_of(leaves[start:end])

    return node


PUBLISHED = [leaf_hash(data) for data in LEAVES]


@pytest.mark.parametrize(("place", "hashes"), PATHS.items())
def test_inclusion_proofs_are_the_published_ones(
    place: tuple[int, int], hashes: tuple[str, ...]
) -> None:
    """They are made as published, and both verifiers take them."""
    index, size = place
    made = inclusion_proof(index, size, reader(PUBLISHED[:size]))
    root = bytes.fromhex(ROOTS[size])
    assert tuple(each.hex() for each in made) == hashes
    assert verify_inclusion(index, size, PUBLISHED[index], made, root)
    assert auditor.includes(index, size, PUBLISHED[index], made, root)


@pytest.mark.parametrize(("sizes", "hashes"), PROOFS.items())
def test_consistency_proofs_are_the_published_ones(
    sizes: tuple[int, int], hashes: tuple[str, ...]
) -> None:
    """They are made as published, and both verifiers take them."""
    first, second = sizes
    made = consistency_proof(first, second, reader(PUBLISHED[:second]))
    roots = bytes.fromhex(ROOTS[first]), bytes.fromhex(ROOTS[second])
    assert tuple(each.hex() for each in made) == hashes
    assert verify_consistency(first, second, *roots, made)
    assert first == second or auditor.grew(first, second, *roots, made)


@given(SIZES, st.data())
def test_inclusion_proofs_are_those_of_the_rfc(size: int, data: st.DataObject) -> None:
    """For any leaf of any size: the recursion gives the same, and both verifiers take it."""
    index = data.draw(st.integers(0, size - 1))
    leaves = HASHES[:size]
    made = inclusion_proof(index, size, reader(leaves))
    assert list(made) == auditor.path(index, leaves)
    assert verify_inclusion(index, size, leaves[index], made, auditor.mth(leaves))
    assert auditor.includes(index, size, leaves[index], made, auditor.mth(leaves))


@given(SIZES, st.data())
def test_consistency_proofs_are_those_of_the_rfc(second: int, data: st.DataObject) -> None:
    """For any two sizes: the recursion gives the same, and both verifiers take it."""
    first = data.draw(st.integers(1, second))
    leaves = HASHES[:second]
    made = consistency_proof(first, second, reader(leaves))
    roots = auditor.mth(leaves[:first]), auditor.mth(leaves)
    assert list(made) == auditor.proof(first, leaves)
    assert verify_consistency(first, second, *roots, made)
    assert first == second or auditor.grew(first, second, *roots, made)


@given(SIZES, st.data())
def test_a_range_and_what_is_around_it_make_up_the_tree(size: int, data: st.DataObject) -> None:
    """Any range of any size; the subtrees are the fewest there can be."""
    end = data.draw(st.integers(0, size))
    start = data.draw(st.integers(0, end))
    before, after = range_proof(start, end, size, reader(HASHES[:size]))
    tree = joined(Frontier(start, before).extend(HASHES[start:end]), after, size)
    assert tree.root() == auditor.mth(HASHES[:size])
    assert [1 << height for height, _ in subtrees(end, size)] == auditor.powers(end, size)
    assert len(before) + len(after) <= 2 * size.bit_length()


@given(st.integers(0, MOST))
def test_a_root_is_made_of_subtrees(size: int) -> None:
    """Over no leaves too."""
    assert tree_root(size, reader(HASHES[:size])) == auditor.mth(HASHES[:size])


@given(SIZES, st.data())
def test_no_changed_bit_of_an_inclusion_proof_passes(size: int, data: st.DataObject) -> None:
    """Of the leaf, the root, any hash, or the index; nor does a hash more or less."""
    index = data.draw(st.integers(0, size - 1))
    leaf, root = HASHES[index], auditor.mth(HASHES[:size])
    hashes = list(inclusion_proof(index, size, reader(HASHES[:size])))
    wrong = [(index, leaf, changed, root) for changed in unlike(data, hashes)]
    wrong.append((index, flipped(data, leaf), hashes, root))
    wrong.append((index, leaf, hashes, flipped(data, root)))
    wrong.append((index ^ 1 << data.draw(st.integers(0, 12)), leaf, hashes, root))
    for place, each, steps, top in wrong:
        assert not verify_inclusion(place, size, each, steps, top)
        assert not auditor.includes(place, size, each, steps, top)


@given(SIZES, st.data())
def test_no_changed_bit_of_a_consistency_proof_passes(second: int, data: st.DataObject) -> None:
    """Of either root or any hash; nor does a hash more or less."""
    first = data.draw(st.integers(1, second))
    roots = auditor.mth(HASHES[:first]), auditor.mth(HASHES[:second])
    hashes = list(consistency_proof(first, second, reader(HASHES[:second])))
    wrong = [(*roots, changed) for changed in unlike(data, hashes)]
    wrong.append((flipped(data, roots[0]), roots[1], hashes))
    wrong.append((roots[0], flipped(data, roots[1]), hashes))
    for old, new, steps in wrong:
        assert not verify_consistency(first, second, old, new, steps)
        assert first == second or not auditor.grew(first, second, old, new, steps)


@given(SIZES, st.integers(0, 2 * MOST), st.integers(0, 2 * MOST), st.data())
def test_both_verifiers_agree_on_other_sizes(
    size: int, claimed: int, place: int, data: st.DataObject
) -> None:
    """A size that gives a leaf a path of the same form is bound by the checkpoint alone: such are
    taken alike, and all others are refused alike.
    """
    index = data.draw(st.integers(0, size - 1))
    root = auditor.mth(HASHES[:size])
    hashes = inclusion_proof(index, size, reader(HASHES[:size]))
    ours = verify_inclusion(place, claimed, HASHES[index], hashes, root)
    assert ours == auditor.includes(place, claimed, HASHES[index], hashes, root)


@given(SIZES, st.integers(1, 2 * MOST), st.integers(1, 2 * MOST), st.data())
def test_both_verifiers_agree_on_other_growths(
    second: int, one: int, other: int, data: st.DataObject
) -> None:
    """Sizes that a proof was not made for are taken or refused alike."""
    first = data.draw(st.integers(1, second))
    roots = auditor.mth(HASHES[:first]), auditor.mth(HASHES[:second])
    hashes = consistency_proof(first, second, reader(HASHES[:second]))
    if one < other:
        ours = verify_consistency(one, other, *roots, hashes)
        assert ours == auditor.grew(one, other, *roots, hashes)


def test_every_tree_grew_from_none() -> None:
    """That takes no proof, and only the root over nothing is taken for it."""
    root = auditor.mth(HASHES[:5])
    assert verify_consistency(0, 5, EMPTY_ROOT, root, [])
    assert not verify_consistency(0, 5, root, root, [])
    assert not verify_consistency(0, 5, EMPTY_ROOT, root, [root])


@pytest.mark.parametrize("sizes", [(6, 5), (-1, 5)])
def test_no_tree_shrinks(sizes: tuple[int, int]) -> None:
    """A proof the other way round is none."""
    root = auditor.mth(HASHES[:5])
    assert not verify_consistency(*sizes, root, root, [])


@pytest.mark.parametrize(("index", "size"), [(-1, 4), (4, 4), (0, 0), (0, -1)])
def test_what_is_not_in_a_tree_is_not_proven(index: int, size: int) -> None:
    """Whatever the proof says."""
    assert not verify_inclusion(index, size, HASHES[0], [], HASHES[0])


@pytest.mark.parametrize("subtree", [b"", HASHES[0] + b"\x00", HASHES[0][:-1]])
def test_hashes_of_another_length_prove_nothing(subtree: bytes) -> None:
    """They could shift what is hashed."""
    root = sha_of(HASHES[0], subtree)
    assert not verify_inclusion(0, 2, HASHES[0], [subtree], root)
    assert not verify_consistency(1, 2, HASHES[0], root, [subtree])


def test_subtrees_that_do_not_fit_are_refused() -> None:
    """One more or less than the sizes need."""
    tree = Frontier().extend(HASHES[:5])
    after = range_proof(0, 5, 8, reader(HASHES[:8]))[1]
    for wrong in (after[:-1], (*after, HASHES[0])):
        with pytest.raises(ValueError, match="argument"):
            joined(tree, wrong, 8)


def test_the_other_verifier_shares_no_code_with_ours() -> None:
    """It imports nothing of this project."""
    source = ast.parse(Path(auditor.__file__).read_text())
    nodes = [each for each in ast.walk(source) if isinstance(each, ast.Import | ast.ImportFrom)]
    names = {getattr(node, "module", None) or node.names[0].name for node in nodes}
    known = {"__future__", "base64", "collections", "cryptography", "hashlib", "json", "typing"}
    assert {name.split(".")[0] for name in names} == known


def sha_of(left: bytes, right: bytes) -> bytes:
    """The parent of two hashes of whatever length."""
    return auditor.parent(left, right)


def flipped(data: st.DataObject, value: bytes) -> bytes:
    """`value` with one bit changed."""
    bit = data.draw(st.integers(0, 8 * len(value) - 1))
    return (int.from_bytes(value) ^ 1 << bit).to_bytes(len(value))


def unlike(data: st.DataObject, hashes: list[bytes]) -> list[list[bytes]]:
    """Proofs that are not this one: a bit of each hash changed, one hash less, one more."""
    changed = [
        [*hashes[:i], flipped(data, each), *hashes[i + 1 :]] for i, each in enumerate(hashes)
    ]
    shorter = [hashes[1:], hashes[:-1]] if hashes else []
    return [*changed, *shorter, [*hashes, HASHES[0]], [HASHES[0], *hashes]]
