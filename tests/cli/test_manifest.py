"""The manifest: whatever is wrong with it, file, line and field are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.cli.manifest import Manifest
from caracal_grpc.cli.violations import place_of
from tests.cli.support import MANIFEST, caracal

WRONG = {
    "an unknown key": ("zone: a\nowner: me\n", ":2: owner: is no key of a manifest here"),
    "a missing key": ("zone: a\ngrants:\n  - application: x\n    scopes: [y]\n",
                      ":3: grants[0].resource: is missing"),
    "no zone": ("grants: []\n", ":1: zone: is missing"),
    "an empty zone": ("zone: ''\n", ":1: zone: must not be empty"),
    "not text": ("zone: a\napplications:\n- name: no\n",
                 ":3: applications[0].name: must be text; put it in quotes"),
    "not a list": ("zone: a\nresources:\n- name: r\n  scopes: s\n",
                   ":4: resources[0].scopes: must be a list"),
    "one bad item": ("zone: a\nresources:\n- name: r\n  scopes:\n  - s\n  - 7\n",
                     ":6: resources[0].scopes[1]: must be text; put it in quotes"),
    "a number out of bounds": ("zone: a\nsettings:\n  max_hops: 11\n",
                               ":3: settings.max_hops: input should be less than or equal to 10"),
    "a number in quotes": ("zone: a\nsettings:\n  max_hops: '3'\n",
                           ":3: settings.max_hops: must be a whole number"),
    "no date": ("zone: a\nresources:\n- name: 2026-99-99\n",
                ":3: resources[0].name: cannot be read; put it in quotes"),
    "no number": ("zone: a\nsettings:\n  max_hops: 0x_\n",
                  ":3: settings.max_hops: cannot be read; put it in quotes"),
    "no truth value": ("zone: !!bool a\n", ":1: zone: cannot be read; put it in quotes"),
    "a number as a key": ("zone: a\n1: 2\n", ":2: 1: is no key of a manifest; keys are text"),
    "a list as a key": ("zone: a\n? [b]\n: c\n", ":2: ?: is no key of a manifest; keys are text"),
    "an application twice": ("zone: a\napplications:\n- name: x\n- name: y\n- name: x\n",
                             ":5: applications[2].name: x is declared already, in line 3"),
    "a resource twice": ("zone: a\nresources:\n- {name: r, scopes: [s]}\n- {name: r, scopes: []}\n",
                         ":4: resources[1].name: r is declared already, in line 3"),
    "a key twice": ("zone: a\nzone: b\n", ":2: zone: stands there twice"),
    "an alias": ("zone: &z a\napplications: [{name: *z}]\n",
                 ": applications[0].name: write it out, no aliases"),
    "no yaml": ("zone: a\n  b: [\n", ":2: is not YAML"),
    "a python object": ("zone: !!python/object:os.system a\n", ":1: is not YAML"),
    "an identity of two kinds": (
        "zone: a\napplications:\n- name: x\n  identities:\n  - {dns_name: y, spiffe_id: z}\n",
        ":5: applications[0].identities[0]: must be exactly one of spiffe_id, dns_name, "),
    "an identity of no kind": ("zone: a\napplications:\n- name: x\n  identities: [{}]\n",
                               ":4: applications[0].identities[0]: must be exactly one of"),
    "nothing": ("", ":1: must be a mapping of keys to values"),
    "a list": ("- zone\n", ":1: must be a mapping of keys to values"),
    "a module that is not there": ("zone: a\npolicy:\n  modules:\n  - gone.rego\n",
                                   ":4: policy.modules[0]: "),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(case: str, tmp_path: Path) -> None:
    """File, line, field and text."""
    text, expected = WRONG[case]
    file = tmp_path / "zone.yaml"
    file.write_text(text)
    with pytest.raises(CliError) as refused:
        Manifest.read(file)
    assert refused.value.code is ExitCode.USAGE
    (line,) = refused.value.lines
    assert line.startswith(str(file))
    assert expected in line


def test_every_problem_has_its_line_in_order(tmp_path: Path) -> None:
    """As they stand in the file."""
    file = tmp_path / "zone.yaml"
    file.write_text("settings: {max_hops: x}\nzone: a\nother: 1\n")
    with pytest.raises(CliError) as refused:
        Manifest.read(file)
    places = [line.removeprefix(f"{file}:").partition(":")[0] for line in refused.value.lines]
    assert places == ["1", "3"]


def test_depth_without_end_is_refused(tmp_path: Path) -> None:
    """A file of brackets is no manifest and no crash."""
    file = tmp_path / "zone.yaml"
    file.write_text("[" * 50_000)
    with pytest.raises(CliError):
        Manifest.read(file)


def test_it_becomes_the_message_of_the_wire(tmp_path: Path) -> None:
    """Nothing is lost on the way."""
    file = tmp_path / "zone.yaml"
    (tmp_path / "p.rego").write_text("package caracal.authz\n")
    file.write_text(MANIFEST.format(zone="shop") + "policy: {modules: [p.rego]}\n")
    zone = Manifest.read(file).message()
    assert zone.name == "shop"
    assert [each.name for each in zone.applications] == ["agent", "orders"]
    assert list(zone.applications[1].ceiling[0].scopes) == ["payments:charge"]
    assert zone.resources[1].max_ttl_seconds == 120
    assert list(zone.policy.grants[1].subjects) == ["agent"]
    assert zone.policy.modules[0].source == "package caracal.authz\n"
    assert zone.settings.max_hops == 4


@pytest.mark.parametrize(
    ("field", "place"),
    [
        ("name", ("zone",)),
        ("policy.grants[3].scopes", ("grants", 3, "scopes")),
        ("grants[0].ttl_seconds", ("grants", 0, "ttl_seconds")),
        ("applications[1].ceiling.resource", ("applications", 1, "ceiling", "resource")),
        ("settings.max_hops", ("settings", "max_hops")),
        ("modules", ("policy", "modules")),
        ("p.rego", ("policy", "modules", 0)),
    ],
)
def test_fields_of_the_wire_have_their_place(
    field: str, place: tuple[str | int, ...], tmp_path: Path
) -> None:
    """What the authority complains about is found again in the file."""
    (tmp_path / "p.rego").write_text("package caracal.authz\n")
    file = tmp_path / "zone.yaml"
    file.write_text("zone: shop\npolicy: {modules: [p.rego]}\n")
    assert place_of(Manifest.read(file), field) == place


def test_a_missing_file_and_a_bad_one_are_one_line(tmp_path: Path) -> None:
    """As a process: exit code 2, no traceback, no need of an authority."""
    gone = caracal("apply", "-f", tmp_path / "gone.yaml")
    assert (gone.code, gone.line) == (2, f"there is no file {tmp_path / 'gone.yaml'}")
    (tmp_path / "zone.yaml").write_text("zone: a\nzones: b\n")
    bad = caracal("apply", "-f", tmp_path / "zone.yaml")
    assert bad.code == 2
    assert bad.line == f"{tmp_path / 'zone.yaml'}:2: zones: is no key of a manifest here"
