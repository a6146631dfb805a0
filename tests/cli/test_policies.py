"""`policy`: checked, made, tried, activated, watched and taken back from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.cli.policy.trials import replay_policy, simulate
from tests.cli.conftest import Shop
from tests.cli.support import MANIFEST, Dev, Ended

MODULE = """package caracal.authz

default result := {"decision": "deny", "reasons": ["nobody"]}

result := {"decision": "allow", "scopes": ["orders:place"]} if {
	input.principal.name == "agent"
}
"""
TEST = """package caracal.authz_test

import data.caracal.authz

test_agent if {
	authz.result.decision == "%s" with input as {"principal": {"name": "agent"}}
}
"""


class Desk:
    """The operator at work in one zone."""

    def __init__(self, dev: Dev, shop: Shop, folder: Path) -> None:
        self._dev = dev
        self.shop = shop
        self.folder = folder
        self.manifest = self.write("zone.yaml", MANIFEST.format(zone=shop.zone))

    def __call__(self, *arguments: str | Path) -> Ended:
        """`policy` with these arguments."""
        return self._dev.run("policy", *arguments, "--zone", self.shop.zone)

    def write(self, name: str, text: str) -> Path:
        """A file."""
        file = self.folder / name
        file.write_text(text)
        return file

    def made(self, *files: Path) -> str:
        """A version of what the files hold."""
        done = self("create", *files, "--json")
        assert done.code == 0, done.err
        version: str = done.json["version"]["version"]
        return version

    def module(self) -> str:
        """A version of the module."""
        return self.made(self.write("own.rego", MODULE))

    def active(self) -> str:
        """The version that decides."""
        active: str = self("status", "--json").json["active"]
        return active


@pytest.fixture(scope="module")
def desk(dev: Dev, shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The policy of the manifest decides; a test that lets another decide takes it back."""
    return Desk(dev, shop, tmp_path_factory.mktemp("desk"))


def test_a_policy_is_checked_with_its_tests(desk: Desk) -> None:
    """6 for what no version can be made of, with its place, or the test that does not hold."""
    own, holds = desk.write("own.rego", MODULE), desk.write("own_test.rego", TEST % "allow")
    good = desk("validate", own, holds)
    assert good.code == 0
    assert "1 tests hold; it would be sha256:" in good.out
    fails = desk.write("own_test.rego", TEST % "deny")
    bad = desk("validate", own, fails)
    assert (bad.code, bad.line) == (6, "no version can be made of this policy")
    assert "test_agent" in bad.out
    broken = desk("validate", desk.write("broken.rego", "package caracal.authz\n\nresult := {\n"))
    assert broken.code == 6
    assert "broken.rego:" in broken.out
    told = desk("validate", own, "--json").json
    assert (told["valid"], told["findings"], told["tests"]) == (True, [], [])


def test_a_version_is_made_once_and_shown(desk: Desk) -> None:
    """By its digest, with what it is for."""
    own = desk.write("own.rego", f"{MODULE}\n# of its own\n")
    made = desk("create", own, "--description", "for the tests")
    assert made.code == 0
    version = made.out.split()[1].rstrip(",")
    assert "was made before" in desk("create", own).out
    listed = desk("list", "--json").json["versions"]
    assert [each["description"] for each in listed if each["version"] == version] == [
        "for the tests"
    ]
    shown = desk("show", version)
    assert 'input.principal.name == "agent"' in shown.out
    assert "for the tests" in shown.out
    active = desk("show", "--json").json
    assert active["version"]["active"]
    assert active["policy"]["grants"][0]["application"] == "agent"
    assert desk("delete", version).code == 0
    gone = desk("show", version)
    assert (gone.code, "OBJECT_NOT_FOUND" in gone.line) == (3, True)


def test_what_cannot_be_made_tells_each_fault(desk: Desk) -> None:
    """One a line, with its place."""
    ended = desk("create", desk.write("broken.rego", "package caracal.authz\n\nresult := {\n"))
    assert ended.code == 2
    assert "broken.rego:" in ended.err


def test_activated_everywhere_and_taken_back(desk: Desk) -> None:
    """It is waited for, shown by replica, and one command goes back."""
    before, version = desk.active(), desk.module()
    done = desk("activate", version, "--expect", before, "--wait")
    assert done.code == 0, done.err
    assert f"{version} decides in the place of {before}" in done.out
    assert "loaded by 1 of 1 replicas" in done.err
    status = desk("status", "--wait", "--json").json
    assert (status["active"], status["frozen"]) == (version, False)
    assert [each["load"] for each in status["replicas"]] == ["loaded"]
    assert status["activations"][0]["version"] == version
    assert "decides already" in desk("activate", version).out
    late = desk("activate", before, "--expect", before)
    assert (late.code, "CONFLICT" in late.line) == (3, True)
    odd = desk("activate", "latest")
    assert (odd.code, "sha256:" in odd.line) == (2, True)
    back = desk("rollback", "--wait", "--json")
    assert (back.json["version"], back.json["previous"]) == (before, version)
    assert back.json["replicas"][0]["load"] == "loaded"
    shown = desk("status")
    assert before in shown.out
    assert "loaded" in shown.out


