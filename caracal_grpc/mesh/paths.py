"""Paths that mean one thing to everybody on the way, and the templates that they are matched with.

Proxies and servers differ in how they read a path: which of them joins slashes, decodes twice, or
takes a backslash for a slash. A path that any of them would read as another one is refused.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, NoReturn
from urllib.parse import unquote_to_bytes

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import is_part
from caracal_grpc.interceptors.resource_field import PathVariables

MAX_PATH: Final = 8192
MAX_SEGMENTS: Final = 64
REST: Final = "**"
"""The last segment of a template that stands for any number of segments, none among them."""

_PLAIN: Final = re.compile(r"(?:/(?!\.+(?:/|\Z))[A-Za-z0-9._~!$&'()*+,=:@-]+)*/?")
_ENCODED: Final = re.compile(
    r"(?:/(?!\.+(?:/|\Z))(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-Fa-f]{2})+)*/?"
)
_MISLEADING: Final = frozenset(b"/\\;%.-_~\x7f") | frozenset(range(0x20))
_LETTERS: Final = (
    frozenset(range(0x30, 0x3A)) | frozenset(range(0x41, 0x5B)) | set(range(0x61, 0x7B))
)
_VARIABLE: Final = re.compile(r"\{([A-Za-z_]\w{0,63})\}(:[A-Za-z][A-Za-z0-9_-]{0,63})?", re.ASCII)


def require_path(path: str, field: str = "path") -> str:
    """`path`, without a query, when it can be read in one way only; raises `FIELD_INVALID`.

    Refused are dot segments, empty segments, a backslash, a semicolon (which some servers cut off),
    and escapes of what needs none (RFC 3986 section 2.3) or separates: encoded slashes and dots.
    """
    if len(path) > MAX_PATH or path.count("/") > MAX_SEGMENTS:
        _refuse(field, f"must be at most {MAX_PATH} characters and {MAX_SEGMENTS} segments")
    if path[:1] != "/":
        _refuse(field, "must begin with a slash")
    if _PLAIN.fullmatch(path):
        return path
    if not _ENCODED.fullmatch(path):
        _refuse(field, "must have no dot segment, //, backslash, semicolon or raw control")
    for part in path.split("%")[1:]:
        if (byte := int(part[:2], 16)) in _MISLEADING or byte in _LETTERS:
            _refuse(field, f"must not escape %{part[:2]}, which another reads as its character")
    try:
        unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        _refuse(field, "must escape UTF-8 and nothing else")
    return path


def segments_of(path: str) -> list[str]:
    """The segments of a path that `require_path` passed; the last is empty after a last slash."""
    return path[1:].split("/")


def folded(segment: str) -> str:
    """`segment` as the most forgiving server reads it: unescaped, whatever its case."""
    if "%" not in segment:
        return segment.lower()
    text = unquote_to_bytes(segment).decode("utf-8", "replace")
    return unicodedata.normalize("NFKC", text).casefold()


@dataclass(frozen=True, slots=True)
class Piece:
    """One segment of a template: a literal, or a variable with what has to follow it."""

    literal: str = ""
    variable: str = ""

    def value(self, segment: str) -> str | None:
        """What the variable is in `segment`; `None` when it cannot be that."""
        value = segment.removesuffix(self.literal) if self.literal else segment
        if self.literal and value == segment:
            return None
        return value if is_part(value) else None


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """`/orders/{order_id}/items`, `/orders/{order_id}:cancel` or `/files/**`.

    A variable is one segment that can name a resource: 1 to 128 letters, digits, `-._~`. `rest` is
    whether it ends in `**`.
    """

    text: str
    pieces: tuple[Piece, ...]
    rest: bool

    @classmethod
    def parse(cls, text: str, field: str = "path") -> PathTemplate:
        """Raises `FIELD_INVALID` naming `field` for what no path could match, or several ways."""
        rest = text.endswith(f"/{REST}")
        bare = text.removesuffix(f"/{REST}") if rest else text
        pieces = tuple(_piece(each, field) for each in bare[1:].split("/")) if bare else ()
        if "*" in bare:
            _refuse(field, "may have ** for all that follows, as its last segment, and no other *")
        require_path(_VARIABLE.sub("x", bare) or text[:1], field)
        names = [piece.variable for piece in pieces if piece.variable]
        if len(set(names)) != len(names):
            _refuse(field, "must have each variable once")
        return cls(text, pieces, rest)

    @property
    def variables(self) -> frozenset[str]:
        """The names of its variables."""
        return frozenset(piece.variable for piece in self.pieces if piece.variable)

    def values(self, segments: list[str]) -> PathVariables:
        """The variables of the path with `segments`, which it matches."""
        pairs = zip(self.pieces, segments, strict=False)
        return PathVariables(
            (piece.variable, piece.value(segment) or "")
            for piece, segment in pairs
            if piece.variable
        )


def _piece(segment: str, field: str) -> Piece:
    found = _VARIABLE.fullmatch(segment)
    if found:
        return Piece(found[2] or "", found[1])
    if "{" in segment or "}" in segment:
        _refuse(field, "may have a variable for a whole segment only, as in /orders/{order_id}")
    return Piece(segment)


def _refuse(field: str, text: str) -> NoReturn:
    raise field_invalid(field, text)
