"""Secret files are private from their first byte and refused once they are not."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.crypto.secret_file import read_secret_file, write_secret_file


def test_round_trip(tmp_path: Path) -> None:
    """What is written is read, without the newline that editors add."""
    path = tmp_path / "secret"
    write_secret_file(path, "s3cret\n")
    assert read_secret_file(path) == "s3cret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_written_private_whatever_the_umask(tmp_path: Path) -> None:
    """A lax umask does not open the file."""
    before = os.umask(0)
    try:
        write_secret_file(tmp_path / "secret", "s3cret")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_replaces_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    """A second write replaces the first, private again, with no file left beside it."""
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_secret_file(path, "new")
    assert read_secret_file(path) == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


def test_replaces_a_link_and_not_its_target(tmp_path: Path) -> None:
    """A link laid in the way does not redirect the secret."""
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("untouched")
    link.symlink_to(target)
    write_secret_file(link, "s3cret")
    assert target.read_text() == "untouched"
    assert not link.is_symlink()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o610])
def test_open_file_is_refused(tmp_path: Path, mode: int) -> None:
    """The refusal names path, mode and remedy, and not the content."""
    path = tmp_path / "a secret"
    path.write_text("s3cret")
    path.chmod(mode)
    with pytest.raises(CaracalError) as caught:
        read_secret_file(path)
    assert f"run: chmod 600 '{path}'" in str(caught.value)
    assert f"{mode:04o}" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"x" * 70_000])
def test_unusable_content_is_refused(tmp_path: Path, content: bytes) -> None:
    """Empty, binary and endless files hold no secret."""
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(CaracalError, match="secret"):
        read_secret_file(path)


def test_missing_file_folder_and_pipe_are_refused(tmp_path: Path) -> None:
    """Only a regular file is read; a pipe does not hang the reader."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path / "missing", tmp_path, tmp_path / "pipe"):
        with pytest.raises(CaracalError):
            read_secret_file(path)


def test_unwritable_folder_is_refused(tmp_path: Path) -> None:
    """A folder that is not there is named."""
    with pytest.raises(CaracalError, match="cannot be written"):
        write_secret_file(tmp_path / "missing" / "secret", "s3cret")
