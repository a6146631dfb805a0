"""The content of a version in pieces that the store takes: thousands of grants do not fit one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from caracal_grpc.authority.policies.content import Content
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason

MOST: Final = 900_000
"""Bytes of one part, below what one commit of the store holds."""
MAX_PARTS: Final = 64

Part = Mapping[str, Any]


def parts_of(content: Content) -> list[Part]:
    """Parts of at most `MOST` bytes each; raises `LIMIT_EXCEEDED` for more than the store takes.

    Modules and tests come first. Thousands of grants take some tenths of a second.
    """
    parts: list[Part] = []
    part, size = _empty(), 0
    for name, key, value in _pieces(content):
        more = len(json.dumps([key, value], ensure_ascii=False).encode())
        if size and size + more > MOST:
            parts.append(part)
            part, size = _empty(), 0
        size += more
        if more > MOST or len(parts) >= MAX_PARTS:
            raise _too_large()
        if name == "grants":
            part[name].append(value)
        else:
            part[name][key] = value
    return [*parts, part]


def joined(parts: Iterable[Part]) -> Content:
    """The content that `parts_of` took apart."""
    grants: list[Mapping[str, Any]] = []
    modules: dict[str, str] = {}
    tests: dict[str, str] = {}
    for part in parts:
        grants += part["grants"]
        modules |= part["modules"]
        tests |= part["tests"]
    return Content(tuple(grants), modules, tests)


def _pieces(content: Content) -> Iterator[tuple[str, str, Any]]:
    for name, source in content.modules.items():
        yield "modules", name, source
    for name, source in content.tests.items():
        yield "tests", name, source
    for grant in content.grants:
        yield "grants", "", dict(grant)


def _empty() -> dict[str, Any]:
    return {"modules": {}, "tests": {}, "grants": []}


def _too_large() -> CaracalError:
    text = "the policy is too large for the store; grant on families, or move grants into modules"
    return CaracalError(Reason.LIMIT_EXCEEDED, text)
