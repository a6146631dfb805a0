"""YAML in which every path knows its line; what would surprise a reader of the file is refused."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import yaml

from caracal_grpc.cli.errors import CliError, ExitCode

MAX_BYTES: Final = 16 << 20
MAX_DEPTH: Final = 32
_MAX_SHOWN: Final = 20
_STDIN: Final = 0

_STEPS: Final[Mapping[type, int]] = {
    yaml.MappingStartEvent: 1,
    yaml.SequenceStartEvent: 1,
    yaml.MappingEndEvent: -1,
    yaml.SequenceEndEvent: -1,
}

_TEXT: Final = "tag:yaml.org,2002:str"

Place = tuple[str | int, ...]
"""A path inside the document, such as `("grants", 0, "scopes")`."""

# The loader in C when PyYAML has it: ten times faster, with the same marks.
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at a place of the document."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A file, its value, and the line of each path in it."""

    path: Path
    value: Any
    lines: Mapping[Place, int]

    def refused(self, problems: Iterable[Problem]) -> CliError:
        """The end of a command for `problems`: file, line, field and text of each, in order."""
        return refusal((self, each) for each in problems)

    def line(self, place: Place) -> int:
        """The line of `place`, or of the closest thing around it that is in the file."""
        while place not in self.lines and place:
            place = place[:-1]
        return self.lines.get(place, 1)


def refusal(found: Iterable[tuple[Document, Problem]]) -> CliError:
    """The end of a command for problems: file, line, field and text of each, file by file."""
    first = list(islice(found, _MAX_SHOWN))
    files = list(dict.fromkeys(document.path for document, _ in first))
    located = [(document.path, document.line(each.place), each) for document, each in first]
    located.sort(key=lambda item: (files.index(item[0]), item[1]))
    return CliError(
        ExitCode.USAGE,
        *(f"{path}:{line}: {shown(each.place)}{each.text}" for path, line, each in located),
    )


def load(path: Path) -> Document:
    """The one YAML document in the file at `path`; raises `CliError` naming file and line."""
    found = load_all(path)
    if len(found) > 1:
        text = "begins a second document; write one"
        raise found[1].refused([Problem((), text)])
    return found[0]


def load_all(path: Path) -> list[Document]:
    """Every YAML document in the file at `path` that is not empty, or the empty one that is all.

    The path `-` is stdin.
    """
    text = _read(path)
    try:
        _require_shallow(path, text)
        loader = _LOADER(text)
        try:
            found = list(_documents(path, loader))
        finally:
            loader.dispose()
    except yaml.YAMLError as exc:
        raise CliError(ExitCode.USAGE, f"{path}:{_mark(exc)}: is not YAML: {_said(exc)}") from exc
    return found or [Document(path, None, {})]


def _documents(path: Path, loader: Any) -> Iterator[Document]:
    while loader.check_node():
        node = loader.get_node()
        lines = _lines(path, node, loader)
        value = loader.construct_document(node)
        if value is not None:
            yield Document(path, value, lines)


def shown(place: Place) -> str:
    """A path as people write it, `grants[0].scopes: `; nothing for the document itself."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return f"{text.removeprefix('.')}: " if text else ""


def _read(path: Path) -> str:
    source = _STDIN if str(path) == "-" else path
    try:
        with open(source, "rb", closefd=source is not _STDIN) as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise CliError(ExitCode.USAGE, f"{path} is over {MAX_BYTES} bytes")
        return content.decode("utf-8-sig")
    except FileNotFoundError as exc:
        raise CliError(ExitCode.USAGE, f"there is no file {path}") from exc
    except OSError as exc:
        raise CliError(ExitCode.USAGE, f"{path} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise CliError(ExitCode.USAGE, f"{path} is not text in utf-8") from exc


def _require_shallow(path: Path, text: str) -> None:
    """Refuses depth while it is only read: the loader in C overruns its stack in building it."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += _STEPS.get(type(event), 0)
        if depth > MAX_DEPTH:
            line = getattr(event.start_mark, "line", 0) + 1
            raise CliError(ExitCode.USAGE, f"{path}:{line}: is nested deeper than any manifest")


def _lines(path: Path, root: yaml.Node, loader: Any) -> dict[Place, int]:
    lines: dict[Place, int] = {(): root.start_mark.line + 1}
    seen: set[int] = set()
    pending: deque[tuple[Place, yaml.Node]] = deque([((), root)])
    while pending:
        place, node = pending.popleft()
        if id(node) in seen:
            line = lines[place]
            raise CliError(ExitCode.USAGE, f"{path}:{line}: {shown(place)}write it out, no aliases")
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            _require_readable(path, place, node, loader)
        for inner, line, child in _children(path, place, node):
            lines[inner] = line
            pending.append((inner, child))
    return lines


def _require_readable(path: Path, place: Place, node: yaml.ScalarNode, loader: Any) -> None:
    """Refuses what looks like a number or a date and is none, such as `2026-99-99`."""
    try:
        loader.construct_object(node)
    except (ValueError, LookupError, AttributeError) as exc:
        text = f"{path}:{node.start_mark.line + 1}: {shown(place)}cannot be read; put it in quotes"
        raise CliError(ExitCode.USAGE, text) from exc


def _children(path: Path, place: Place, node: yaml.Node) -> Iterator[tuple[Place, int, yaml.Node]]:
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            yield (*place, index), child.start_mark.line + 1, child
    elif isinstance(node, yaml.MappingNode):
        known: set[str] = set()
        for key, child in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            line = key.start_mark.line + 1
            where = f"{path}:{line}: {shown((*place, name))}"
            if key.tag != _TEXT:
                raise CliError(ExitCode.USAGE, f"{where}is no key of a manifest; keys are text")
            if name in known:
                raise CliError(ExitCode.USAGE, f"{where}stands there twice")
            known.add(name)
            yield (*place, name), line, child


def _mark(error: yaml.YAMLError) -> int:
    mark = getattr(error, "problem_mark", None)
    return 1 if mark is None else int(mark.line) + 1


def _said(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or "it cannot be read")
