"""The modules and the data of a policy, within bounds, with the version that names them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.policy.lexical import require_bounded

MAX_MODULES: Final = 32
MAX_MODULE_BYTES: Final = 262_144
"""Of all modules together."""
MAX_DATA_BYTES: Final = 16 * 1024 * 1024

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")
_DOCUMENT: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_RESERVED: Final = frozenset({"authz", "ready"})


@dataclass(frozen=True, slots=True)
class Bundle:
    """What an engine compiles: sources by name, and the one data document in JSON."""

    modules: Mapping[str, str]
    data_json: str = field(repr=False)
    version: str

    @classmethod
    def of(cls, modules: Mapping[str, str], data: Mapping[str, Any]) -> Bundle:
        """The bundle of `modules` and `data`, whose documents go below `data.caracal`.

        Raises `FIELD_INVALID` for a bad name, a size over the bounds above or a text that a parser
        could choke on.
        """
        sources = {name: modules[name] for name in sorted(modules)}
        _require_modules(sources)
        data_json = _data_json(data)
        content = json.dumps([sources, data_json], ensure_ascii=False).encode("utf-8")
        version = f"sha256:{hashlib.sha256(content).hexdigest()[:16]}"
        return cls(MappingProxyType(sources), data_json, version)


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


def _data_json(data: Mapping[str, Any]) -> str:
    """`data` in canonical JSON: sorted names, no spaces, so that equal documents are equal text."""
    for name in data:
        if not _DOCUMENT.fullmatch(name) or name in _RESERVED:
            raise field_invalid("data", "names must be a-z, 0-9 and _, and neither authz nor ready")
    try:
        text = json.dumps(
            {"caracal": dict(data)}, sort_keys=True, separators=(",", ":"), allow_nan=False
        )
    except (TypeError, ValueError, RecursionError) as exc:
        raise field_invalid("data", "must be json") from exc
    if len(text) > MAX_DATA_BYTES:
        raise field_invalid("data", f"must be at most {MAX_DATA_BYTES} bytes")
    return text
