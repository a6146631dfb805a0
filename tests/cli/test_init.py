"""`init`: a starter zone is written, applied and proven; again, it says what is there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from caracal_grpc.cli.init.proof import Claim, claim_of
from caracal_grpc.cli.manifest import Manifest
from tests.cli.support import PATIENCE, Dev, caracal, environment
from tests.cli.terminal import Terminal


def names(zone: str) -> tuple[str, ...]:
    """The options for a zone of the test's own."""
    return ("--zone", zone, "--yes")


def test_defaults_are_written_applied_and_proven(dev: Dev, tmp_path: Path) -> None:
    """The caller gets its scope and is refused another; both are in the ledger."""
    folder = tmp_path / "new"
    done = dev.run("init", folder, *names("init-proven"), "--json")
    assert done.code == 0, done.err
    told = done.json
    assert {Path(each).name for each in told["wrote"]} == {
        "zone.yaml",
        "policy.rego",
        "policy_test.rego",
        ".gitignore",
    }
    assert {each["kind"] for each in told["changes"]} >= {"zone", "application", "resource"}
    proof = told["proof"]
    assert (proof["caller"], proof["granted"], proof["refused"], proof["reason"]) == (
        "caller",
        "greeter:read",
        "greeter:write",
        "POLICY_DENIED",
    )
    explained = dev.run(
        "audit", "explain", proof["refused_audit_id"], "--zone", "init-proven", "--json"
    )
    assert explained.json["entry"]["reason"] == "POLICY_DENIED"


def test_profiles_are_private_and_kept_out_of_repositories(dev: Dev, tmp_path: Path) -> None:
    """0600 in a folder 0700, which git is told to ignore as a whole."""
    folder = tmp_path / "kept"
    told = dev.run("init", folder, *names("init-kept"), "--json").json
    profiles = folder / "profiles"
    assert profiles.stat().st_mode & 0o777 == 0o700
    assert {Path(each).name for each in told["profiles"]} == {
        "init-kept-greeter.json",
        "init-kept-caller.json",
    }
    assert {Path(each).stat().st_mode & 0o777 for each in told["profiles"]} == {0o600}
    assert (profiles / ".gitignore").read_text().splitlines()[-1] == "*"


def test_again_it_says_what_is_there_and_proves_it(dev: Dev, tmp_path: Path) -> None:
    """What somebody changed stays as it is, and is what counts."""
    folder = tmp_path / "again"
    assert dev.run("init", folder, *names("init-again")).code == 0
    manifest = folder / "zone.yaml"
    text = (
        manifest.read_text()
        .replace('"$granted"', "")
        .replace('scopes: ["greeter:read"]', 'scopes: ["greeter:read", "greeter:write"]')
    )
    manifest.write_text(text)
    shown = dev.run("init", folder)
    assert shown.code == 0, shown.err
    assert "zone.yaml of zone init-again is there, and stays as it is" in shown.out
    assert "applied zone init-again" in shown.out
    assert "proven: caller gets greeter:read" in shown.out
    assert "refused" not in shown.out
    again = dev.run("init", folder)
    assert "zone init-again is as declared already" in again.out
    assert manifest.read_text() == text


def test_it_asks_at_a_terminal(dev: Dev, tmp_path: Path) -> None:
    """A default is taken with enter; what cannot be is asked again."""
    with Terminal("init", CARACAL_PROFILE=str(dev.profile)) as terminal:
        terminal.answer("name of the zone [hello]", "caracal")
        terminal.answer("choose another", "init-asked")
        terminal.answer("service to protect [greeter]", "tickets")
        terminal.answer("[tickets:read,tickets:write]", "tickets:read")
        terminal.answer("two scopes or more", "tickets:read, tickets:close")
        terminal.answer("calls it [caller]", "")
        terminal.answer("[init-asked]", str(tmp_path / "asked"))
        done = terminal.end()
    assert done.code == 0, done.err
    assert "proven: caller gets tickets:read" in done.out
    assert "proven: caller is refused tickets:close (POLICY_DENIED" in done.out


def test_without_a_terminal_the_missing_options_are_named(dev: Dev) -> None:
    """And the way to take the defaults."""
    ended = dev.run("init", "--zone", "shop")
    assert ended.code == 2
    assert ended.line == (
        "there is no terminal to ask at; give --service, --scopes, --caller, FOLDER, or --yes for "
        "the defaults"
    )


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("--zone", "caracal", "is the authority's own"),
        ("--service", "A", "must be"),
        ("--scopes", "one", "two scopes or more"),
        ("--scopes", "one,one", "all different"),
        ("--caller", "greeter", "are the same"),
    ],
)
def test_wrong_answers_are_named(
    option: str, value: str, text: str, dev: Dev, tmp_path: Path
) -> None:
    """Nothing is written."""
    ended = dev.run("init", tmp_path / "wrong", "--yes", option, value)
    assert ended.code == 2
    assert option in ended.line
    assert text in ended.line
    assert not (tmp_path / "wrong").exists()


