"""Files that hold a secret: written in one step for their owner only, read only while private."""

from __future__ import annotations

import os
import secrets
import shlex
import stat
from pathlib import Path
from typing import Final

from caracal_grpc.core.errors import CaracalError, field_invalid

MAX_SECRET_FILE_BYTES: Final = 65_536


def read_secret_bytes(path: str | os.PathLike[str]) -> bytes:
    """The content of the secret file at `path`, at most `MAX_SECRET_FILE_BYTES`.

    Raises `FIELD_INVALID`, naming the path and what to do, when it cannot be read, is no regular
    file, or has any permission for its group or for others.
    """
    name = os.fspath(path)
    try:
        content = _read_private(name)
    except (OSError, ValueError) as exc:
        raise field_invalid(name, "cannot be read; check the path and its owner") from exc
    if len(content) > MAX_SECRET_FILE_BYTES:
        raise field_invalid(name, f"must be at most {MAX_SECRET_FILE_BYTES} bytes")
    return content


def read_secret_file(path: str | os.PathLike[str]) -> str:
    """The text of the secret file at `path`, without space around it; raises `FIELD_INVALID`."""
    try:
        text = read_secret_bytes(path).decode("utf-8").strip()
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise field_invalid(os.fspath(path), "must hold text in utf-8")
    return text


def write_secret_file(path: str | os.PathLike[str], text: str) -> None:
    """Puts `text` at `path` with mode 0600; a reader sees the old file or the new, never a part.

    Raises `FIELD_INVALID`, naming the path, when the folder does not take the file.
    """
    target = Path(path)
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        _write_new(fresh, text.encode("utf-8"))
        fresh.replace(target)
    except OSError as exc:
        fresh.unlink(missing_ok=True)
        raise field_invalid(str(target), "cannot be written; check its folder") from exc


def _write_new(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _read_private(name: str) -> bytes:
    """One byte more than the bound at most; non-blocking, so that a pipe cannot hang us."""
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        _require_private(name, os.fstat(descriptor).st_mode)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_SECRET_FILE_BYTES + 1)
    finally:
        os.close(descriptor)


def _require_private(name: str, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise field_invalid(name, "must be a regular file")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _too_open(name, mode)


def _too_open(name: str, mode: int) -> CaracalError:
    shown = f"{stat.S_IMODE(mode):04o}"
    return field_invalid(
        name, f"has mode {shown} and must be its owner's alone; run: chmod 600 {shlex.quote(name)}"
    )
