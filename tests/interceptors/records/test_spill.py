"""The spill file: its owner's alone, one edge's alone, bounded, and whole after any death."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.core.limits import MAX_DECISIONS
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.records.recording import MAX_LINE
from caracal_grpc.interceptors.records.spill import SpillFile
from tests.interceptors.records.support import LONGEST, OWNER, decision, open_file, some
from tests.support.refusals import refused


def read_all(file: SpillFile) -> list[EdgeDecision]:
    """What waits in the file, forgotten as it is read."""
    found: list[EdgeDecision] = []
    while not file.empty:
        decisions, size = file.read(MAX_DECISIONS)
        file.forget(size, len(decisions))
        found += decisions
    return found


def test_what_is_appended_is_read_oldest_first(tmp_path: Path) -> None:
    """Also by the next process; and what was delivered is gone from the disk."""
    told = some(1_200)
    file = open_file(tmp_path)
    assert len(file.append(told[:700])) == 700
    file.append(told[700:])
    file.close()
    file = open_file(tmp_path)
    assert file.waiting == 1_200
    assert read_all(file) == told
    assert (file.waiting, (tmp_path / "spill").stat().st_size) == (0, 0)
    file.close()


def test_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Mode 0600 whatever the umask is."""
    before = os.umask(0)
    try:
        open_file(tmp_path).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "spill").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_file_that_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    """Decisions that anybody could have written are nobody's word."""
    path = tmp_path / "spill"
    path.touch(0o600)
    path.chmod(mode)
    with refused(Reason.FIELD_INVALID) as seen:
        open_file(tmp_path)
    assert seen.fields == ["record.spill"]
    assert f"{mode:04o}" in seen.error.message


def test_link_folder_pipe_and_nowhere_are_refused(tmp_path: Path) -> None:
    """Only a regular file, reached by no link at its end."""
    (tmp_path / "target").touch(0o600)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "spill").symlink_to(tmp_path / "target")
    (tmp_path / "b" / "spill").mkdir(parents=True)
    (tmp_path / "c").mkdir()
    os.mkfifo(tmp_path / "c" / "spill", 0o600)
    for name in ("a", "b", "c", "nowhere"):
        with refused(Reason.FIELD_INVALID) as seen:
            open_file(tmp_path / name)
        assert seen.fields == ["record.spill"]


def test_two_edges_never_share_a_file(tmp_path: Path) -> None:
    """Neither in one process nor in two; a closed one is free again."""
    file = open_file(tmp_path)
    with refused(Reason.FIELD_INVALID) as seen:
        open_file(tmp_path)
    assert "in use" in seen.error.message
    program = (
        "import sys; from caracal_grpc.interceptors.records.spill import SpillFile\n"
        "from caracal_grpc.core.errors import CaracalError\n"
        "try: SpillFile.open(sys.argv[1], 1 << 26, sys.argv[2])\n"
        "except CaracalError as error: print(error.message)\n"
        "else: print('opened')"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "spill"), OWNER]

    def other() -> str:
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout

    assert "in use" in other()
    file.close()
    assert other() == "opened\n"


def test_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    """What the process died in is lost, counted, and in nobody's way."""
    told = some(3)
    file = open_file(tmp_path)
    file.append(told)
    file.close()
    path = tmp_path / "spill"
    path.write_bytes(path.read_bytes()[:-9])
    file = open_file(tmp_path)
    assert (file.lost, file.waiting) == (1, 2)
    late = decision()
    file.append([late])
    assert read_all(file) == [*told[:2], late]
    file.close()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense",
        b"[]",
        b"1",
        b'{"edge": "another"}',
        b"\xff\xfe",
        b"[" * 5_000,
        b"a" * 3_000_000,
        json.dumps({"edge": OWNER, "id": "x", "time_ms": 1, "method": "/a"}).encode(),
        json.dumps({"edge": OWNER, "time_ms": 1, "method": "/a"}).encode(),
        json.dumps({"edge": OWNER, "more": 1}).encode(),
        json.dumps({"edge": OWNER, "id": [], "time_ms": "1", "method": {}}).encode(),
    ],
    ids=range(12),
)
def test_line_that_nobody_can_read_is_left_out(tmp_path: Path, line: bytes) -> None:
    """Whatever stands between ours is counted, and hides none of them."""
    told = some(2)
    file = open_file(tmp_path)
    file.append(told)
    file.close()
    path = tmp_path / "spill"
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + line + b"\n" + second)
    file = open_file(tmp_path)
    assert read_all(file) == told
    assert file.lost >= 1
    file.close()


def test_decisions_of_another_edge_are_not_reported(tmp_path: Path) -> None:
    """They would be in the ledger as what this one decided."""
    file = open_file(tmp_path)
    file.append(some(1))
    file.close()
    with refused(Reason.FIELD_INVALID) as seen:
        open_file(tmp_path, owner="shop/app_01h455vb4pex5vsknk084sn02r")
    assert "another edge" in seen.error.message
    assert (tmp_path / "spill").stat().st_size > 0


def test_file_never_grows_beyond_its_bound(tmp_path: Path) -> None:
    """It takes what fits and says how many; what was delivered makes room."""
    limit = MAX_DECISIONS * MAX_LINE
    file = open_file(tmp_path, limit)
    told = [decision(**LONGEST) for _ in range(MAX_DECISIONS)]
    assert len(file.append(told)) == MAX_DECISIONS, "the largest report fits"
    more = some(50_000)
    taken = len(file.append(more))
    assert 0 < taken < len(more)
    assert file.append(some(1)) == []
    assert (tmp_path / "spill").stat().st_size <= limit
    while (tmp_path / "spill").stat().st_size > limit // 2:
        decisions, size = file.read(MAX_DECISIONS)
        file.forget(size, len(decisions))
        told = told[len(decisions) :] if told else told
        if file.append([decision()]):
            break
    assert (tmp_path / "spill").stat().st_size <= limit
    file.close()


def test_disk_that_is_full_takes_nothing(tmp_path: Path) -> None:
    """The file is as it was before, and takes the same again when there is room."""
    told = some(600)
    program = (
        "import resource, signal, sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from tests.interceptors.records.support import open_file, some\n"
        "file = open_file(Path(sys.argv[1])); file.append(some(10))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "size = (Path(sys.argv[1]) / 'spill').stat().st_size\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1000, resource.RLIM_INFINITY))\n"
        "try: file.append(some(100))\n"
        "except OSError:\n"
        "    print((Path(sys.argv[1]) / 'spill').stat().st_size == size, file.waiting)\n"
    )
    root = str(Path(__file__).parent.parent.parent.parent)
    command = [sys.executable, "-c", program, str(tmp_path), root]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stdout == "True 10\n", done.stderr
    file = open_file(tmp_path)
    assert len(file.append(told)) == 600
    assert read_all(file)[10:] == told
    file.close()


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["append", "read", "reopen"]), st.integers(1, 40)), max_size=25
    )
)
def test_nothing_is_lost_or_out_of_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """However appending, delivering and restarting follow each other; what comes again after a
    restart was delivered before.
    """
    folder = tmp_path_factory.mktemp("spill")
    file = open_file(folder)
    told: list[EdgeDecision] = []
    heard: list[EdgeDecision] = []
    for what, count in steps:
        if what == "append":
            told += (new := some(count))
            file.append(new)
        elif what == "read" and not file.empty:
            decisions, size = file.read(count)
            heard += decisions
            file.forget(size, len(decisions))
        elif what == "reopen":
            file.close()
            file = open_file(folder)
    heard += read_all(file)
    file.close()
    assert heard == told