def test_without_an_authority_it_writes_and_says_how_to_go_on(dev: Dev, tmp_path: Path) -> None:
    """No profile, or nobody who answers."""
    nobody = caracal("init", tmp_path / "a", "--yes")
    assert nobody.code == 4
    gone = tmp_path / "gone.json"
    gone.touch(mode=0o600)
    held = json.loads(dev.profile.read_text())
    gone.write_text(json.dumps({**held, "authority": "127.0.0.1:1"}))
    silent = caracal("init", tmp_path / "b", "--yes", profile=gone)
    assert silent.code == 5
    for ended, folder in ((nobody, tmp_path / "a"), (silent, tmp_path / "b")):
        assert (folder / "zone.yaml").exists()
        assert "run caracal-grpc dev in another terminal" in ended.err
        assert "Traceback" not in ended.err


def test_a_secret_that_cannot_be_written_is_not_taken_for_no_authority(
    dev: Dev, tmp_path: Path
) -> None:
    """The zone is applied: what is said is how to make other secrets."""
    folder = tmp_path / "full"
    assert caracal("init", folder, *names("init-full")).code == 4  # the files are there
    run = ("sh", "-c", 'ulimit -f 0; "$@"', "sh", sys.executable, "-m", "caracal_grpc")
    ended = subprocess.run(
        [*run, "init", folder],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment(CARACAL_PROFILE=str(dev.profile)),
        check=False,
    )
    assert ended.returncode == 5, ended.stderr
    lines = ended.stderr.splitlines()
    assert [line.split()[-1] for line in lines] == ["greeter", "caller"]
    assert all("credential create --application" in line for line in lines)


def test_a_profile_that_is_elsewhere_leaves_the_proof_open(dev: Dev, tmp_path: Path) -> None:
    """It says so, and that is no failure."""
    folder = tmp_path / "elsewhere"
    assert dev.run("init", folder, *names("init-elsewhere")).code == 0
    for profile in (folder / "profiles").glob("*.json"):
        profile.unlink()
    again = dev.run("init", folder)
    assert again.code == 0
    assert "not proven: nobody who is granted a scope has a profile" in again.out


def test_the_same_policy_in_rego_decides_alike(dev: Dev, tmp_path: Path) -> None:
    """The example is valid, its tests hold, and the proof does too once it is in use."""
    folder = tmp_path / "rego"
    assert dev.run("init", folder, *names("init-rego")).code == 0
    checked = dev.run(
        "policy",
        "validate",
        "--zone",
        "init-rego",
        folder / "policy.rego",
        folder / "policy_test.rego",
        "--json",
    )
    assert checked.code == 0, checked.out + checked.err
    assert [each["passed"] for each in checked.json["tests"]] == [True, True]
    assert checked.json["findings"] == []
    manifest = folder / "zone.yaml"
    uncommented = manifest.read_text().replace("# policy:\n", "policy:\n")
    for key in ("modules", "tests"):
        uncommented = uncommented.replace(f"#   {key}:", f"  {key}:")
    manifest.write_text(uncommented)
    done = dev.run("init", folder, "--json")
    assert done.code == 0, done.err
    assert done.json["changes"] != []
    assert done.json["proof"]["reason"] == "POLICY_DENIED"
    caller = folder / "profiles" / "init-rego-caller.json"
    assert "caracal:feed:watch" in caracal("whoami", "--json", profile=caller).json["scopes"]


def test_only_what_a_credential_alone_gives_is_claimed(tmp_path: Path) -> None:
    """Not what is for others, for certain sessions, after an approval, or for a family."""
    manifest = tmp_path / "zone.yaml"
    grants = [
        "{application: a, resource: resource://r, scopes: [x], subjects: [b]}",
        "{application: a, resource: resource://r, scopes: [x], labels: [night]}",
        "{application: a, resource: resource://r, scopes: [x], step_up: [x]}",
        "{application: a, resource: resource://f/*, scopes: [x]}",
    ]
    text = "zone: z\nresources: [{name: resource://r, scopes: [x, y]}]\ngrants:\n"
    manifest.write_text(text + "".join(f"  - {each}\n" for each in grants))
    assert claim_of(Manifest.read(manifest)) is None
    plain = "  - {application: a, resource: resource://r, scopes: [y]}\n"
    manifest.write_text(manifest.read_text() + plain)
    assert claim_of(Manifest.read(manifest)) == Claim("a", "resource://r", "y", "")
