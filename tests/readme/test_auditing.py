"""The auditor's chapter of the README: its commands are pasted, its program checks a real file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from caracal_grpc.ledger.checks.export import Header, header_line
from caracal_grpc.ledger.checks.finding import Kind
from caracal_grpc.ledger.notes.note import TreeHead, VerifierKey, signature_line
from caracal_grpc.ledger.tree import EMPTY_ROOT
from tests.ledger.support import Key
from tests.readme.desk import APPLY, Desk, desk
from tests.readme.text import README, block, blocks

CHAPTER = README.partition("## Audit it")[2].partition("\n## ")[0]
FETCH, CHECK, GROW = (code for code in blocks("sh") if code in CHAPTER)
PROGRAM = block("python", "# check.py")
ACTIVATE = APPLY.splitlines(keepends=True)[0]
PROFILE = next(line for line in APPLY.splitlines(keepends=True) if "CARACAL_PROFILE" in line)


@dataclass(frozen=True)
class Case:
    """What the auditor has, who has the files and the key, and the program from the chapter."""

    desk: Desk
    folder: Path
    key: str

    def check(self, file: Path, key: str = "") -> subprocess.CompletedProcess[str]:
        """Runs the program, isolated from this project."""
        program = self.folder / "check.py"
        program.write_text(PROGRAM)
        command = [sys.executable, "-I", str(program), str(file), key or self.key]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """An authority of minute 0 with the zone of the first steps, and what was fetched of it."""
    with desk(tmp_path_factory.mktemp("auditing")) as made:
        folder = made.run.folder
        made.paste(APPLY)
        made.paste(ACTIVATE, PROFILE, FETCH)
        header = json.loads((folder / "hello.ledger").read_text().splitlines()[0])
        yield Case(made, folder, header["verifier_key"])


def test_commands_check_what_was_fetched(case: Case) -> None:
    """The ledger, a part, a receipt, and that it grew, as it did meanwhile: all as signed."""
    key = f"KEY='{case.key}'\n"
    said = case.desk.paste(ACTIVATE, key, CHECK)
    assert said.count(" verifies: ") == 3
    caller = case.desk.profiles / "hello-caller.json"
    case.desk.paste(ACTIVATE, f"caracal-grpc exchange resource://greeter --profile '{caller}'\n")
    assert "hello.ledger verifies: " in case.desk.paste(ACTIVATE, PROFILE, key, GROW)


@pytest.mark.parametrize("name", ["hello.ledger", "hello.part"])
def test_program_checks_a_real_file(case: Case, name: str) -> None:
    """With nothing of ours."""
    ended = case.check(case.folder / name)
    assert (ended.returncode, ended.stderr) == (0, "")
    count = len((case.folder / name).read_text().splitlines()) - 1
    assert f"{count} entries, all as {case.key.partition('+')[0]} signed them" in ended.stdout


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('\\"decision\\":\\"', '\\"decision\\":\\"x'),
        ('\\"index\\":1', '\\"index\\":0'),
        ('"leaf":"', '"leaf":"00'),
        ('"end":2', '"end":1'),
        ('"start":1', '"start":0'),
        ('"before":["', '"before":["00'),
        ('checkpoint":"', 'checkpoint":"x'),
    ],
)
def test_program_refuses_a_changed_file(case: Case, old: str, new: str) -> None:
    """Of an entry, of what is around it, or of what the file says of itself."""
    text = (case.folder / "hello.part").read_text()
    assert old in text
    changed = case.folder / "changed"
    changed.write_text(text.replace(old, new, 1))
    assert case.check(changed).returncode == 1


def test_program_refuses_another_key(case: Case) -> None:
    """Which did not sign."""
    ended = case.check(case.folder / "hello.ledger", case.key.replace("+", "x+", 1))
    assert (ended.returncode, ended.stderr) == (1, "not signed by the key\n")


def test_program_refuses_a_ledger_of_another_name(case: Case) -> None:
    """Under the very key: one signs one ledger."""
    signer, other = Key("a/zones/shop"), TreeHead("a/zones/bank", 0, EMPTY_ROOT)
    key = VerifierKey(signer.name, signer.public)
    file = case.folder / "other"
    for head, said in ((other, "of another ledger\n"), (replace(other, origin=signer.name), "")):
        note = f"{head.text()}\n{signature_line(key, signer.sign(head.text().encode()))}"
        file.write_text(header_line(Header("shop", head.origin, str(key), note, 0, 0)))
        assert case.check(file, str(key)).stderr == said


def test_program_refuses_a_file_without_its_end(case: Case) -> None:
    """Or with a line less anywhere."""
    lines = (case.folder / "hello.ledger").read_text().splitlines(keepends=True)
    cut = case.folder / "cut"
    for rest in (lines[:-1], [lines[0], *lines[2:]]):
        cut.write_text("".join(rest))
        assert case.check(cut).returncode == 1


def test_every_finding_is_explained() -> None:
    """Those that a verification makes; those of the sweep of a running authority are not."""
    sweep = {"tile", "column"}
    explained = [kind for kind in Kind.__args__ if f"`{kind}`" in CHAPTER]  # type: ignore[attr-defined]
    assert set(explained) == set(Kind.__args__) - sweep  # type: ignore[attr-defined]
