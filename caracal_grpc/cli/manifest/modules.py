"""The Rego modules of a manifest: in files beside it, or written out in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from caracal_grpc.cli.manifest.shape import Module
from caracal_grpc.cli.manifest.yaml_lines import Document, Place, Problem

MAX_MODULE: Final = 262_144
"""Bytes of one module."""

_ENDING: Final = ".rego"

Kind = Literal["modules", "tests"]


@dataclass(frozen=True, slots=True)
class Read:
    """A module as it was read: `file` names where its lines are, `place` where it is named."""

    name: str
    source: str
    file: Path
    document: Document
    place: Place


def read_modules(
    document: Document, kind: Kind, named: Sequence[str | Module], found: Mapping[str, Read]
) -> Iterator[Read | Problem]:
    """Each module, or what is wrong with it; `found` are those that have a name already."""
    for index, each in enumerate(named):
        place: Place = ("policy", kind, index)
        read = _read(document, place, each)
        if isinstance(read, Read) and read.name in found:
            first = found[read.name]
            where = f"{first.document.path}:{first.document.line(first.place)}"
            text = f"another module is called {read.name} already, in {where}"
            yield Problem(place, text)
        else:
            yield read


def _read(document: Document, place: Place, named: str | Module) -> Read | Problem:
    if isinstance(named, Module):
        return Read(named.name, named.source, document.path, document, place)
    folder = document.path.parent
    file = folder / named
    try:
        # Whoever plans a stranger's change sends the authority what it names: no file of their own.
        if file.suffix != _ENDING or not file.resolve().is_relative_to(folder.resolve()):
            return Problem(place, f"{named} must be a {_ENDING} file below {folder}")
        return Read(file.name, source_of(file), file, document, place)
    except (OSError, RuntimeError, UnicodeDecodeError):  # RuntimeError: links in a circle
        return Problem(place, f"{file} cannot be read; it must be a rego file")
    except ValueError as exc:
        return Problem(place, str(exc))


def source_of(file: Path) -> str:
    """The text of a module; raises `OSError`, and `ValueError` for one that is none or too long."""
    with file.open("rb") as stream:
        content = stream.read(MAX_MODULE + 1)
    if len(content) > MAX_MODULE:
        raise ValueError(f"{file} is over {MAX_MODULE} bytes")
    return content.decode("utf-8")
