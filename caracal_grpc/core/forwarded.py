"""What a proxy says of the certificate that its own caller showed: `x-forwarded-client-cert`.

Form: Envoy, "HTTP header manipulation", section x-forwarded-client-cert. Elements, one a hop, are
separated by commas, the nearest hop last; in each, `Key=Value` pairs by semicolons. A value with
either of these in it is quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

HEADER: Final = "x-forwarded-client-cert"
MAX_HEADER: Final = 8_192
"""Characters; a chain of certificates in it is longer, and nobody needs it."""

_VALUE: Final = r'(?:"((?:[^"\\]|\\.)*)"|([^",;\\]*))'
_PAIR: Final = re.compile(rf"([A-Za-z]{{1,16}})={_VALUE}")
_HASH: Final = re.compile(r"[0-9a-fA-F]{64}")
_ONCE: Final = frozenset({"by", "hash", "cert", "chain", "subject"})
_SEVERAL: Final = frozenset({"uri", "dns"})


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The certificate of the nearest hop: the SHA-256 of its DER form, its URI, its DNS names."""

    digest: bytes
    uri: str
    dns_names: tuple[str, ...]


def nearest(header: str) -> Forwarded:
    """What `header` says of who is on the other side of the proxy that sent it.

    Raises `ValueError` for what is malformed anywhere, or does not say exactly one thing: two URIs,
    something twice, or nothing to tell the certificate by.
    """
    if not 0 < len(header) <= MAX_HEADER or not (header.isascii() and header.isprintable()):
        raise ValueError(f"it is not 1 to {MAX_HEADER} printable characters of ASCII")
    *_, last = [_element(pairs) for pairs in _elements(header)]
    return last


def _elements(header: str) -> Iterator[list[tuple[str, str]]]:
    """The pairs of each element, with keys in lower case."""
    pairs: list[tuple[str, str]] = []
    place = 0
    while True:
        found = _PAIR.match(header, place)
        if found is None:
            raise ValueError("it is not pairs of keys and values")
        key, quoted, plain = found.groups()
        pairs.append((key.lower(), _unquoted(quoted) if plain is None else plain))
        place = found.end()
        end = header[place : place + 1]
        if end in {",", ""}:
            yield pairs
            pairs = []
        elif end != ";":
            raise ValueError("a value is neither quoted nor ended")
        if not end:
            return
        place += 1
        if end == "," and header[place : place + 1] == " ":  # how HTTP joins two fields
            place += 1


def _element(pairs: list[tuple[str, str]]) -> Forwarded:
    keys = [key for key, _ in pairs]
    strange = set(keys) - _ONCE - _SEVERAL
    if strange or any(keys.count(key) > 1 for key in _ONCE):
        raise ValueError("a key is unknown, or there twice")
    uris = [value for key, value in pairs if key == "uri" and value]
    digests = [value for key, value in pairs if key == "hash"]
    if len(uris) > 1:
        raise ValueError("the certificate has more than one URI")
    if not digests or not _HASH.fullmatch(digests[0]):
        raise ValueError("the certificate has no hash")
    names = tuple(value for key, value in pairs if key == "dns" and value)
    return Forwarded(bytes.fromhex(digests[0]), uris[0] if uris else "", names)


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value)
