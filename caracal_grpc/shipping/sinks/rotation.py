"""Which files a rotated one leaves behind, and which of them go."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

_DIGITS: Final = 8


def full_files(path: Path) -> list[Path]:
    """The full files of `path`, oldest first."""
    pattern = re.compile(re.escape(path.name) + rf"\.(\d{{{_DIGITS},}})")
    found = ((pattern.fullmatch(each.name), each) for each in path.parent.iterdir())
    numbered = [(int(match[1]), each) for match, each in found if match]
    return [each for _, each in sorted(numbered)]


def rotate(path: Path, keep: int) -> None:
    """Gives the file at `path` the next number, and deletes all but the `keep` newest full ones.

    No file ever takes the place of another. Raises `OSError`.
    """
    full = full_files(path)
    number = int(full[-1].suffix[1:]) + 1 if full else 1
    target = path.with_name(f"{path.name}.{number:0{_DIGITS}}")
    path.rename(target)
    for old in [*full, target][:-keep]:
        old.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in `folder` durable; raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
