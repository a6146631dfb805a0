"""The exported file: a header line, then one line of JSON an entry, for anybody to check offline.

The event of a line is the leaf's data as one JSON string, so that what is hashed is exactly what
was recorded and no reader has to canonicalise anything; so is what is personal of it. An entry that
was pruned has its index and its leaf hash only. Bytes that are no UTF-8 (nothing but tampering
makes them) travel as surrogate escapes. Every line is ASCII.

The header of version 2 says which range of entries the file holds, with the roots of the perfect
subtrees before and behind it (`ledger.proof`). A file of version 1 holds all that its checkpoint
covers, and no entry of it is pruned.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from caracal_grpc.core.entry import MAX_INT
from caracal_grpc.ledger.entries.leaf import MAX_LEAF
from caracal_grpc.ledger.entries.stored import Stored
from caracal_grpc.ledger.tree import HASH_SIZE

FORMAT: Final = "caracal-ledger"
VERSION: Final = 2
MAX_LINE: Final = 8 * MAX_LEAF

_VERSIONS: Final = (1, VERSION)
_NAMES: Final = ("zone", "origin", "verifier_key", "checkpoint")
_SUBTREES: Final = ("before", "after")


class ExportError(ValueError):
    """A line that is not of this format; the text says why."""


@dataclass(frozen=True, slots=True)
class Header:
    """What an exported file says of itself: whose it is, and the checkpoint that covers it.

    It holds the entries with `start` <= index < `end`; `end` is `None` in version 1. `before` and
    `after` are the subtrees before and behind them.
    """

    zone: str
    origin: str
    verifier_key: str
    checkpoint: str
    start: int = 0
    end: int | None = None
    before: tuple[bytes, ...] = ()
    after: tuple[bytes, ...] = ()

    @property
    def version(self) -> int:
        """The version of the file."""
        return 1 if self.end is None else VERSION


def header_line(header: Header) -> str:
    """The first line of a file, with its newline; `origin` is the name in the verifier key."""
    line: dict[str, Any] = {"format": FORMAT, "v": header.version}
    line |= {name: getattr(header, name) for name in _NAMES}
    if header.end is not None:
        line |= {"start": header.start, "end": header.end}
        line |= {name: [each.hex() for each in getattr(header, name)] for name in _SUBTREES}
    return _dump(line)


def entry_line(stored: Stored) -> str:
    """The line of one entry, with its newline."""
    line: dict[str, Any] = {"index": stored.index, "leaf": stored.leaf.hex()}
    for name, data in (("event", stored.canonical), ("personal", stored.personal)):
        if data:
            line[name] = data.decode("utf-8", "surrogateescape")
    if stored.checkpoint:
        line["checkpoint"] = stored.checkpoint
    return _dump(line)


def parse_header(line: str | bytes) -> Header:
    """The header that a line holds; raises `ExportError` when it holds none that is known here."""
    value = _load(line)
    if value.get("format") != FORMAT:
        raise ExportError(f"is not the header of a {FORMAT} file")
    version = value.get("v")
    if type(version) is not int or version not in _VERSIONS:
        raise ExportError(f"is the header of another version than {VERSION}")
    zone, origin, key, checkpoint = (_text(value, name) for name in _NAMES)
    if version == 1:
        return Header(zone, origin, key, checkpoint)
    start, end = (_index(value, name) for name in ("start", "end"))
    before, after = (_hashes(value, name) for name in _SUBTREES)
    if start > end or len(before) != start.bit_count():
        raise ExportError("does not have the subtrees before its range")
    return Header(zone, origin, key, checkpoint, start, end, before, after)


def parse_entry(line: str | bytes, version: int = VERSION) -> Stored:
    """The entry as a line holds it, unchecked; raises `ExportError` when it holds none.

    From version 2 on a line without an event is an entry that was pruned.
    """
    value = _load(line)
    index, leaf = _index(value, "index"), _hash(value.get("leaf"))
    optional = {"event": "", "personal": "", "checkpoint": ""}
    event = _data(value if version == 1 else {**optional, **value}, "event")
    personal = b"" if version == 1 else _data({**optional, **value}, "personal")
    if personal and not event:
        raise ExportError("has something personal without its event")
    return Stored(index, event, leaf, _text({**optional, **value}, "checkpoint"), personal)


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


def _index(value: dict[str, Any], name: str) -> int:
    index = value.get(name)
    if type(index) is not int or not 0 <= index <= MAX_INT:
        raise ExportError(f"has no {name}")
    return index


def _hashes(value: dict[str, Any], name: str) -> tuple[bytes, ...]:
    hashes = value.get(name)
    if not isinstance(hashes, list):
        raise ExportError(f"has no {name}")
    return tuple(_hash(each) for each in hashes)


def _hash(text: object) -> bytes:
    try:
        found = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError as exc:
        raise ExportError("has a hash that is not hexadecimal") from exc
    if len(found) != HASH_SIZE:
        raise ExportError("has no hash, or one of another length")
    return found


def _data(value: dict[str, Any], name: str) -> bytes:
    try:
        return _text(value, name).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as exc:
        raise ExportError(f"has no {name}") from exc


def _text(value: dict[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise ExportError(f"has no {name}")
    return text
