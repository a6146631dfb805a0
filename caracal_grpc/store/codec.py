"""How a value is written: a JSON object with a format version and the mark of who wrote it.

The mark, fresh for every write, lets a writer whose answer was lost find out exactly whether its
own write is there, even when somebody else wrote an equal value.
"""

from __future__ import annotations

import json
import secrets
from typing import Any, Final

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.store.formats import VERSION, current
from caracal_grpc.store.port import MAX_COMMIT_BYTES, Value
from caracal_grpc.store.refusal import too_large

_VERSION_FIELD: Final = "v"
_MARK_FIELD: Final = "_write"


class UnreadableError(ValueError):
    """Stored bytes that this version cannot read; it never holds the bytes."""


def new_mark() -> str:
    """A mark that no other write carries: 64 random bits."""
    return secrets.token_hex(8)


def encode(value: Value, mark: str) -> bytes:
    """`value` as it is stored; raises `FIELD_INVALID` when JSON cannot hold it."""
    if _VERSION_FIELD in value or _MARK_FIELD in value:
        raise field_invalid("value", f"{_VERSION_FIELD} and {_MARK_FIELD} are the store's own")
    framed = {_VERSION_FIELD: VERSION, _MARK_FIELD: mark, **value}
    try:
        text = json.dumps(framed, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        data = text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise field_invalid("value", "must be a JSON object") from error
    if len(data) > MAX_COMMIT_BYTES:
        raise too_large(f"a value holds at most {MAX_COMMIT_BYTES} bytes")
    return data


def decode(kind: str, data: bytes) -> dict[str, Any]:
    """The value of a record of `kind` in stored bytes, in the present format.

    Raises `UnreadableError` for bytes that are no value, and for one of a later format.
    """
    try:
        framed = json.loads(data)
    except (ValueError, RecursionError):
        raise UnreadableError("not JSON") from None
    version = framed.pop(_VERSION_FIELD, None) if isinstance(framed, dict) else None
    if type(version) is not int or not 1 <= version <= VERSION:
        raise UnreadableError("not of a format version that is known here")
    framed.pop(_MARK_FIELD, None)
    try:
        return current(kind, framed, version)
    except (LookupError, TypeError, ValueError):
        raise UnreadableError(f"no value of format version {version}") from None
