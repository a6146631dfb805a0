"""The exported file: a header line, then one line of JSON an entry, for anybody to check offline.

The event of a line is the leaf's data as one JSON string, so that what is hashed is exactly what
was recorded and no reader has to canonicalise anything. Bytes that are no UTF-8 (nothing but
tampering makes them) travel as surrogate escapes. Every line is ASCII.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from caracal_grpc.core.entry import MAX_INT
from caracal_grpc.ledger.leaf import MAX_LEAF
from caracal_grpc.ledger.port import Stored
from caracal_grpc.ledger.tree import HASH_SIZE

FORMAT: Final = "caracal-ledger"
VERSION: Final = 1
MAX_LINE: Final = 8 * MAX_LEAF


class ExportError(ValueError):
    """A line that is not of this format; the text says why."""


@dataclass(frozen=True, slots=True)
class Header:
    """What an exported file says of itself: whose it is, and the checkpoint that covers it."""

    zone: str
    origin: str
    verifier_key: str
    checkpoint: str


def header_line(header: Header) -> str:
    """The first line of a file, with its newline; `origin` is the name in the verifier key."""
    return _dump(
        {
            "format": FORMAT,
            "v": VERSION,
            "zone": header.zone,
            "origin": header.origin,
            "verifier_key": header.verifier_key,
            "checkpoint": header.checkpoint,
        }
    )


def entry_line(stored: Stored) -> str:
    """The line of one entry, with its newline."""
    line: dict[str, Any] = {
        "index": stored.index,
        "leaf": stored.leaf.hex(),
        "event": stored.canonical.decode("utf-8", "surrogateescape"),
    }
    if stored.checkpoint:
        line["checkpoint"] = stored.checkpoint
    return _dump(line)


def parse_header(line: str | bytes) -> Header:
    """The header that a line holds; raises `ExportError` when it holds none of this version."""
    value = _load(line)
    if value.get("format") != FORMAT:
        raise ExportError(f"is not the header of a {FORMAT} file")
    if value.get("v") != VERSION:
        raise ExportError(f"is the header of another version than {VERSION}")
    names = ("zone", "origin", "verifier_key", "checkpoint")
    return Header(*(_text(value, name) for name in names))


def parse_entry(line: str | bytes) -> Stored:
    """The entry as a line holds it, unchecked; raises `ExportError` when it holds none."""
    value = _load(line)
    index = value.get("index")
    if type(index) is not int or not 0 <= index <= MAX_INT:
        raise ExportError("has no index")
    try:
        event = _text(value, "event").encode("utf-8", "surrogateescape")
        leaf = bytes.fromhex(_text(value, "leaf"))
    except ValueError as exc:
        raise ExportError("has no event and leaf hash") from exc
    if len(leaf) != HASH_SIZE:
        raise ExportError("has a leaf hash of another length")
    return Stored(index, event, leaf, _text({"checkpoint": "", **value}, "checkpoint"))


def _dump(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n"


def _load(line: str | bytes) -> dict[str, Any]:
    if len(line) > MAX_LINE:
        raise ExportError(f"is longer than {MAX_LINE} bytes")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise ExportError("is not JSON") from exc
    if not isinstance(value, dict):
        raise ExportError("is not a JSON object")
    return value


def _text(value: dict[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise ExportError(f"has no {name}")
    return text
