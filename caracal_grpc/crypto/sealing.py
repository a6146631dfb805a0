"""Sealed values: what the store may hold of a private key.

Each value has a data key of its own, itself encrypted under the key-encryption key, both with
AES-256-GCM. Place and version are associated data of both layers, so an envelope that was moved to
another place, or an older one that was put back, does not open.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import base64url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caracal_grpc.crypto.kek import Kek

ENVELOPE_FORMAT: Final = "caracal-sealed-1"

_NONCE_BYTES: Final = 12  # NIST SP 800-38D section 5.2.1.1; random, one value for each data key
_DATA_KEY_BITS: Final = 256
_MEMBERS: Final = frozenset({"format", "kek_id", "data_key", "value"})


def seal(kek: Kek, plaintext: bytes, place: str, version: int) -> dict[str, str]:
    """The envelope of `plaintext` for `place` (its record's path) and `version` (its count)."""
    data_key = AESGCM.generate_key(_DATA_KEY_BITS)
    return {
        "format": ENVELOPE_FORMAT,
        "kek_id": kek.kek_id,
        "data_key": _encrypt(kek.material, data_key, _context("data_key", place, version)),
        "value": _encrypt(data_key, plaintext, _context("value", place, version)),
    }


def open_sealed(kek: Kek, envelope: Mapping[str, Any], place: str, version: int) -> bytes:
    """The plaintext that `seal` put into `envelope` for the same place and version.

    Raises `KEY_STATE_CONFLICT` for another key-encryption key, place or version and for an envelope
    that was changed: what is stored and what this authority holds do not belong together, and
    only an operator can say which of the two is wrong.
    """
    if set(envelope) != _MEMBERS or envelope["format"] != ENVELOPE_FORMAT:
        raise _conflict(place, "is no sealed value of a known format; restore it from a backup")
    if envelope["kek_id"] != kek.kek_id:
        raise _conflict(place, "was sealed under another key-encryption key; load that key")
    try:
        data_key = _decrypt(
            kek.material, envelope["data_key"], _context("data_key", place, version)
        )
        return _decrypt(data_key, envelope["value"], _context("value", place, version))
    except (InvalidTag, ValueError, TypeError, AttributeError) as exc:
        text = "was changed, moved or put back from an older version; restore it from a backup"
        raise _conflict(place, text) from exc


def _context(layer: str, place: str, version: int) -> bytes:
    """Associated data in JSON, where no two places can run together into one text."""
    return json.dumps([ENVELOPE_FORMAT, layer, place, version]).encode("ascii")


def _encrypt(key: bytes, plaintext: bytes, context: bytes) -> str:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return base64url.encode(nonce + AESGCM(key).encrypt(nonce, plaintext, context))


def _decrypt(key: bytes, text: str, context: bytes) -> bytes:
    raw = base64url.decode(text)
    return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context)


def _conflict(place: str, what: str) -> CaracalError:
    return CaracalError(Reason.KEY_STATE_CONFLICT, f"the value at {place} {what}")
