"""From the fields that the authority complains about back to the lines of the manifest."""

from __future__ import annotations

import re
from typing import Final

from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.cli.manifest import Manifest
from caracal_grpc.cli.manifest.yaml_lines import Place, Problem
from caracal_grpc.core.errors import CaracalError, FieldViolation

_PART: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]")
_IN_MODULE: Final = re.compile(r"(?P<module>.+):(?P<line>\d+):(?P<column>\d+)")


def located(manifest: Manifest, error: CaracalError) -> CliError:
    """The end of a command that the authority refused for fields of the declared zone."""
    problems: list[Problem] = []
    lines: list[str] = []
    for violation in error.violations:
        in_module = _in_module(manifest, violation)
        if in_module is None:
            problems.append(_problem(manifest, violation))
        else:
            lines.append(in_module)
    refused = manifest.refused(problems)
    return CliError(ExitCode.USAGE, *refused.lines, *lines)


def place_of(manifest: Manifest, field: str) -> Place:
    """The place in the manifest of a field of the wire."""
    if field in manifest.modules:
        return ("policy", "modules", list(manifest.modules).index(field))
    if field in manifest.tests:
        return ("policy", "tests", list(manifest.tests).index(field))
    parts: list[str | int] = [
        int(index) if index else name for name, index in _PART.findall(field.removeprefix("zone."))
    ]
    if parts[:2] == ["policy", "grants"]:
        del parts[0]
    if parts[:1] in (["modules"], ["tests"]):
        parts.insert(0, "policy")
    return ("zone",) if parts == ["name"] else tuple(parts)


def _problem(manifest: Manifest, violation: FieldViolation) -> Problem:
    """Where it is in the manifest, or under its own name when that has no such place."""
    place = place_of(manifest, violation.field)
    if place[:1] and place[0] in type(manifest.shape).model_fields:
        return Problem(place, violation.description)
    return Problem((), f"{violation.field}: {violation.description}")


def _in_module(manifest: Manifest, violation: FieldViolation) -> str | None:
    match = _IN_MODULE.fullmatch(violation.field)
    read = manifest.module(match["module"]) if match else None
    if match is None or read is None:
        return None
    where = f"{read.file}:{match['line']}:{match['column']}"
    if read.file == read.document.path:  # written out in the manifest
        where = f"{read.file}:{read.document.line(read.place)}: {read.name}:{match['line']}"
    return f"{where}: {violation.description}"
