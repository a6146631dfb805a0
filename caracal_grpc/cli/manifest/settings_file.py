"""A file of settings, read; what is wrong with it is told with its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from caracal_grpc.cli.errors import CliError
from caracal_grpc.cli.manifest.yaml_lines import Document, Place, Problem, load, shown
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason

S = TypeVar("S")
T = TypeVar("T")


class SettingsFile(Generic[S]):
    """The file at `path`; raises `CliError` with file, line and field of each thing wrong.

    `read` makes the settings of what the document says and the folder that it is in.
    """

    def __init__(self, path: Path, read: Callable[[object, Path], S]) -> None:
        self._document = load(path)
        folder = self._document.path.parent
        self.settings = self.checked(lambda: read(self._document.value, folder))

    def checked(self, work: Callable[[], T]) -> T:
        """What `work` makes of the settings; raises `CliError` for what it finds wrong in them."""
        try:
            return work()
        except CaracalError as error:
            if error.reason is Reason.FIELD_INVALID and error.violations:
                raise self._refused(error) from error
            raise

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
