"""What is personal of an event, beside the event: a salted commitment, and what opens it.

The event holds the SHA-256 of the disclosure, canonical JSON `{"fields":{…},"salt":"<32 hex>"}`.
The salt is random, so that nobody can guess a name and see by the hash that it was the one; without
the disclosure the hash tells nothing. So erasing the disclosure erases what it says, and the leaf
that was hashed into the tree stays as it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from caracal_grpc.core.personal import COMMITMENT, whole
from caracal_grpc.ledger.entries.canonical import canonical

SALT_SIZE: Final = 16
"""Bytes: as many as nobody guesses."""


def disclosure(fields: Mapping[str, Any], salt: bytes) -> bytes:
    """The bytes that open a commitment to `fields`."""
    return canonical({"fields": fields, "salt": salt.hex()})


def commitment(disclosed: bytes) -> str:
    """What the event says of these bytes."""
    return sha256(disclosed).hexdigest()


def committed(event: Mapping[str, Any]) -> str:
    """What an event says of its disclosure; empty when nothing of it is personal, or was in the
    event itself, as in version 1.
    """
    said = event.get(COMMITMENT, "")
    return said if isinstance(said, str) else ""


def whole_event(event: Mapping[str, Any], disclosed: bytes) -> Mapping[str, Any]:
    """The event with what its disclosure adds, if there is one; raises `ValueError` for bytes that
    are none. Whether they are the right ones, `commitment` tells.
    """
    if not disclosed:
        return event
    opened = json.loads(disclosed)
    fields = opened.get("fields") if isinstance(opened, dict) else None
    return whole(event, fields)


def is_opened(event: Mapping[str, Any], disclosed: bytes) -> bool:
    """Whether `disclosed` is what the event commits to, or is not there any more."""
    return not disclosed or commitment(disclosed) == committed(event)
