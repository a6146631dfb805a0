"""Sealed values: what the store may hold of a private key.

Each value has a data key of its own, encrypted under the key-encryption key, both with AES-256-GCM.
Place and version are associated data of the value, so an envelope that was moved to another place,
or an older one that was put back, does not open. They are associated data of the data key as well
when the key-encryption key is in this process. One outside wraps data keys ahead of time, when
no place is known, and may know no associated data: nothing is lost, as a data key opens one value.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import base64url
from caracal_grpc.crypto.kek import NONCE_BYTES
from caracal_grpc.crypto.key_encryption import DATA_KEY_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caracal_grpc.crypto.key_encryption import KeyEncryption

PLACED: Final = "caracal-sealed-1"
"""The format of an envelope whose data key is bound to its place."""
UNPLACED: Final = "caracal-sealed-2"
"""That of one whose data key was wrapped ahead of time."""

_MEMBERS: Final = frozenset({"format", "kek_id", "data_key", "value"})
_FORMATS: Final = (PLACED, UNPLACED)


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key for one value, and how it is kept: wrapped under the key `kek_id`."""

    format: str
    kek_id: str
    material: bytes = field(repr=False)
    wrapped: bytes = field(repr=False)


def new_data_key(kek: KeyEncryption, place: str = "", version: int = 0) -> DataKey:
    """A fresh data key; for a `local` key that of a value for `place` and `version`.

    Blocks as long as the key-encryption key needs; raises as `KeyEncryption.wrap`.
    """
    material = secrets.token_bytes(DATA_KEY_BYTES)
    kind = PLACED if kek.local else UNPLACED
    wrapped = kek.wrap(material, _key_context(kind, place, version))
    return DataKey(kind, kek.kek_id, material, wrapped)


def seal(kek: KeyEncryption, plaintext: bytes, place: str, version: int) -> dict[str, str]:
    """The envelope of `plaintext` for `place` (its record's path) and `version` (its count).

    Blocks and raises as `new_data_key`.
    """
    return seal_under(new_data_key(kek, place, version), plaintext, place, version)


def seal_under(data_key: DataKey, plaintext: bytes, place: str, version: int) -> dict[str, str]:
    """The same under a data key that was made for it, or ahead of time; it is used up by that."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    context = _context(data_key.format, "value", place, version)
    return {
        "format": data_key.format,
        "kek_id": data_key.kek_id,
        "data_key": base64url.encode(data_key.wrapped),
        "value": base64url.encode(
            nonce + AESGCM(data_key.material).encrypt(nonce, plaintext, context)
        ),
    }


def open_sealed(
    kek: KeyEncryption | None, envelope: Mapping[str, Any], place: str, version: int
) -> bytes:
    """The plaintext that `seal` put into `envelope` for the same place and version.

    `kek` is the key that the envelope names, `None` when this authority does not have it. Blocks as
    long as that key needs. Raises `KEY_STATE_CONFLICT` for another key-encryption key, place or
    version and for an envelope that was changed: what is stored and what this authority holds do
    not belong together, and only an operator can say which of the two is wrong. `STORE_UNAVAILABLE`
    when the key does not answer.
    """
    if set(envelope) != _MEMBERS or envelope["format"] not in _FORMATS:
        raise _conflict(place, "is no sealed value of a known format; restore it from a backup")
    if kek is None or envelope["kek_id"] != kek.kek_id:
        raise _conflict(place, "was sealed under another key-encryption key; load that key")
    kind = envelope["format"]
    try:
        wrapped = base64url.decode(envelope["data_key"])
        data_key = kek.unwrap(wrapped, _key_context(kind, place, version))
        raw = base64url.decode(envelope["value"])
        context = _context(kind, "value", place, version)
        return AESGCM(data_key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], context)
    except (InvalidTag, ValueError, TypeError, AttributeError) as exc:
        text = "was changed, moved or put back from an older version; restore it from a backup"
        raise _conflict(place, text) from exc


def _key_context(kind: str, place: str, version: int) -> bytes:
    """What a data key is bound to."""
    if kind == UNPLACED:
        return json.dumps([kind, "data_key"]).encode("ascii")
    return _context(kind, "data_key", place, version)


def _context(kind: str, layer: str, place: str, version: int) -> bytes:
    """Associated data in JSON, where no two places can run together into one text."""
    return json.dumps([kind, layer, place, version]).encode("ascii")


def _conflict(place: str, what: str) -> CaracalError:
    return CaracalError(Reason.KEY_STATE_CONFLICT, f"the value at {place} {what}")
