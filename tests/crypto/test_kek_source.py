"""A key-encryption key comes from a file, a value or a command, and leaves no trace of itself."""

from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.crypto import kek_source
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.crypto.kek_source import MAX_OUTPUT, KekSource, open_keks, output_of
from caracal_grpc.crypto.secret_file import write_secret_file

MATERIAL = bytes.fromhex("8f1c0ab3d5e2477690a4fe13c86b2d5701397ecc45aa6810f2bd9b34e7d06c5a")
KEK = Kek.of(MATERIAL)


def python(code: str) -> str:
    """A command that runs `code`."""
    return shlex.join([sys.executable, "-c", code])


def refusal(source: KekSource) -> str:
    """Why the source gives no key; it names its setting and tells nothing of the key."""
    with pytest.raises(CaracalError) as caught:
        source.open()
    assert caught.value.violations[0].field == source.setting
    assert MATERIAL.hex() not in str(caught.value) + repr(source)
    return str(caught.value)


def test_every_source_gives_the_same_key(tmp_path: Path) -> None:
    """Whatever its form."""
    path = tmp_path / "kek"
    write_secret_file(path, MATERIAL.hex())
    sources = [
        KekSource("kek_file", file=path),
        KekSource("kek", value=MATERIAL.hex()),
        KekSource("kek_command", command=f"cat {path}"),
        KekSource("kek_command", command=python(f"print({MATERIAL.hex()!r})")),
    ]
    assert {source.open().kek_id for source in sources} == {KEK.kek_id}


def test_previous_keys_are_found_by_their_ids(tmp_path: Path) -> None:
    """The current one seals; each is found by its own id."""
    other = Kek.generate()
    previous = [KekSource("kek_previous", value=other.material.hex())]
    keks = open_keks(KekSource("kek", value=MATERIAL.hex()), previous)
    assert keks.current.kek_id == KEK.kek_id
    assert keks.ids == (KEK.kek_id, other.kek_id)
    found = keks.find(other.kek_id)
    assert found is not None
    assert found.kek_id == other.kek_id
    assert keks.find("other") is keks.find(None) is None


@pytest.mark.parametrize("value", ["", "short", MATERIAL.hex()[:-2], "00" * 32, "é" * 32])
def test_value_that_is_no_key_is_refused(value: str) -> None:
    """Naming the setting, and not the value."""
    assert "kek" in refusal(KekSource("kek", value=value))


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (python("raise SystemExit(3)"), "exit code 3"),
        ("/nonexistent/command", "cannot be run"),
        ("'unbalanced", "cannot be run"),
        (python(f"print('x' * {MAX_OUTPUT + 1}, flush=True); input()"), "print no more"),
        (python("print('no key')"), "32 random bytes"),
        (f"echo {MATERIAL.hex()} && true", "32 random bytes"),
    ],
    ids=[
        "fails",
        "is missing",
        "is no command",
        "prints too much",
        "prints no key",
        "needs a shell",
    ],
)
def test_command_that_gives_no_key_is_refused(command: str, what: str) -> None:
    """Naming the setting and what is wrong."""
    assert what in refusal(KekSource("kek_command", command=command))


def test_command_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With what it started, once its time is over."""
    monkeypatch.setattr(kek_source, "COMMAND_SECONDS", 1.0)
    pid_file = tmp_path / "pid"
    code = (
        "import pathlib, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(pid_file)!r}).write_text(str(child.pid))\n"
        "child.wait()"
    )
    assert "within" in refusal(KekSource("kek_command", command=python(code)))
    end = time.monotonic() + 20
    while is_running(int(pid_file.read_text())):
        assert time.monotonic() < end, "what it started lives on"
        time.sleep(0.01)


def test_command_has_its_time_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it takes until it ends counts, also after it has printed the key."""
    monkeypatch.setattr(kek_source, "COMMAND_SECONDS", 1.0)
    code = (
        "import os, time\n"
        "time.sleep(0.8)\n"
        f"os.write(1, {MATERIAL.hex().encode()!r})\n"
        "os.close(1)\n"
        "time.sleep(0.8)"
    )
    assert "end within" in refusal(KekSource("kek_command", command=python(code)))


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_command_inherits_no_secret_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of our variables; what else is in the environment is there."""
    monkeypatch.setenv("CARACAL_KEK_PREVIOUS", "secret")
    monkeypatch.setenv("VAULT_TOKEN", "its own")
    printed = output_of(python("import os; print(sorted(os.environ), end='')")).decode()
    assert "VAULT_TOKEN" in printed
    assert "CARACAL" not in printed
    assert os.environ["CARACAL_KEK_PREVIOUS"] == "secret"
