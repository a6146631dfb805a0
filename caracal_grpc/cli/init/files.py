"""The files of a starter folder, written where there are none."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

from caracal_grpc.cli.errors import usage
from caracal_grpc.cli.init.wanted import MANIFEST, Wanted

PROFILES: Final = "profiles"
_WRITTEN: Final = (MANIFEST, "policy.rego", "policy_test.rego")
_IGNORE_ALL: Final = "# Profiles hold secrets: none of them belongs into a repository.\n*\n"


def write_starter(folder: Path, wanted: Wanted) -> list[Path]:
    """Writes what is not there yet; the files that were written. Raises `CliError`."""
    contents = {folder / name: _filled(name, wanted) for name in _WRITTEN}
    contents[folder / PROFILES / ".gitignore"] = _IGNORE_ALL
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PROFILES).mkdir(mode=0o700, exist_ok=True)
        return [path for path, text in contents.items() if _written(path, text)]
    except OSError as exc:
        raise usage(f"{folder} cannot be written to: {exc.strerror}") from exc


def _filled(name: str, wanted: Wanted) -> str:
    source = files("caracal_grpc.cli.init.starter").joinpath(name).read_text("utf-8")
    return Template(source).substitute(
        zone=wanted.zone,
        service=wanted.service,
        caller=wanted.caller,
        caller_may=f"{wanted.caller}_may",
        scopes=", ".join(f'"{each}"' for each in wanted.scopes),
        granted=wanted.scopes[0],
        refused=wanted.scopes[1],
    )


def _written(path: Path, text: str) -> bool:
    """Whether it was not there: what somebody has changed is not touched."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True
