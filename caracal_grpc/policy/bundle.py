"""The modules and the data of a policy, within bounds, with the version that names them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.policy.grants import is_built_in
from caracal_grpc.policy.lexical import require_bounded
from caracal_grpc.policy.weight import is_light

MAX_MODULES: Final = 32
MAX_MODULE_BYTES: Final = 262_144
"""Of all modules together."""
MAX_DATA_BYTES: Final = 16 * 1024 * 1024
PIECE: Final = 65_536
"""Characters of data after which another piece begins: what an engine reads in a few ms."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")
_DOCUMENT: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_ENCODE: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
_RESERVED: Final = frozenset({"authz", "ready"})


@dataclass(frozen=True, slots=True)
class Bundle:
    """What an engine compiles: sources by name, and documents by name, which is their data.

    A document is in JSON and, when it is an object, in pieces: the members of all of them are its
    own. So nobody has to read a large one at once.
    """

    modules: Mapping[str, str]
    pieces: tuple[tuple[str, str], ...] = field(repr=False)
    version: str
    light: bool = False
    """Whether it is the built-in module, and answers any question in no time."""

    @classmethod
    def of(cls, modules: Mapping[str, str], data: Mapping[str, Any], version: str = "") -> Bundle:
        """The bundle of `modules` and `data`, whose documents go below `data.caracal`.

        Without a `version` it is the digest of all of it. Raises `FIELD_INVALID` for a bad name, a
        size over the bounds above or a text that a parser could choke on.
        """
        sources = {name: modules[name] for name in sorted(modules)}
        _require_modules(sources)
        pieces = _pieces(data)
        named = version or _digest(sources, pieces)
        light = is_built_in(sources) and is_light(data["grants"])
        return cls(MappingProxyType(sources), pieces, named, light)

    @property
    def data_json(self) -> str:
        """All documents in one, in canonical JSON: equal documents are equal text."""
        texts: dict[str, list[str]] = {}
        for name, text in self.pieces:
            texts.setdefault(name, []).append(text)
        documents = ",".join(f'"{name}":{_joined(texts[name])}' for name in texts)
        return f'{{"caracal":{{{documents}}}}}'

    def fragments(self) -> Iterator[str]:
        """The same in documents of JSON that an engine merges, each short if it can be."""
        for name, text in self.pieces:
            yield f'{{"caracal":{{"{name}":{text}}}}}'


def _require_modules(sources: Mapping[str, str]) -> None:
    if not 1 <= len(sources) <= MAX_MODULES:
        raise field_invalid("modules", f"must be 1 to {MAX_MODULES} modules")
    size = 0
    for name, source in sources.items():
        if not _NAME.fullmatch(name):
            raise field_invalid("modules", "names must be letters, digits, dot, slash and hyphen")
        size += _utf8_size(name, source)
        if size > MAX_MODULE_BYTES:
            raise field_invalid(name, f"modules must be at most {MAX_MODULE_BYTES} bytes together")
        require_bounded(name, source)


def _utf8_size(name: str, source: str) -> int:
    try:
        return len(source.encode("utf-8"))
    except UnicodeEncodeError as exc:
        raise field_invalid(name, "must be text in utf-8") from exc


def _digest(sources: Mapping[str, str], pieces: Iterable[tuple[str, str]]) -> str:
    digest = hashlib.sha256(json.dumps(sources, ensure_ascii=False).encode())
    for piece in pieces:
        digest.update(json.dumps(piece).encode())
    return f"sha256:{digest.hexdigest()[:16]}"


def _pieces(data: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """`data` in canonical JSON: sorted names, no spaces."""
    pieces: list[tuple[str, str]] = []
    size = 0
    for name in sorted(data):
        if not _DOCUMENT.fullmatch(name) or name in _RESERVED:
            raise field_invalid("data", "names must be a-z, 0-9 and _, and neither authz nor ready")
        for text in _texts(data[name]):
            pieces.append((name, text))
            size += len(text)
            if size > MAX_DATA_BYTES:
                raise field_invalid("data", f"must be at most {MAX_DATA_BYTES} bytes")
    return tuple(pieces)


def _texts(document: Any) -> Iterator[str]:
    """A document in pieces, of which each is an object if there is more than one."""
    named = isinstance(document, dict) and all(isinstance(each, str) for each in document)
    if not (named and document):
        yield _canonical(document)
        return
    members: list[str] = []
    size = 0
    for name in sorted(document):
        members.append(_canonical({name: document[name]})[1:-1])
        size += len(members[-1])
        if size > PIECE:
            yield f"{{{','.join(members)}}}"
            members, size = [], 0
    if members:
        yield f"{{{','.join(members)}}}"


def _joined(texts: list[str]) -> str:
    if len(texts) == 1:
        return texts[0]
    return f"{{{','.join(text[1:-1] for text in texts)}}}"


def _canonical(value: Any) -> str:
    try:
        return _ENCODE(value)
    except (TypeError, ValueError, RecursionError) as exc:
        raise field_invalid("data", "must be json") from exc
