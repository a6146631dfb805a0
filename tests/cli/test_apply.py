"""`apply`: shows, does, and does nothing twice."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.cli.declared.apply import apply
from caracal_grpc.cli.declared.zones import each_zone
from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.cli.main import guarded
from caracal_grpc.cli.manifest import Manifest
from caracal_grpc.v1 import zone_service_pb2_grpc
from tests.cli.conftest import Shop
from tests.cli.support import MANIFEST, Dev, caracal


def test_it_says_what_it_made(shop: Shop) -> None:
    """Each change with its kind and name, the entry, and where the profiles are."""
    done = shop.applied.json
    assert done["applied"] is True
    assert done["audit_id"].startswith("aud_")
    made = {(each["kind"], each["name"]) for each in done["changes"]}
    assert {("zone", shop.zone), ("application", "agent"), ("policy", "active")} <= made
    assert {each["action"] for each in done["changes"]} == {"create"}
    assert {each["application"]: each["profile"] for each in done["credentials"]} == {
        name: str(shop.profile(name)) for name in ("agent", "orders")
    }


def test_profiles_are_private_and_never_printed(shop: Shop) -> None:
    """Mode 0600, and the secret is in no output."""
    profile = shop.profile("agent")
    secret = json.loads(profile.read_text())["client_secret"]
    assert profile.stat().st_mode & 0o777 == 0o600
    assert secret not in shop.applied.out + shop.applied.err


def test_a_workload_is_made_without_a_profile(dev: Dev, tmp_path: Path) -> None:
    """It is told how to have one, and a file of that name is in nobody's way."""
    manifest = tmp_path / "zone.yaml"
    identities = "[{spiffe_id: 'spiffe://shop.example/ns/*/sa/web'}]"
    manifest.write_text(f"zone: meshed\napplications: [{{name: web, identities: {identities}}}]\n")
    (tmp_path / "meshed-web.json").write_text("{}")
    done = dev.run("apply", "-f", manifest, "--credentials", tmp_path)
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == (
        "web has no secret; application profile web writes its profile"
    )
    assert (tmp_path / "meshed-web.json").read_text() == "{}"


def test_a_second_apply_changes_nothing(dev: Dev, shop: Shop) -> None:
    """Not even the ledger."""
    again = dev.run("apply", "-f", shop.manifest, "--credentials", shop.folder)
    assert (again.code, again.out) == (0, f"nothing to change in zone {shop.zone}\n")
    as_json = dev.run("apply", "-f", shop.manifest, "--json").json
    assert (as_json["applied"], as_json["changes"], as_json["audit_id"]) == (False, [], "")


def test_a_dry_run_shows_and_changes_nothing(dev: Dev, tmp_path: Path) -> None:
    """The zone does not exist afterwards, and no profile was written."""
    manifest = tmp_path / "zone.yaml"
    manifest.write_text(MANIFEST.format(zone="only-planned"))
    shown = dev.run("apply", "-f", manifest, "--dry-run", "--credentials", tmp_path)
    assert shown.code == 0
    assert "resource://payments" in shown.out
    assert [each.name for each in tmp_path.iterdir()] == ["zone.yaml"]
    assert dev.run("keys", "list", "--zone", "only-planned").code == 3


def test_an_existing_profile_is_not_replaced(dev: Dev, tmp_path: Path) -> None:
    """It is found before anything is made, so that no credential is lost."""
    manifest = tmp_path / "zone.yaml"
    manifest.write_text(MANIFEST.format(zone="taken"))
    (tmp_path / "taken-agent.json").write_text("mine")
    ended = dev.run("apply", "-f", manifest, "--credentials", tmp_path, "--json")
    assert ended.code == 2
    assert "taken-agent.json exists and is not replaced" in ended.line
    assert (tmp_path / "taken-agent.json").read_text() == "mine"
    assert dev.run("keys", "list", "--zone", "taken").code == 3


def test_credentials_that_cannot_be_written_are_found_before(dev: Dev, tmp_path: Path) -> None:
    """Nothing is made whose secret would be lost."""
    manifest = tmp_path / "zone.yaml"
    manifest.write_text(MANIFEST.format(zone="unwritten"))
    ended = dev.run("apply", "-f", manifest, "--credentials", manifest, "--json")
    assert ended.code == 2
    assert ended.line.startswith(f"--credentials {manifest} cannot be used")
    assert dev.run("keys", "list", "--zone", "unwritten").code == 3


