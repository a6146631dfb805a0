"""A key-encryption key in this process: 32 random bytes that never leave it or where it is from."""

from __future__ import annotations

import binascii
import hashlib
import hmac
import os
import re
import secrets
from base64 import b64decode
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.crypto.secret_file import read_secret_bytes

KEK_BYTES: Final = 32
NONCE_BYTES: Final = 12
"""Of AES-GCM (NIST SP 800-38D section 5.2.1.1): random, one value for each data key."""

_FEW_VALUES: Final = 16  # 32 random bytes hold fewer distinct values once in 10^15
_HEX: Final = re.compile(rb"[0-9a-fA-F]{64}")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{43}=?")
_WHAT: Final = (
    "must hold 32 random bytes, raw, in hex or in base64; make one with: openssl rand -hex 32"
)


@dataclass(frozen=True, slots=True)
class Kek:
    """A key-encryption key; shows nothing but its id, which tells nothing of the key."""

    kek_id: str
    material: bytes = field(repr=False, compare=False)

    @classmethod
    def generate(cls) -> Kek:
        """A fresh key from the system's randomness."""
        return cls.of(secrets.token_bytes(KEK_BYTES))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Kek:
        """The key in the owner-only file at `path`: 32 bytes raw, in hex or in base64.

        Raises `FIELD_INVALID`, naming the path, for a file that others can read, for another
        length and for a key that is no random one.
        """
        return cls.read(read_secret_bytes(path), os.fspath(path))

    @classmethod
    def read(cls, content: bytes, name: str) -> Kek:
        """The key that `content` spells, in the forms of a file; raises as `load`."""
        return cls.of(_material(content, name), name)

    @classmethod
    def of(cls, material: bytes, name: str = "kek") -> Kek:
        """The key made of 32 bytes; raises `FIELD_INVALID` naming `name` for a weak one."""
        if len(material) != KEK_BYTES:
            raise field_invalid(name, _WHAT)
        if _is_weak(material):
            raise field_invalid(name, f"holds a pattern, not a random key; it {_WHAT}")
        digest = hmac.new(material, b"caracal key-encryption key id", hashlib.sha256)
        return cls(digest.hexdigest()[:16], material)

    @property
    def local(self) -> bool:
        """Always: it is in memory."""
        return True

    def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """The data key under AES-256-GCM with `context` as associated data, its nonce in front."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(self.material).encrypt(nonce, data_key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """What `wrap` was given; raises `ValueError` for another key, context or content."""
        nonce, sealed = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
        try:
            return AESGCM(self.material).decrypt(nonce, sealed, context)
        except InvalidTag as exc:
            raise ValueError("no data key of this key-encryption key") from exc

    def close(self) -> None:
        """Nothing is held but memory."""


def _material(content: bytes, name: str) -> bytes:
    """The key that `content` spells; text is read as text even where its length is a raw key's."""
    text = content.strip()
    if _HEX.fullmatch(text):
        return binascii.unhexlify(text)
    if _BASE64.fullmatch(text):
        return b64decode(text.rstrip(b"=") + b"=", altchars=b"-_" if _is_urlsafe(text) else b"+/")
    if len(content) == KEK_BYTES and not _is_text(content):
        return content
    raise field_invalid(name, _WHAT)


def _is_urlsafe(text: bytes) -> bool:
    return b"-" in text or b"_" in text


def _is_text(content: bytes) -> bool:
    return all(32 <= byte < 127 for byte in content)


def _is_weak(material: bytes) -> bool:
    """Whether `material` is a run, a sequence, a repeated half or made of few values."""
    steps = {(right - left) % 256 for left, right in pairwise(material)}
    half = KEK_BYTES // 2
    return len(steps) == 1 or material[:half] == material[half:] or len(set(material)) < _FEW_VALUES
