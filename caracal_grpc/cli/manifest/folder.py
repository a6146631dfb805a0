"""The files of a manifest: one, or all YAML below a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from caracal_grpc.cli.errors import usage

_ENDINGS: Final = (".yaml", ".yml")
_MAX_FILES: Final = 10_000


def files_of(path: Path) -> list[Path]:
    """The file at `path`, or every `.yaml` and `.yml` below it in the order of their names.

    Hidden files and folders are left out. Raises `CliError` when there is none.
    """
    if not path.is_dir():
        return [path]
    found = list(islice(_below(path), _MAX_FILES + 1))
    if not found:
        raise usage(f"there is no .yaml and no .yml file in {path}")
    if len(found) > _MAX_FILES:
        raise usage(f"there are over {_MAX_FILES} files in {path}; name a folder of manifests")
    return found


def _below(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder, onerror=_unreadable):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in sorted(files):
            if name.endswith(_ENDINGS) and not name.startswith("."):
                yield Path(root) / name


def _unreadable(error: OSError) -> None:
    raise usage(f"{error.filename} cannot be read: {error.strerror}") from error
