"""The manifest of a zone: all that its files declare, and the way back to their lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.cli.manifest.folder import files_of
from caracal_grpc.cli.manifest.message import message_of
from caracal_grpc.cli.manifest.modules import Kind, Read, read_modules
from caracal_grpc.cli.manifest.part import Part, parts_in
from caracal_grpc.cli.manifest.repeated import NAMED, Found, repeated
from caracal_grpc.cli.manifest.shape import Policy, Settings, Shape
from caracal_grpc.cli.manifest.yaml_lines import Document, Place, Problem, refusal
from caracal_grpc.v1 import zone_pb2

_LISTS: Final = (*NAMED, "grants")


class Manifest:
    """What is declared of one zone, in one document or in several.

    `modules` and `tests` are the sources by name; `shape` is all documents in one.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._read: dict[str, Read] = {}
        problems = [*repeated(parts), *self._read_modules()]
        if problems:
            raise refusal(problems)
        self.shape = _merged(parts)
        self.modules = self._sources("modules")
        self.tests = self._sources("tests")

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """The one zone that the file or folder at `path` declares; raises `CliError` naming file,
        line and field.
        """
        found = cls.read_all(path)
        if len(found) > 1:
            names = " and ".join(each.zone for each in found[:2])
            text = f"{path} declares several zones, {names}; name the files of one"
            raise CliError(ExitCode.USAGE, text)
        return found[0]

    @classmethod
    def read_all(cls, path: Path) -> list[Manifest]:
        """Every zone that the file or folder at `path` declares, in the order of their names."""
        zones: dict[str, list[Part]] = {}
        for part in chain.from_iterable(map(parts_in, files_of(path))):
            zones.setdefault(part.shape.zone, []).append(part)
        return [cls(zones[name]) for name in sorted(zones)]

    @property
    def zone(self) -> str:
        """The name of the zone."""
        return self.shape.zone

    def message(self) -> zone_pb2.Zone:
        """What the manifest declares, for the wire; what it does not name is not set."""
        return message_of(self.shape, self.modules, self.tests)

    def refused(self, problems: Iterable[Problem]) -> CliError:
        """The end of a command for `problems`, whose places are those of `shape`."""
        return refusal(self._found(each) for each in problems)

    def module(self, name: str) -> Read | None:
        """The module, or module of tests, of that name."""
        return self._read.get(name)

    def _found(self, problem: Problem) -> Found:
        document, place = self._origin(problem.place)
        return document, Problem(place, problem.text)

    def _origin(self, place: Place) -> tuple[Document, Place]:
        """Where a place of `shape` is: a document and a place in it."""
        if place[:1] and place[0] in _LISTS and len(place) > 1 and isinstance(place[1], int):
            return self._item(str(place[0]), place[1], place[2:])
        if len(place) == 3 and place[:2] in {("policy", "modules"), ("policy", "tests")}:
            read = [each for each in self._read.values() if each.place[:2] == place[:2]]
            if isinstance(place[2], int) and place[2] < len(read):
                return read[place[2]].document, read[place[2]].place
        documents = [part.document for part in self._parts]
        for length in range(len(place), 0, -1):
            for document in documents:
                if place[:length] in document.lines:
                    return document, place
        return documents[0], place

    def _item(self, kind: str, index: int, inner: Place) -> tuple[Document, Place]:
        for part in self._parts:
            count = len(getattr(part.shape, kind))
            if index < count:
                return part.document, (kind, index, *inner)
            index -= count
        return self._parts[0].document, (kind,)

    def _read_modules(self) -> Iterable[Found]:
        for part in self._parts:
            policy = part.shape.policy
            kinds: tuple[tuple[Kind, Any], ...] = (
                ("modules", policy.modules),
                ("tests", policy.tests),
            )
            for kind, named in kinds:
                for read in read_modules(part.document, kind, named, self._read):
                    if isinstance(read, Problem):
                        yield part.document, read
                    else:
                        self._read[read.name] = read

    def _sources(self, kind: Kind) -> dict[str, str]:
        return {name: read.source for name, read in self._read.items() if read.place[1] == kind}


def _merged(parts: Sequence[Part]) -> Shape:
    """All parts in one; what none of them says is not set in it either."""
    shapes = [part.shape for part in parts]
    said = set[str]().union(*(each.model_fields_set for each in shapes))
    fields: dict[str, Any] = {"zone": shapes[0].zone}
    for kind in _LISTS:
        fields[kind] = [item for each in shapes for item in getattr(each, kind)]
    fields["policy"] = Policy(
        modules=[item for each in shapes for item in each.policy.modules],
        tests=[item for each in shapes for item in each.policy.tests],
    )
    fields["settings"] = _settings(shapes)
    return Shape.model_construct(said, **fields)


def _settings(shapes: Sequence[Shape]) -> Settings:
    """The settings that any of them says; none is said twice."""
    said: dict[str, Any] = {}
    for each in shapes:
        more = each.settings.model_dump(exclude_unset=True)
        limits = {**said.get("limits", {}), **more.get("limits", {})}
        said = {**said, **more} | ({"limits": limits} if limits else {})
    return Settings.model_validate(said)