def test_an_operator_chooses_what_decides_in_the_authoritys_own_zone(dev: Dev) -> None:
    """With the mandate that this takes: of who makes operators."""
    status = dev.run("policy", "status", "--zone", "caracal", "--json")
    done = dev.run("policy", "activate", status.json["active"], "--zone", "caracal", "--json")
    assert done.code == 0, done.err


def test_one_question_is_simulated(desk: Desk) -> None:
    """Of the active policy, or of a candidate, by options or by a file."""
    asked = ("--application", "agent", "--resource", "resource://orders", "--context", "a=b")
    said = desk("simulate", *asked)
    assert said.code == 0
    assert "allow" in said.out
    assert "grants" in said.out
    told = desk("simulate", *asked, "--json").json
    assert told["answer"]["scopes"] == ["orders:place"]
    question = desk.write("input.json", told["input_json"])
    assert desk("simulate", "--input", question, "--json").json["answer"] == told["answer"]
    refused = desk("simulate", *asked, "--scope", "orders:read", "--candidate", desk.manifest)
    assert "deny" in refused.out
    own = desk.write("own.rego", MODULE)
    told = desk("simulate", *asked, "--candidate", own, "--json").json
    assert (told["answer"]["decision"], told["rules"][0]["module"]) == ("allow", "own.rego")


def test_the_ledger_is_replayed(desk: Desk) -> None:
    """0 when nothing differs, and 6 with what does."""
    asked = desk.shop.as_agent("exchange", "resource://orders", "--json")
    assert asked.code == 0, asked.err
    same = desk("replay", "--candidate", desk.active(), "--hours", "1")
    assert same.code == 0, same.err
    assert "no difference: 0 of " in same.out
    other = desk.write("none.rego", MODULE.replace('"agent"', '"nobody"'))
    found = desk("replay", "--candidate", other, "--json")
    assert found.code == 6
    differences = found.json["differences"]
    assert found.json["changed"] == len(differences) > 0
    now = {each["now"]["decision"] for each in differences}
    assert now == {"deny"}
    shown = desk("replay", "--candidate", other)
    assert (shown.code, " decisions differ, " in shown.line) == (6, True)
    assert "allow orders:place" in shown.out


def test_a_shadow_is_set_shown_and_ended(desk: Desk) -> None:
    """Again is no change."""
    version = desk.made(desk.write("none.rego", MODULE.replace('"agent"', '"nobody"')))
    assert (
        "is asked beside the active version, recorded as aud_" in desk("shadow", "set", version).out
    )
    assert "already" in desk("shadow", "set", version).out
    assert desk.shop.as_agent("exchange", "resource://orders").code == 0
    shown = desk("shadow", "show", "--json").json
    assert shown["version"] == version
    assert "compared" in desk("shadow", "show").out
    assert [each["shadow"] for each in desk("list", "--json").json["versions"]].count(True) == 1
    assert desk("shadow", "end").code == 0
    assert "no version is the shadow" in desk("shadow", "show").out


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "--application and --resource"),
        ({"application": "a", "resource": "r", "context": ["x"]}, "KEY=VALUE"),
        ({"application": "a", "file": Path("input.json")}, "--input is the whole question"),
        ({"file": Path("/nowhere")}, "cannot be read"),
    ],
)
def test_what_no_question_is(asked: dict[str, Any], said: str) -> None:
    """Wrong usage, and a line that says what to do."""
    with pytest.raises(CliError) as refusal:
        simulate(**asked)
    assert refusal.value.code is ExitCode.USAGE
    assert said in refusal.value.lines[0]


def test_a_replay_needs_a_candidate() -> None:
    """Wrong usage without."""
    with pytest.raises(CliError) as refusal:
        replay_policy()
    assert "--candidate VERSION or FILE" in refusal.value.lines[0]


def test_help_names_every_command(dev: Dev) -> None:
    """The group alone tells what there is."""
    shown = dev.run("policy", "--help").out
    for command in ("validate", "create", "list", "show", "activate", "rollback", "status"):
        assert f"  {command} " in shown
