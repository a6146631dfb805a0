"""What is declared twice, in one file or in two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from pydantic import BaseModel

from caracal_grpc.cli.manifest.part import Part
from caracal_grpc.cli.manifest.yaml_lines import Document, Place, Problem

NAMED: Final = (
    "applications",
    "resources",
    "issuers",
    "proof_systems",
    "workload_issuers",
    "webhooks",
)
"""Kinds of things that have a name of their own."""

Found = tuple[Document, Problem]


def repeated(parts: Sequence[Part]) -> Iterator[Found]:
    """Each thing, and each setting, that another place declares already."""
    for kind in NAMED:
        yield from _things(parts, kind)
    yield from _settings(parts)


def _things(parts: Sequence[Part], kind: str) -> Iterator[Found]:
    first: dict[str, tuple[Part, Place]] = {}
    for part in parts:
        for index, each in enumerate(getattr(part.shape, kind)):
            place: Place = (kind, index, "name")
            known = first.setdefault(each.name, (part, place))
            if known != (part, place):
                text = f"{each.name} is declared already, in {_where(part, *known)}"
                yield part.document, Problem(place, text)


def _settings(parts: Sequence[Part]) -> Iterator[Found]:
    first: dict[Place, Part] = {}
    for part in parts:
        for place in _scalars(("settings",), part.shape.settings):
            before = first.setdefault(place, part)
            if before is not part:
                text = f"is set already, in {_where(part, before, place)}"
                yield part.document, Problem(place, text)


def _scalars(place: Place, model: BaseModel) -> Iterator[Place]:
    """The places below `place` that say something."""
    for name in sorted(model.model_fields_set):
        value = getattr(model, name)
        inner = (*place, name)
        if isinstance(value, BaseModel):
            yield from _scalars(inner, value)
        else:
            yield inner


def _where(part: Part, before: Part, place: Place) -> str:
    if before.document.path == part.document.path:
        return f"line {before.document.line(place)}"
    return before.where(place)
