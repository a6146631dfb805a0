"""A zone written as a folder: `zone.yaml`, and its modules in files beside it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from caracal_grpc.cli.errors import CliError, ExitCode, usage
from caracal_grpc.cli.manifest.written import in_place, text_of, value_of
from caracal_grpc.v1 import zone_pb2

MANIFEST: Final = "zone.yaml"

# A module by any other name is written out in the manifest: its name must lead nowhere else.
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.rego")


def files_of_zone(zone: zone_pb2.Zone) -> dict[str, str]:
    """What is in each file, by its path below the folder."""
    files: dict[str, str] = {}

    def in_file(kind: str, module: zone_pb2.PolicyModule) -> Any:
        if not _PLAIN.fullmatch(module.name):
            return in_place(kind, module)
        path = f"{kind}/{module.name}"
        files[path] = module.source
        return path

    return {MANIFEST: text_of(value_of(zone, in_file)), **files}


def write_folder(folder: Path, files: dict[str, str]) -> list[Path]:
    """Writes the files into a folder that is new or empty; raises `CliError` otherwise."""
    written: list[Path] = []
    try:
        if folder.exists() and any(folder.iterdir()):
            raise usage(f"{folder} is not empty; name another folder")
        for name, text in files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("xb") as stream:
                stream.write(text.encode())
            written.append(file)
    except OSError as exc:
        where = exc.filename or folder
        raise CliError(ExitCode.USAGE, f"{where} cannot be written: {exc.strerror}") from exc
    return written
