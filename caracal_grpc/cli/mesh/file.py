"""`mesh.yaml`, read; what is wrong with it is told with its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from caracal_grpc.cli.errors import CliError
from caracal_grpc.cli.manifest.yaml_lines import Document, Place, Problem, load, shown
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason

if TYPE_CHECKING:
    from caracal_grpc.settings.mesh import MeshSettings

T = TypeVar("T")


class MeshFile:
    """The file at `path`; raises `CliError` with file, line and field of each thing wrong."""

    def __init__(self, path: Path) -> None:
        self._document = load(path)
        self.settings = self.checked(self._load)

    def checked(self, work: Callable[[], T]) -> T:
        """What `work` makes of the settings; raises `CliError` for what it finds wrong in them."""
        try:
            return work()
        except CaracalError as error:
            if error.reason is Reason.FIELD_INVALID and error.violations:
                raise self._refused(error) from error
            raise

    def _load(self) -> MeshSettings:
        from caracal_grpc.settings.mesh import MeshSettings

        return MeshSettings.load(self._document.value, self._document.path.parent)

    def _refused(self, error: CaracalError) -> CliError:
        problems = [
            _problem(self._document, each.field, each.description) for each in error.violations
        ]
        return self._document.refused(problems)


def _problem(document: Document, field: str, text: str) -> Problem:
    """The problem at the longest path of the document that `field` begins with."""
    found: Place = ()
    for place in document.lines:
        name = shown(place).removesuffix(": ")
        if len(place) > len(found) and (
            field == name or field.startswith((f"{name}.", f"{name}["))
        ):
            found = place
    rest = field.removeprefix(shown(found).removesuffix(": ")).lstrip(".")
    return Problem((*found, rest) if rest else found, text)
