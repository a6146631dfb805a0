"""How a header is written into a message for a proxy, so that it reads as every proxy reads it."""

from __future__ import annotations

import re
from typing import Any, Final

from envoy.config.core.v3.base_pb2 import HeaderValueOption

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]{1,256}")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OVERWRITE: Final = HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
"""Envoy overwrites whatever it is told; gRPC adds unless it is told this."""


def add_header(into: Any, name: str, value: str, raw: bytes = b"") -> None:
    """Adds a header to a list of `HeaderValueOption`.

    Envoy reads text, and gRPC itself the `raw` bytes of a name that ends `-bin`. Raises
    `ValueError` for what cannot be a header, which is a bug of ours.
    """
    if not _NAME.fullmatch(name) or name == "host" or not _VALUE.fullmatch(value):
        raise ValueError(f"cannot be a header: {name[:64]!r}")
    into.add(header={"key": name, "value": value, "raw_value": raw}, append_action=_OVERWRITE)
