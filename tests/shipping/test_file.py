"""The file sink, on a real disk: no line is lost or torn, whatever becomes of file and process."""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from caracal_grpc.settings.receivers import FileSink
from caracal_grpc.shipping.port import SinkRefusedError, SinkUnavailableError
from caracal_grpc.shipping.sinks.file import FileDelivery
from caracal_grpc.shipping.sinks.rotation import full_files
from tests.shipping.records import FORM, batch, expected, keys

DAY = 86_400


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "audit.jsonl"


def sink(
    path: Path, now: Callable[[], float] | None = None, **settings: int | None
) -> FileDelivery:
    """The sink of `path`."""
    made = FileSink.model_validate({"path": path, **settings})
    return FileDelivery(made, FORM, now) if now else FileDelivery(made, FORM)


def kept(path: Path) -> list[str]:
    """The keys of all files, oldest first."""
    return [key for file in (*full_files(path), path) for key in keys(file.read_bytes())]


@contextmanager
def full_at(size: int) -> Iterator[None]:
    """A file system that takes no file over `size` bytes; the last write may be a part."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_lines_are_appended_for_their_owner_only(path: Path) -> None:
    """Of any zone, in the order in which they came."""
    file = sink(path)
    await file.open()
    await file.send(batch(0, 3))
    await file.send(batch(0, 2, "other"))
    await file.close()
    assert keys(path.read_bytes()) == [*expected(range(3)), *expected(range(2), "other")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_full_file_is_rotated_before_it_is_larger(path: Path) -> None:
    """Within a batch as between batches, and all that is kept is whole and in order."""
    file = sink(path, max_bytes=4096, keep=100)
    for start in range(0, 90, 30):
        await file.send(batch(start, start + 30))
    await file.close()
    assert len(full_files(path)) > 3
    assert all(each.stat().st_size <= 4096 for each in (*full_files(path), path))
    assert kept(path) == expected(range(90))


async def test_a_line_longer_than_a_file_has_one_of_its_own(path: Path) -> None:
    """It is neither dropped nor cut."""
    file = sink(path, max_bytes=4096, keep=100)
    await file.send(batch(0, 3, resource="r" * 5000))
    await file.close()
    assert [len(keys(each.read_bytes())) for each in (*full_files(path), path)] == [1, 1, 1]
    assert kept(path) == expected(range(3))


async def test_so_many_full_files_are_kept(path: Path) -> None:
    """The newest; and no number is given twice, not even by the next process."""
    for start in range(0, 90, 30):
        file = sink(path, max_bytes=4096, keep=2)
        await file.send(batch(start, start + 30))
        await file.close()
    assert len(full_files(path)) == 2
    last = kept(path)
    assert last == expected(range(90))[-len(last) :]
    assert int(full_files(path)[-1].suffix[1:]) > 3


async def test_a_file_holds_what_was_written_in_one_period(path: Path) -> None:
    """By the clock, also when the process was not there at the turn of the day."""
    clock = [10.5 * DAY]
    for day, start in ((10.5, 0), (10.9, 2), (11.1, 4)):
        clock[0] = day * DAY
        file = sink(path, lambda: clock[0], max_seconds=DAY)
        await file.send(batch(start, start + 2))
        await file.close()
        os.utime(path, (clock[0], clock[0]))
    (full,) = full_files(path)
    assert keys(full.read_bytes()) == expected(range(4))
    assert keys(path.read_bytes()) == expected(range(4, 6))


async def test_a_torn_line_is_cut_off_when_it_is_opened(path: Path) -> None:
    """Its process died while it wrote, and its record comes again."""
    file = sink(path)
    await file.send(batch(0, 2))
    await file.close()
    with path.open("ab") as torn:
        torn.write(b'{"key":"shop/2","zo' + b"x" * 70_000)
    await file.open()
    await file.send(batch(2, 4))
    await file.close()
    assert kept(path) == expected(range(4))


@pytest.mark.parametrize("how", ["moved", "deleted"])
async def test_a_file_that_went_away_is_made_anew(path: Path, how: str) -> None:
    """Whoever rotates by other means gets a whole file, and the next lines are in the new one."""
    file = sink(path)
    await file.send(batch(0, 2))
    away = path.with_name("taken")
    path.rename(away)
    if how == "deleted":
        away.unlink()
    await file.send(batch(2, 4))
    await file.close()
    assert keys(path.read_bytes()) == expected(range(2, 4))
    assert how == "deleted" or keys(away.read_bytes()) == expected(range(2))


async def test_a_full_disk_leaves_no_torn_line(path: Path) -> None:
    """What was written of the batch is taken back, and it arrives once there is room."""
    file = sink(path)
    await file.send(batch(0, 2))
    size = path.stat().st_size
    with full_at(size + 100):
        for _ in range(2):
            with pytest.raises(SinkUnavailableError, match="cannot be written"):
                await file.send(batch(2, 10))
    assert path.stat().st_size == size
    await file.send(batch(2, 10))
    await file.close()
    assert kept(path) == expected(range(10))


async def test_a_disk_that_fills_during_rotation_loses_nothing(path: Path) -> None:
    """The batch comes again whole; what arrived before is there twice, under the same keys."""
    file = sink(path, max_bytes=4096, keep=100)
    with full_at(2000), pytest.raises(SinkUnavailableError):
        await file.send(batch(0, 60))
    await file.send(batch(0, 60))
    await file.close()
    assert list(dict.fromkeys(kept(path))) == expected(range(60))


async def test_a_file_that_others_can_read_is_refused(path: Path) -> None:
    """It holds who did what; nothing is written into it."""
    path.touch(mode=0o644)
    path.chmod(0o644)
    file = sink(path)
    with pytest.raises(SinkRefusedError, match="0644 and must have 0600"):
        await file.send(batch(0, 1))
    await file.close()
    assert path.read_bytes() == b""


async def test_a_link_is_not_followed(path: Path) -> None:
    """Somebody else would say where the entries go."""
    target = path.with_name("elsewhere")
    path.symlink_to(target)
    file = sink(path)
    with pytest.raises(SinkUnavailableError):
        await file.open()
    assert not target.exists()
