"""The quickstart runs alone."""

from __future__ import annotations

import sys

from tests.examples.processes import EXAMPLES, Run


def test_the_quickstart_shows_a_grant_a_refusal_and_a_verified_ledger(examples: Run) -> None:
    """It needs nothing but itself, says what it should, and leaves nothing behind."""
    said = examples.run(sys.executable, str(EXAMPLES / "quickstart.py"))
    assert "/Greeter/Greet allowed: b'hello world, because of aud_" in said
    assert "/Greeter/Shout refused: POLICY_DENIED" in said
    assert "ledger.jsonl verifies: 5 entries" in said
    assert examples.alive() == []
    assert list(examples.temporary.iterdir()) == []


def test_the_quickstart_says_why_there_is_no_authority(examples: Run) -> None:
    """The reason stands on a line of its own, and there is no traceback."""
    broken = examples.folder / "bin" / "etcd"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    command = (sys.executable, str(EXAMPLES / "quickstart.py"))
    process = examples.start(*command, PATH=f"{broken.parent}:/bin:/usr/bin")
    _, errors = process.communicate(timeout=60)
    reason, end = errors.splitlines()
    assert process.returncode == 1
    assert reason.startswith("caracal-grpc: ")
    assert end == "quickstart: no authority, for the reason above"
    assert examples.alive() == []


def test_the_quickstart_fits_on_a_screen() -> None:
    """Somebody who reads it needs not scroll much."""
    lines = (EXAMPLES / "quickstart.py").read_text().splitlines()
    assert len([each for each in lines if each.strip()]) <= 50


def test_the_index_names_every_example() -> None:
    """Nobody has to guess what a file is for."""
    index = "".join(each.read_text() for each in sorted(EXAMPLES.rglob("README.md")))
    files = [path for path in EXAMPLES.rglob("*") if path.suffix in {".py", ".proto", ".yaml"}]
    names = [path.name for path in files if "_pb2" not in path.name]
    assert [name for name in names if name not in index] == []
