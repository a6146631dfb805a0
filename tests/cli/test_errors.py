"""Whatever goes wrong: one clear line and a documented exit code, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from caracal_grpc.cli.errors import MEANINGS, ExitCode, of_refusal
from caracal_grpc.cli.main import guarded
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from tests.cli.support import Dev, caracal


def _changed(dev: Dev, to: Path, **values: str) -> Path:
    profile = json.loads(dev.profile.read_text())
    to.write_text(json.dumps({**profile, **values}))
    to.chmod(0o600)
    return to


def test_a_wrong_credential_is_exit_code_4(dev: Dev, tmp_path: Path) -> None:
    """The line says what to do, and holds no secret."""
    profile = _changed(dev, tmp_path / "p.json", client_secret="wrong-but-secret")
    ended = caracal("keys", "list", profile=profile)
    assert ended.code == 4
    assert "CLIENT_AUTH_FAILED" in ended.line
    assert "wrong-but-secret" not in ended.err


def test_no_authority_is_exit_code_5(dev: Dev, tmp_path: Path) -> None:
    """The line names the address and the profile."""
    profile = _changed(dev, tmp_path / "p.json", authority="127.0.0.1:1")
    ended = caracal("exchange", "resource://orders", profile=profile)
    assert ended.code == 5
    assert ended.line.startswith("no answer from the authority at 127.0.0.1:1")
    listed = caracal("keys", "list", profile=profile)
    assert listed.code == 5
    assert listed.line.endswith(f"asked was 127.0.0.1:1, as {profile} says")


def test_a_profile_that_others_can_read_is_refused(dev: Dev, tmp_path: Path) -> None:
    """The line has the command that mends it."""
    profile = _changed(dev, tmp_path / "p.json")
    profile.chmod(0o644)
    ended = caracal("keys", "list", "--profile", profile)
    assert ended.code == 4
    assert f"chmod 600 {profile}" in ended.line


def test_without_a_profile_it_says_how_to_get_one() -> None:
    """Neither option nor variable."""
    ended = caracal("keys", "list")
    assert ended.code == 4
    assert "--profile FILE" in ended.line


def test_a_zone_that_does_not_exist_is_exit_code_3(dev: Dev) -> None:
    """Not found, and named."""
    ended = dev.run("keys", "list", "--zone", "nowhere")
    assert ended.code == 3
    assert ended.line == "there is no zone nowhere; apply makes one (OBJECT_NOT_FOUND)"


def test_a_profile_that_others_wrote_is_one_line(tmp_path: Path) -> None:
    """Whatever is logged on the way."""
    profile = tmp_path / "p.json"
    profile.write_bytes(b"\xff{")
    profile.chmod(0o600)
    ended = caracal("keys", "list", profile=profile)
    assert ended.code == 4
    assert ended.line.startswith(f"profile {profile}")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["nonsense"], "see --help"),
        (["exchange"], "see --help"),
        (["keys", "list", "--nonsense"], "see --help"),
        (["exchange", "resource://orders", "--ttl", "9" * 20], "see --help"),
        (["session", "start", "--ttl", "9" * 20], "see --help"),
        (["audit", "search", "--since", "999999d"], "or 15m ago"),
        (["audit", "search", "--until", "0001-01-01T00:00:00+23:00"], "or 15m ago"),
        (["audit", "search", "--since", "9999-12-31T12:00:00-23:00"], "or 15m ago"),
        (["audit", "search", "--reason", "\udcff"], "b'\\xff' is not text; see --help"),
        (["revoke", "\udcff"], "b'\\xff' is not text; see --help"),
        (["exchange", "resource://\udcff"], "b'resource://\\xff' is not text; see --help"),
        (["keys", "list", "--zone", ""], "or leave it out for the profile's"),
        (["session", "start", "--zone", ""], "or leave it out for the profile's"),
        (["session", "--zone", "", "list"], "options of session list go after its name"),
    ],
)
def test_wrong_usage_is_one_line(dev: Dev, command: list[str], said: str) -> None:
    """Exit code 2 and a hint."""
    ended = dev.run(*command)
    assert (ended.code, ended.out) == (2, "")
    assert ended.line.endswith(said)


def test_the_exit_codes_can_be_read() -> None:
    """For people and for programs."""
    table = caracal("exit-codes", "--json").json
    assert table == {str(int(code)): text for code, text in MEANINGS.items()}
    assert set(MEANINGS) == set(ExitCode)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_an_exit_code(reason: Reason) -> None:
    """Each refusal ends with a documented code that is neither success nor a fault."""
    ended = of_refusal(CaracalError(reason, "no"))
    assert ended.code in set(MEANINGS) - {ExitCode.OK, ExitCode.FAULT, ExitCode.FOUND}
    assert ended.lines == (f"no ({reason.value})",)


def test_a_missing_extra_says_what_to_install(capsys: pytest.CaptureFixture[str]) -> None:
    """A service team's light install has no command line."""

    def run() -> int:
        raise ModuleNotFoundError(name="typer.main")

    assert guarded(run) == 2
    assert "pip install 'caracal-grpc[server]'" in capsys.readouterr().err


def test_an_unforeseen_fault_shows_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """Nor its text, which could hold anything."""

    def run() -> int:
        raise RuntimeError("the secret is 42")

    assert guarded(run) == 7
    shown = capsys.readouterr().err
    assert shown == (
        "caracal-grpc: unforeseen fault, RuntimeError; set CARACAL_DEBUG=1 to see where\n"
    )


def test_an_interrupt_is_130(capsys: pytest.CaptureFixture[str]) -> None:
    """As a shell expects."""

    def run() -> int:
        raise KeyboardInterrupt

    assert guarded(run) == 130
    assert capsys.readouterr().err == "caracal-grpc: interrupted\n"


def test_nothing_in_a_line_steers_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Text from elsewhere loses its control characters and its newlines."""

    def run() -> int:
        raise CaracalError(Reason.POLICY_DENIED, "a\x1b[2Jb\nc")

    assert guarded(run) == 1
    assert capsys.readouterr().err == "caracal-grpc: a?[2Jb c (POLICY_DENIED)\n"
