"""One YAML document of a manifest: a zone, or a part of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from caracal_grpc.cli.manifest.shape import Shape
from caracal_grpc.cli.manifest.yaml_lines import Document, Place, Problem, load_all


@dataclass(frozen=True, slots=True)
class Part:
    """What one document declares, and the way back to its lines."""

    document: Document
    shape: Shape

    def where(self, place: Place) -> str:
        """File and line of a place, for people."""
        return f"{self.document.path}:{self.document.line(place)}"


def parts_in(path: Path) -> list[Part]:
    """The parts in a file; raises `CliError` naming file, line and field."""
    return [_part(document) for document in load_all(path)]


def _part(document: Document) -> Part:
    try:
        return Part(document, Shape.model_validate(document.value))
    except ValidationError as error:
        problems = dict.fromkeys(_problem(each) for each in error.errors(include_url=False))
        raise document.refused(problems) from None


_MODULE: Final = len(("policy", "modules", 0))
"""Parts of the place of a module, which is the text of a path or a mapping."""

_TEXTS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "extra_forbidden": "is no key of a manifest here",
    "string_too_short": "must not be empty",
    "string_type": "must be text; put it in quotes",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
}


def _problem(error: Mapping[str, Any]) -> Problem:
    place: Place = tuple(error["loc"])
    if place[:1] == ("policy",) and len(place) > _MODULE:
        return Problem(place[:_MODULE], "must be a file, or a name and a source")
    text = _TEXTS.get(error["type"])
    if text is None:
        said = str(error["msg"]).removeprefix("Value error, ")
        text = f"{said[:1].lower()}{said[1:]}"
    return Problem(place, text)
