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
from typing import ClassVar, Final, Protocol, Self

from caracal_grpc.ledger.tree import HASH_SIZE

Verify = Callable[[bytes, bytes, bytes], bool]
"""Whether an Ed25519 signature holds: (public key, signature, data) to truth, never raising."""

MAX_NOTE: Final = 16_384
_KEY_SIZE: Final = 32
_NAME: Final = re.compile(r"[^\s+\x00-\x1f]{1,512}")
_SIGNATURE: Final = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,15}")
_UNFIT: Final = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")


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
class NoteKey:
    """The public side of an Ed25519 key of notes, written `name+hash+base64(type || public)`.

    Its subclasses say of which type: the same bytes make different keys under different types.
    """

    TYPE: ClassVar[bytes]
    """The byte that C2SP `signed-note` assigns to what the key signs."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256 over name, newline, type and public key."""
        text = self.name.encode() + b"\n" + self.TYPE + self.public
        return sha256(text).digest()[:4]

    def __str__(self) -> str:
        key = b64encode(self.TYPE + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key that its written form names; raises `NoteError` when that is not such a form."""
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        raw = _decode(encoded)
        if len(raw) != 1 + _KEY_SIZE or raw[:1] != cls.TYPE or not _NAME.fullmatch(name):
            kind = f"type 0x{cls.TYPE.hex()}"
            raise NoteError(f"is not a verifier key of the form name+hash+key for Ed25519, {kind}")
        key = cls(name, raw[1:])
        if key.key_id.hex() != key_id:
            raise NoteError("is a verifier key whose hash does not fit its key")
        return key


@dataclass(frozen=True, slots=True)
class VerifierKey(NoteKey):
    """The public side of what signs the checkpoints of a log."""

    TYPE: ClassVar[bytes] = b"\x01"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of a note, unchecked: by which key it says that it is, and its bytes."""

    name: str
    key_id: bytes
    value: bytes

    def names(self, key: NoteKey) -> bool:
        """Whether it says that it is by `key`."""
        return (self.name, self.key_id) == (key.name, key.key_id)

    def __str__(self) -> str:
        """Its line, with the newline."""
        return f"— {self.name} {b64encode(self.key_id + self.value).decode()}\n"


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
    return f"{text}\n{signature_line(key, signer.sign(text.encode()))}"


def open_note(note: str, key: VerifierKey, verify: Verify) -> str:
    """The text of a note that `key` signed.

    Raises `UnknownKeyError` when no signature is by `key`, and `NoteError` when the note is
    malformed or a signature by `key` does not hold. Signatures by other keys are ignored, as C2SP
    asks.
    """
    text, signatures = signatures_by(key, note)
    if not all(verify(key.public, each, text.encode()) for each in signatures):
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


def split_note(note: str) -> tuple[str, tuple[Signature, ...]]:
    """The text of a note, with its last newline, and its signatures; raises `NoteError`."""
    if len(note) > MAX_NOTE or _UNFIT.search(note):
        raise NoteError("is longer than a note may be, or holds control characters")
    text, separator, tail = note.rpartition("\n\n")
    lines = tail.split("\n")
    if not separator or len(lines) < 2 or lines.pop():
        raise NoteError("is not a note of text, an empty line and signatures")
    return text + "\n", tuple(_signature(line) for line in lines)


def signatures_by(key: NoteKey, note: str) -> tuple[str, list[bytes]]:
    """The text of a note and its signatures by `key`, unchecked, one at least.

    Raises `UnknownKeyError` when there is none, and `NoteError` when the note is malformed.
    """
    text, signatures = split_note(note)
    ours = [each.value for each in signatures if each.names(key)]
    if not ours:
        raise UnknownKeyError(f"is not signed by the key {key.name}+{key.key_id.hex()}")
    return text, ours


def signature_line(key: NoteKey, signature: bytes) -> str:
    """The line of a note that holds a signature by `key`, with its newline."""
    return str(Signature(key.name, key.key_id, signature))


def _signature(line: str) -> Signature:
    match = _SIGNATURE.fullmatch(line)
    raw = _decode(match[2]) if match else b""
    if not match or len(raw) <= 4:
        raise NoteError("has a line that is not a signature")
    return Signature(match[1], raw[:4], raw[4:])


def _decode(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError):
        return b""
