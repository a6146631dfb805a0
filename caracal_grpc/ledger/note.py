"""Signed notes and checkpoints, in the forms of C2SP `signed-note` and `tlog-checkpoint`.

A note is text, an empty line, and signature lines. A checkpoint is a note whose text is the origin
of the log, its size, and the base64 of its root. Signing is a port: keys live in another room.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol

from caracal_grpc.ledger.tree import HASH_SIZE

Verify = Callable[[bytes, bytes, bytes], bool]
"""Whether an Ed25519 signature holds: (public key, signature, data) to truth, never raising."""

MAX_NOTE: Final = 16_384
_ED25519: Final = b"\x01"
_KEY_SIZE: Final = 32
_NAME: Final = re.compile(r"[^\s+\x00-\x1f]{1,512}")
_SIGNATURE: Final = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,15}")


class Signer(Protocol):
    """An Ed25519 key that signs the checkpoints of one zone."""

    @property
    def name(self) -> str:
        """The name of the key, which is the origin of the log, such as `a.example/zones/shop`."""
        ...

    @property
    def public(self) -> bytes:
        """The 32 bytes of the public key (RFC 8032)."""
        ...

    def sign(self, data: bytes, /) -> bytes:
        """The 64 bytes of the signature over `data`."""
        ...


class NoteError(ValueError):
    """A note that is not to be believed; the text says why."""


class UnknownKeyError(NoteError):
    """A note that the expected key has not signed."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public side of a signer, written `name+hash+base64(0x01 || public)`."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256 over name, newline, 0x01 and public key."""
        text = self.name.encode() + b"\n" + _ED25519 + self.public
        return sha256(text).digest()[:4]

    def __str__(self) -> str:
        key = b64encode(_ED25519 + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """The key that its written form names; raises `NoteError` when that is not such a form."""
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        raw = _decode(encoded)
        if len(raw) != 1 + _KEY_SIZE or raw[:1] != _ED25519 or not _NAME.fullmatch(name):
            raise NoteError("is not a verifier key of the form name+hash+key for Ed25519")
        key = cls(name, raw[1:])
        if key.key_id.hex() != key_id:
            raise NoteError("is a verifier key whose hash does not fit its key")
        return key


@dataclass(frozen=True, slots=True)
class TreeHead:
    """What a checkpoint says: the log's origin, its number of leaves, and the root over them."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def verifier_key(signer: Signer) -> str:
    """The written form of the key that checks what `signer` signs."""
    return str(VerifierKey(signer.name, signer.public))


def sign_head(signer: Signer, size: int, root: bytes) -> str:
    """The signed checkpoint of a tree; the origin is the name of the signer."""
    text = TreeHead(signer.name, size, root).text()
    key = VerifierKey(signer.name, signer.public)
    signature = b64encode(key.key_id + signer.sign(text.encode())).decode()
    return f"{text}\n— {signer.name} {signature}\n"


def open_note(note: str, key: VerifierKey, verify: Verify) -> str:
    """The text of a note that `key` signed.

    Raises `UnknownKeyError` when no signature is by `key`, and `NoteError` when the note is
    malformed or a signature by `key` does not hold. Signatures by other keys are ignored, as C2SP
    asks.
    """
    text, signatures = _split(note)
    ours = [raw[4:] for name, raw in signatures if name == key.name and raw[:4] == key.key_id]
    if not ours:
        raise UnknownKeyError(f"is not signed by the key {key.name}+{key.key_id.hex()}")
    if not all(verify(key.public, signature, text.encode()) for signature in ours):
        raise NoteError(f"has a bad signature by the key {key.name}+{key.key_id.hex()}")
    return text


def parse_head(text: str) -> TreeHead:
    """The tree head that the text of a checkpoint holds; raises `NoteError` when it holds none."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
        raise NoteError("is not a checkpoint of origin, size and root")
    origin, size, root = lines[0], lines[1], _decode(lines[2])
    if not _SIZE.fullmatch(size) or len(root) != HASH_SIZE:
        raise NoteError("is not a checkpoint of origin, size and root")
    return TreeHead(origin, int(size), root)


def open_checkpoint(note: str, key: VerifierKey, verify: Verify) -> TreeHead:
    """The tree head that `key` signed; raises `NoteError` as `open_note` and `parse_head` do."""
    return parse_head(open_note(note, key, verify))


def _split(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    text, separator, tail = note.rpartition("\n\n")
    lines = tail.split("\n")
    if len(note) > MAX_NOTE or not separator or len(lines) < 2 or lines.pop():
        raise NoteError("is not a note of text, an empty line and signatures")
    return text + "\n", [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes]:
    match = _SIGNATURE.fullmatch(line)
    raw = _decode(match[2]) if match else b""
    if not match or len(raw) <= 4:
        raise NoteError("has a line that is not a signature")
    return match[1], raw


def _decode(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError):
        return b""
