"""What commands hand out as a file, for its owner alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import typer

from caracal_grpc.cli.errors import usage

OutOption = Annotated[
    Path | None,
    typer.Option("--out", help="File to write, which must not exist yet. Default: stdout."),
]


@contextmanager
def written(file: Path) -> Iterator[IO[str]]:
    """A file of mode 0600 that is there under its name when it is whole, and else not at all."""
    if file.exists():
        raise usage(f"{file} exists; choose another name or move it away")
    part = file.with_name(f".{file.name}.part")
    try:
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as out:
                yield out
            part.replace(file)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise usage(f"{file} cannot be written: {exc.strerror}") from exc


def hand_out(text: str, out: Path | None) -> None:
    """Writes lines to the file, or else to stdout."""
    if out is None:
        from caracal_grpc.cli.terminal.output import print_line

        print_line(text.rstrip("\n"))
    else:
        with written(out) as file:
            file.write(text)
