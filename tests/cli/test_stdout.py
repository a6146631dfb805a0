"""What is printed when nobody, or no disk, takes it: never a code that means something else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Shop
from tests.cli.support import PATIENCE, Dev, Ended, environment

PRINTING = (
    ["audit", "search"],
    ["audit", "search", "--json"],
    ["session", "list"],
    ["exit-codes"],
    ["--help"],
    ["keys", "list", "--help"],
    ["version"],
)
_START = "import os, sys; {before}; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"


def _run(profile: Path, *arguments: str, before: str = "pass", **streams: Any) -> Ended:
    """Runs a command that finds its streams as `before` and `streams` leave them."""
    done = subprocess.run(
        [sys.executable, "-c", _START.format(before=before), "-m", "caracal_grpc", *arguments],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams},
        text=True,
        timeout=PATIENCE,
        env=environment(CARACAL_PROFILE=str(profile)),
        check=False,
    )
    return Ended(done.returncode, done.stdout or "", done.stderr or "")


def _unread(profile: Path, *arguments: str) -> Ended:
    """Into a pipe whose reader has gone."""
    return _run(profile, *arguments, before="r, w = os.pipe(); os.dup2(w, 1); os.close(r)")


def _full(profile: Path, *arguments: str) -> Ended:
    """Onto a disk that is full."""
    with Path("/dev/full").open("w") as full:
        return _run(profile, *arguments, stdout=full)


@pytest.mark.parametrize("command", PRINTING, ids=" ".join)
def test_a_reader_that_has_gone_ends_it_quietly(command: list[str], dev: Dev) -> None:
    """As the shell has it of any program: 128 and SIGPIPE."""
    ended = _unread(dev.profile, *command)
    assert (ended.code, ended.err) == (141, "")


@pytest.mark.parametrize("command", PRINTING, ids=" ".join)
def test_a_full_disk_is_one_line(command: list[str], dev: Dev) -> None:
    """With what the system says of it, and exit code 8."""
    ended = _full(dev.profile, *command)
    assert ended.code == 8
    assert ended.line.startswith("stdout cannot be written: No space left on device; ")


def test_a_closed_stdout_is_found_before_anything_is_done(dev: Dev) -> None:
    """Nothing is revoked, issued or started whose answer would be lost."""
    ended = _run(dev.profile, "keys", "rotate", before="os.close(1)")
    assert ended.code == 8
    assert ended.line == "stdout is closed; open it, or send it to /dev/null"
    assert all(each["state"] == "active" for each in dev.run("keys", "list", "--json").json["keys"])


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_a_mandate_is_not_lost_silently(form: list[str], shop: Shop) -> None:
    """It is said how to get the same one again."""
    for lose, code in ((_full, 8), (_unread, 141)):
        lost = lose(shop.profile("agent"), "exchange", "resource://orders", *form)
        assert lost.code == code
        last = lost.err.splitlines()[-1]
        entry = last.partition("the mandate decided in ")[2].partition(" is lost")[0]
        request = last.partition("--request-id ")[2].partition(" ")[0]
        again = shop.as_agent("exchange", "resource://orders", "--request-id", request, "--json")
        assert again.json["audit_id"] == entry


@pytest.mark.parametrize("before", ["os.close(2)", "os.dup2(os.open('/dev/full', os.O_WRONLY), 2)"])
def test_what_is_meant_for_stderr_never_goes_to_stdout(before: str, shop: Shop) -> None:
    """With stderr closed or full the mandate is still alone, and a failure still has its code."""
    profile = shop.profile("agent")
    done = _run(profile, "exchange", "resource://orders", before=before)
    assert (done.code, done.out.count("."), done.out.count("\n")) == (0, 2, 1)
    failed = _run(profile, "nonsense", before=before)
    assert (failed.code, failed.out) == (2, "")


def test_stdin_that_is_closed_holds_no_mandate(shop: Shop) -> None:
    """Wrong usage, as a file that is not there."""
    arguments = ("exchange", "resource://orders", "--subject-token-file", "-")
    ended = _run(shop.profile("agent"), *arguments, before="os.close(0)")
    assert ended.code == 2
    assert ended.line == "--subject-token-file - cannot be read; it must hold a mandate"
