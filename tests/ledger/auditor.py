"""A verifier of its own, written from RFC 9162 and the C2SP texts, that knows nothing of ours.

It is slow and plain on purpose: what both find right, two implementations agree on.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class FraudError(Exception):
    """What was looked at is not what it says."""


def leaf_of(data: bytes) -> bytes:
    """RFC 9162 section 2.1.1: MTH({d[0]}) = HASH(0x00 || d[0])."""
    return sha256(b"\x00" + data).digest()


def parent(left: bytes, right: bytes) -> bytes:
    """RFC 9162 section 2.1.1: HASH(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def mth(leaves: Sequence[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, over leaf hashes, by recursion."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = largest_power_below(len(leaves))
    return parent(mth(leaves[:k]), mth(leaves[k:]))


def largest_power_below(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """RFC 9162 section 2.1.3.1: PATH(m, D_n)."""
    if len(leaves) == 1:
        return []
    k = largest_power_below(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def proof(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """RFC 9162 section 2.1.4.1: PROOF(m, D_n)."""
    return subproof(m, leaves, whole=True)


def subproof(m: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    """RFC 9162 section 2.1.4.1: SUBPROOF(m, D_n, b)."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = largest_power_below(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole=whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], whole=False), mth(leaves[:k])]


def includes(index: int, size: int, leaf: bytes, hashes: Sequence[bytes], root: bytes) -> bool:
    """RFC 9162 section 2.1.3.2, step by step."""
    if index >= size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in hashes:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = parent(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = parent(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def grew(
    first: int, second: int, first_hash: bytes, second_hash: bytes, hashes: Sequence[bytes]
) -> bool:
    """RFC 9162 section 2.1.4.2, step by step, for 0 < first < second."""
    if not hashes:
        return False
    steps = list(hashes) if first & (first - 1) else [first_hash, *hashes]
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = steps[0]
    for c in steps[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = parent(c, fr), parent(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = parent(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == first_hash and sr == second_hash


def signed_head(note: str, vkey: str) -> tuple[str, int, bytes]:
    """C2SP signed-note and tlog-checkpoint: origin, size and root, if the key signed them."""
    name, key_hash, key = vkey.split("+", 2)
    text, _, signatures = note.rpartition("\n\n")
    public = Ed25519PublicKey.from_public_bytes(b64decode(key)[1:])
    for line in signatures.splitlines():
        _, who, value = line.split(" ")
        raw = b64decode(value)
        if (who, raw[:4].hex()) == (name, key_hash):
            try:
                public.verify(raw[4:], (text + "\n").encode())
            except InvalidSignature as exc:
                raise FraudError(line) from exc
            origin, size, root = text.split("\n")[:3]
            return origin, int(size), b64decode(root)
    raise FraudError(note)


def audit_file(lines: Iterable[str], vkey: str) -> tuple[int, int]:
    """What an exported file proves: the entries from where to where; raises `FraudError`.

    The whole tree is put together from the subtrees before, the leaves, and the subtrees behind,
    two equal neighbours at a time.
    """
    source = iter(lines)
    header = json.loads(next(source))
    origin, size, root = signed_head(header["checkpoint"], vkey)
    if origin != header["origin"]:
        raise FraudError(origin)
    start, end = header.get("start", 0), header.get("end", size)
    stack = list(zip(powers(0, start), map(bytes.fromhex, header.get("before", [])), strict=True))
    for index, line in enumerate(source, start):
        push(stack, 1, checked_leaf(json.loads(line), index, header["zone"]))
        end = max(end, index + 1)
    behind = zip(powers(end, size), map(bytes.fromhex, header.get("after", [])), strict=True)
    for width, subtree in behind:
        push(stack, width, subtree)
    if sum(width for width, _ in stack) != size or folded(stack) != root:
        raise FraudError(f"root over {size}")
    return start, end


def checked_leaf(line: dict[str, Any], index: int, zone: str) -> bytes:
    """The leaf hash of a line, which must be of this place."""
    leaf = bytes.fromhex(line["leaf"])
    if line["index"] != index:
        raise FraudError(f"entry {index}")
    if "event" in line:
        event = json.loads(line["event"])
        data = line["event"].encode("utf-8", "surrogateescape")
        told = sha256(line.get("personal", "").encode()).hexdigest()
        lies = "personal" in line and told != event.get("personal")
        if leaf_of(data) != leaf or (event["index"], event["zone"]) != (index, zone) or lies:
            raise FraudError(f"entry {index}")
    return leaf


def powers(start: int, end: int) -> list[int]:
    """How many leaves each of the perfect subtrees has that make up a range, left to right."""
    widths = []
    while start < end:
        width = 1
        while start % (2 * width) == 0 and start + 2 * width <= end:
            width *= 2
        widths.append(width)
        start += width
    return widths


def push(stack: list[tuple[int, bytes]], width: int, subtree: bytes) -> None:
    """Puts a subtree behind others; two of the same width become one."""
    while stack and stack[-1][0] == width:
        width, subtree = 2 * width, parent(stack.pop()[1], subtree)
    stack.append((width, subtree))


def folded(stack: Sequence[tuple[int, bytes]]) -> bytes:
    """The root over subtrees, smallest last."""
    if not stack:
        return sha256().digest()
    node = stack[-1][1]
    for _, left in reversed(stack[:-1]):
        node = parent(left, node)
    return node


def audit_receipt(receipt: dict[str, Any], vkey: str) -> int:
    """The index of the entry that a receipt, as protobuf JSON, proves; raises `FraudError`."""
    _, size, root = signed_head(receipt["checkpoint"]["note"], vkey)
    index, leaf = int(receipt["index"]), b64decode(receipt["leaf_hash"])
    data = b64decode(receipt["canonical"])
    if data and (leaf_of(data) != leaf or json.loads(data)["index"] != index):
        raise FraudError(f"entry {index}")
    if not includes(index, size, leaf, [b64decode(each) for each in receipt["hashes"]], root):
        raise FraudError(f"root over {size}")
    return index
