"""JSON objects read one way only: no duplicate names, no NaN, and never deep nesting."""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

MAX_BRACKETS: Final = 256
"""Opening brackets and braces in one document, hence also the deepest nesting."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name occurs twice")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is out of range")
    return value


def _refuse(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse
)


def read_object(raw: bytes) -> dict[str, Any]:
    """The JSON object that `raw` holds (RFC 8259); raises `ValueError` for anything else."""
    if raw.count(b"{") + raw.count(b"[") > MAX_BRACKETS:
        raise ValueError("too many brackets")
    value = _DECODER.decode(raw.decode("utf-8"))
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - the text is wrong, not the argument
    return value
