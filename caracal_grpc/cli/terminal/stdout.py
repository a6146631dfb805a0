"""Standard output whose failures end a command with a documented exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from caracal_grpc.cli.errors import CliError, ExitCode

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer


class Stdout(io.BufferedWriter):
    """The bytes of stdout, be they of a line, a table or help; a failed write raises `CliError`."""

    def write(self, content: Buffer, /) -> int:
        """Takes `content`, and hands over what is too much to hold."""
        with _ended(self):
            return super().write(content)

    def flush(self) -> None:
        """Hands over what is buffered."""
        with _ended(self):
            super().flush()


def prepare_streams() -> None:
    """Puts `Stdout` below `sys.stdout`; raises `CliError` when stdout is closed.

    Characters that its encoding does not have become question marks. A stdin that is closed is like
    one that has ended.
    """
    if sys.stdin is None:
        sys.stdin = io.StringIO()
    if sys.stderr is None:  # `print` would write to stdout instead
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    if sys.stdout is None:
        raise CliError(ExitCode.OUTPUT, "stdout is closed; open it, or send it to /dev/null")
    sys.stdout = io.TextIOWrapper(
        Stdout(io.FileIO(sys.stdout.fileno(), "w", closefd=False)),
        encoding=sys.stdout.encoding,
        errors="replace",
        line_buffering=sys.stdout.isatty(),
    )


def to_nowhere(stream: IO[Any]) -> None:
    """Discards what `stream` still holds and gets, which would fail again at the very end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


@contextmanager
def _ended(stream: IO[Any]) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as exc:
        to_nowhere(stream)
        raise CliError(ExitCode.BROKEN_PIPE) from exc
    except OSError as exc:
        to_nowhere(stream)
        text = f"stdout cannot be written: {exc.strerror}; what was asked for may be done already"
        raise CliError(ExitCode.OUTPUT, text) from exc