def test_what_is_taken_out_stays_until_it_is_pruned(dev: Dev, tmp_path: Path) -> None:
    """It is listed each time; each change has its sign, and names the fields that differ."""
    manifest = tmp_path / "zone.yaml"
    manifest.write_text("zone: shrinking\napplications: [{name: a}, {name: b}]\n")
    assert dev.run("apply", "-f", manifest, "--credentials", tmp_path).code == 0
    manifest.write_text("zone: shrinking\napplications: [{name: a, labels: [x]}]\n")
    ended = dev.run("apply", "-f", manifest, "--credentials", tmp_path)
    assert ended.code == 0
    rows = [line.split() for line in ended.out.splitlines()]
    assert ["~", "update", "application", "a", "labels"] in rows
    assert ["?", "delete", "application", "b"] in rows
    assert "not declared in zone shrinking, and stays; --prune removes it:" in ended.out
    pruned = dev.run("apply", "-f", manifest, "--prune", "--json").json
    assert [(each["action"], each["name"]) for each in pruned["changes"]] == [("delete", "b")]
    assert pruned["undeclared"] == []


def test_zones_of_a_folder_are_applied_one_after_the_other(dev: Dev, tmp_path: Path) -> None:
    """One that is refused keeps no other from its turn; the summary says which are which."""
    for zone, name in (("many-a", "x"), ("many-b", "Not a slug"), ("many-c", "x")):
        (tmp_path / f"{zone}.yaml").write_text(f"zone: {zone}\napplications: [{{name: {name}}}]\n")
    ended = dev.run("apply", "-f", tmp_path, "--credentials", tmp_path / "made", "--json")
    assert ended.code == 2
    assert [json.loads(line)["zone"] for line in ended.out.splitlines()] == ["many-a", "many-c"]
    wrong, summary = ended.err.splitlines()
    where = f"caracal-grpc: zone many-b: {tmp_path}/many-b.yaml:2: applications[0].name: must be 1"
    assert wrong.startswith(where)
    assert summary == "caracal-grpc: applied: many-a, many-c; failed: many-b"
    made = sorted(each.name for each in (tmp_path / "made").iterdir())
    assert made == ["many-a-x.json", "many-c-x.json"]


@pytest.mark.parametrize("code", [ExitCode.OUTPUT, ExitCode.BROKEN_PIPE])
def test_what_nobody_sees_is_not_changed(code: ExitCode, tmp_path: Path) -> None:
    """No zone has its turn once stdout cannot be written: its plan could not be shown."""
    (tmp_path / "all.yaml").write_text("zone: seen-a\n---\nzone: seen-b\n")
    turns = []

    def work(manifest: Manifest) -> ExitCode:
        turns.append(manifest.zone)
        raise CliError(code, "stdout cannot be written")

    with pytest.raises(CliError) as ended:
        each_zone(Manifest.read_all(tmp_path), "applied", work)
    assert (ended.value.code, turns) == (code, ["seen-a"])


def test_what_one_zone_exports_another_applies_from_a_pipe(dev: Dev, tmp_path: Path) -> None:
    """`-f -`: a round trip changes nothing, modules and all; problems are told by their line."""
    (tmp_path / "own.rego").write_text('package caracal.authz\n\nresult := {"a": "\\té"}\n\t# t\n')
    manifest = tmp_path / "zone.yaml"
    rest = "applications: [{name: a}]\npolicy: {modules: [own.rego]}\n"
    manifest.write_text(f"zone: piped\n{rest}")
    assert dev.run("apply", "-f", manifest, "--credentials", tmp_path).code == 0
    text = dev.run("export", "--zone", "piped").out
    for command, said in (("plan", "nothing to change"), ("apply", "nothing to change")):
        done = caracal(command, "-f", "-", "--prune", profile=dev.profile, stdin=text)
        assert (done.code, done.out) == (0, f"{said} in zone piped\n"), done.err
    drift = caracal("diff", "-f", "-", "--prune", profile=dev.profile, stdin=text)
    assert (drift.code, drift.out) == (0, "")
    wrong = caracal("plan", "-f", "-", profile=dev.profile, stdin="zone: piped\nnonsense: 1\n")
    assert (wrong.code, wrong.line) == (2, "-:2: nonsense: is no key of a manifest here")


