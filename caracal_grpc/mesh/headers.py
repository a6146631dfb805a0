"""The headers of a request, as a proxy says them: names in lower case, each value by itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any, Final

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.reason import Reason

MAX_HEADERS: Final = 256
MAX_HEADER_BYTES: Final = 65_536
"""Of their values. Envoy itself takes 60 KiB, and 100 of them, unless it is told otherwise."""

_NAME: Final = re.compile(r":?[!#$%&'*+.^_`|~0-9a-z-]{1,256}")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_MARK: Final = re.compile(r"[^a-z0-9]")

_KNOWN: Final[dict[str, str]] = {}
"""Names that came before and are well-formed, in lower case; bounded, since callers choose them."""

_MOST_KNOWN: Final = 1024

Entries = tuple[tuple[str, str], ...]


class Headers:
    """The headers of one request in their order, without those that HTTP/2 writes with a colon.

    A value of a name that ends `-bin` is text in base64 from Envoy, and as it is from gRPC.
    """

    __slots__ = ("_last", "_several", "entries")

    entries: Entries
    """Every name with a value; a name may come several times."""

    def __init__(self, entries: Iterable[tuple[str, str]] = ()) -> None:
        """Names have to be in lower case."""
        self.entries = tuple(entries)
        self._last = dict(self.entries)
        once = len(self._last) == len(self.entries)
        self._several = {} if once else _several(self.entries)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, name: object) -> bool:
        return name in self._last

    def __repr__(self) -> str:
        return f"Headers({sorted(self.names)})"

    @property
    def names(self) -> AbstractSet[str]:
        """The names that there are."""
        return self._last.keys()

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of `name`, which is in lower case."""
        if name in self._several:
            return self._several[name]
        return (self._last[name],) if name in self._last else ()

    def one(self, name: str) -> str:
        """The value of `name`, which is in lower case; empty without one.

        Raises `FIELD_INVALID` when there are several, of which nobody could say which one counts.
        """
        if name in self._several:
            raise field_invalid(f"headers.{name}", "comes several times; send it once")
        return self._last.get(name, "")


def split_headers(http: Any) -> tuple[dict[str, str], Headers]:
    """The headers with a colon, by name, and the others, of an `AttributeContext.HttpRequest`.

    Raises `METADATA_TOO_LARGE`, and `FIELD_INVALID` for names and values that HTTP does not have.
    """
    entries = _entries(http)
    values = "".join([value for _, value in entries])
    if len(values) > MAX_HEADER_BYTES:
        raise _too_large()
    if not values.isprintable():
        _require_no_controls(entries)
    pseudo: dict[str, str] = {}
    plain = []
    for entry in entries:
        if entry[0][0] != ":":
            plain.append(entry)
        elif pseudo.setdefault(*entry) != entry[1]:
            raise field_invalid(f"headers.{entry[0]}", "comes several times; send it once")
    return pseudo, Headers(plain)


def _entries(http: Any) -> list[tuple[str, str]]:
    """From the one of the two places where a proxy puts them; bytes read as HTTP reads them."""
    raw, joined = http.header_map.headers, http.headers
    if len(raw) + len(joined) > MAX_HEADERS:
        raise _too_large()
    if not raw:
        return [(_name(name), value) for name, value in joined.items()]
    if joined:
        raise field_invalid("headers", "come in two places; let the proxy send one of them")
    known = _KNOWN.get
    return [
        (known(key := each.key) or _name(key), each.raw_value.decode("latin-1") or each.value)
        for each in raw
    ]


def _name(name: str) -> str:
    """`name` in lower case; most are known, and not looked at again."""
    known = _KNOWN.get(name)
    if known is not None:
        return known
    lower = name.lower()
    if not _NAME.fullmatch(lower):
        raise field_invalid("headers", "must have names of letters, digits and marks")
    if len(_KNOWN) < _MOST_KNOWN:
        _KNOWN[name] = lower
    return lower


def _require_no_controls(entries: Iterable[tuple[str, str]]) -> None:
    for name, value in entries:
        if _CONTROL.search(value) and not name.endswith("-bin"):
            raise field_invalid(f"headers.{name}", "must have no control characters")


def _several(entries: Entries) -> dict[str, tuple[str, ...]]:
    """The values of the names that come several times."""
    found: dict[str, list[str]] = {}
    for name, value in entries:
        found.setdefault(name, []).append(value)
    return {name: tuple(values) for name, values in found.items() if len(values) > 1}


def as_variable(name: str) -> str:
    """A name in lower case as servers know it that hand headers on as variables, which have one
    mark only (RFC 3875 section 4.1.18): `x_forwarded_user` is `x-forwarded-user` to them.
    """
    return _MARK.sub("_", name)


def _too_large() -> CaracalError:
    text = f"the request has over {MAX_HEADERS} headers, or {MAX_HEADER_BYTES} bytes of them"
    return CaracalError(Reason.METADATA_TOO_LARGE, f"{text}; send less")
