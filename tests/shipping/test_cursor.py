"""Cursors: how far a sink is, on the disk, and nobody else's."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.shipping.cursor import Cursors, Place, Progress, read_progress

HERE = Place(12, "aud_11", 12)


def test_a_cursor_outlives_its_process(tmp_path: Path) -> None:
    """Per zone, and why the sink stopped."""
    state = tmp_path / "state"
    first = Cursors.open(state, "siem")
    assert first.place("shop") is None
    first.move("shop", HERE)
    first.move("other", Place(1))
    first.stopped("it answered 403")
    first.close()
    zones = {"shop": HERE, "other": Place(1)}
    assert read_progress(state, "siem") == Progress(zones, "it answered 403")
    second = Cursors.open(state, "siem")
    assert second.place("shop") == HERE
    second.stopped("")
    second.close()
    assert read_progress(state, "siem").stopped == ""


def test_folder_and_file_are_their_owners_only(tmp_path: Path) -> None:
    """They tell where the entries of a zone are."""
    cursors = Cursors.open(tmp_path / "state", "siem")
    cursors.move("shop", HERE)
    cursors.close()
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "state").iterdir()]
    assert modes == [0o600, 0o600]
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_two_processes_do_not_share_a_cursor(tmp_path: Path) -> None:
    """The second is refused; once the first has ended, it is not."""
    first = Cursors.open(tmp_path, "siem")
    with pytest.raises(CaracalError, match="in use"):
        Cursors.open(tmp_path, "siem")
    Cursors.open(tmp_path, "archive").close()
    first.close()
    Cursors.open(tmp_path, "siem").close()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"version": 2, "zones": {}, "stopped": ""}',
        '{"version": 1, "zones": {"shop": {"next": -1, "id": "", "read": 0}}, "stopped": ""}',
        '{"version": 1, "zones": {"shop": {"next": true, "id": "", "read": 0}}, "stopped": ""}',
        '{"version": 1, "zones": {"shop": {"next": 1}}, "stopped": ""}',
        '{"version": 1, "zones": {"shop": {"next": 1, "id": "", "read": 0}}',
    ],
)
def test_a_file_that_is_no_cursor_is_refused(tmp_path: Path, text: str) -> None:
    """Nothing is guessed: to begin anew would send everything again, to skip would lose."""
    (tmp_path / "siem.json").touch(mode=0o600)
    (tmp_path / "siem.json").write_text(text)
    with pytest.raises(CaracalError) as caught:
        Cursors.open(tmp_path, "siem")
    assert caught.value.violations[0].field == "state_dir"
    with pytest.raises(CaracalError):  # and the lock of the one that failed is not held
        Cursors.open(tmp_path, "siem")
    (tmp_path / "siem.json").unlink()
    Cursors.open(tmp_path, "siem").close()


def test_a_folder_that_others_write_into_is_refused(tmp_path: Path) -> None:
    """Whoever moves a cursor decides what is never sent."""
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o777)
    with pytest.raises(CaracalError, match="written by others"):
        Cursors.open(state, "siem")


def test_what_a_killed_process_left_is_tidied(tmp_path: Path) -> None:
    """Its half-written file, and no other's."""
    for name in (".siem.json.0123456789abcdef", ".other.json.0123456789abcdef"):
        (tmp_path / name).touch()
    Cursors.open(tmp_path, "siem").close()
    assert not (tmp_path / ".siem.json.0123456789abcdef").exists()
    assert (tmp_path / ".other.json.0123456789abcdef").exists()