def test_one_zone_of_a_folder(dev: Dev, tmp_path: Path) -> None:
    """`--zone` picks it, and must be there."""
    (tmp_path / "all.yaml").write_text("zone: pick-a\n---\nzone: pick-b\n")
    ended = dev.run("apply", "-f", tmp_path, "--zone", "pick-b", "--json")
    assert ended.json["zone"] == "pick-b"
    missing = dev.run("apply", "-f", tmp_path, "--zone", "pick-c")
    assert (missing.code, missing.line) == (2, f"no manifest in {tmp_path} is of zone pick-c")
    assert dev.run("keys", "list", "--zone", "pick-a").code == 3


def test_what_the_authority_refuses_is_at_its_line(dev: Dev, tmp_path: Path) -> None:
    """Every violation: file, line, field, and what to write instead."""
    manifest = tmp_path / "zone.yaml"
    bad = MANIFEST.format(zone="wrong").replace("[orders:place]", "[orders:plaec]")
    manifest.write_text(bad.replace("- application: orders", "- application: order"))
    ended = dev.run("apply", "-f", manifest)
    assert ended.code == 2
    scopes, application = ended.err.splitlines()
    where = f"caracal-grpc: {manifest}"
    no_scope = "orders:plaec is not a scope of resource://orders"
    assert scopes == f"{where}:19: grants[0].scopes: {no_scope}"
    assert application == f"{where}:20: grants[1].application: is not an application of the zone"


def test_a_bad_module_is_at_its_own_line(dev: Dev, tmp_path: Path) -> None:
    """A module that does not compile names the file, the line and the column."""
    (tmp_path / "rules").mkdir()
    module = tmp_path / "rules" / "authz.rego"
    module.write_text("package caracal.authz\n\nresult := {\n")
    manifest = tmp_path / "zone.yaml"
    manifest.write_text("zone: own-rules\npolicy: {modules: [rules/authz.rego]}\n")
    ended = dev.run("apply", "-f", manifest)
    assert ended.code == 2
    assert ended.line.startswith(f"{module}:")


def test_only_operators_declare_zones(shop: Shop) -> None:
    """An application of a zone has no scope for that."""
    ended = shop.as_agent("apply", "-f", shop.manifest)
    assert ended.code == 1
    assert "(" in ended.line


@pytest.mark.parametrize("as_json", [False, True])
def test_it_does_what_it_has_shown_or_nothing(
    as_json: bool,
    dev: Dev,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Who was overtaken between the plan and the change is told to look again."""
    zone = f"overtaken-{as_json}".lower()
    mine, theirs = tmp_path / "mine.yaml", tmp_path / "theirs.yaml"
    mine.write_text(f"zone: {zone}\napplications: [{{name: mine}}]\n")
    theirs.write_text(f"zone: {zone}\napplications: [{{name: theirs}}]\n")

    class Overtaken(zone_service_pb2_grpc.ZoneServiceStub):
        """A way to the authority on which somebody else is faster."""

        def __init__(self, channel: Any) -> None:
            super().__init__(channel)
            self._apply = self.Apply
            self.Apply = self._overtaken

        async def _overtaken(self, request: Any, timeout: float) -> Any:
            if not request.dry_run:
                faster = await asyncio.to_thread(dev.run, "apply", "-f", theirs)
                assert faster.code == 0, faster.err
            return await self._apply(request, timeout=timeout)

    monkeypatch.setattr(zone_service_pb2_grpc, "ZoneServiceStub", Overtaken)
    monkeypatch.setenv("CARACAL_PROFILE", str(dev.profile))

    def run() -> int:
        apply(mine, credentials=tmp_path, json=as_json)
        return 0

    assert guarded(run) == 3
    said = f"caracal-grpc: zone {zone} was changed meanwhile; run it again (CONFLICT)\n"
    assert capsys.readouterr().err == said
    assert not (tmp_path / f"{zone}-mine.json").exists()
    changes = dev.run("apply", "-f", theirs, "--dry-run", "--json").json["changes"]
    assert changes == []


def test_zone_must_be_that_of_the_manifest(dev: Dev, shop: Shop) -> None:
    """So that nobody applies one zone's manifest to another."""
    ended = dev.run("apply", "-f", shop.manifest, "--zone", "other")
    assert ended.code == 2
    assert ended.line.startswith(f"{shop.manifest}:1: zone: ")
