"""Tokens that a command is given: in a file or on stdin, never where all processes see them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from caracal_grpc.cli.errors import usage

_STDIN: Final = 0


def read_token(option: str, path: Path, what: str, most: int = 16_384) -> str:
    """The token in the file that `option` names, `-` for stdin; it must hold `what`.

    No more than `most` characters are read. Raises `CliError`.
    """
    try:
        source = _STDIN if str(path) == "-" else path
        with open(source, encoding="ascii", closefd=source is not _STDIN) as file:
            text = file.read(most + 2).strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise usage(f"{option} {path} cannot be read; it must hold {what}") from exc
    if not text:
        raise usage(f"{option} {path} is empty; it must hold {what}")
    return text
