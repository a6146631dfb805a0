"""Manifests of several files: merged zone by zone, with every problem at its own file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.cli.manifest import Manifest
from caracal_grpc.cli.manifest.repeated import NAMED
from caracal_grpc.cli.violations import located, place_of
from caracal_grpc.core.errors import CaracalError, FieldViolation
from caracal_grpc.core.reason import Reason


def write(folder: Path, **files: str) -> Path:
    """Files by their names, in which `__` is a slash and `_yaml` an ending."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_yaml", ".yaml").replace("_rego", ".rego")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def lines_of(path: Path) -> list[str]:
    """What reading is refused with, without the name of the folder."""
    with pytest.raises(CliError) as refused:
        Manifest.read_all(path)
    assert refused.value.code is ExitCode.USAGE
    return [line.removeprefix(f"{path}/") for line in refused.value.lines]


def test_files_of_one_zone_are_one_manifest(tmp_path: Path) -> None:
    """In the order of their names, whatever folder they are in."""
    write(
        tmp_path,
        b_yaml="zone: shop\napplications: [{name: b}]\ngrants: []\n",
        a_yaml="zone: shop\napplications: [{name: a}]\nsettings: {max_hops: 3}\n",
        deep__c_yaml="zone: shop\nsettings: {limits: {zone_burst: 7}}\nwebhooks: []\n",
    )
    zone = Manifest.read(tmp_path).message()
    assert [each.name for each in zone.applications] == ["a", "b"]
    assert (zone.settings.max_hops, zone.settings.limits.zone_burst) == (3, 7)
    assert zone.HasField("policy")


def test_several_zones_are_several_manifests(tmp_path: Path) -> None:
    """In the order of their names, from one file of several documents or from many."""
    write(tmp_path, x_yaml="zone: b\n---\nzone: a\n", y_yaml="zone: b\nresources: []\n")
    assert [each.zone for each in Manifest.read_all(tmp_path)] == ["a", "b"]
    with pytest.raises(CliError) as refused:
        Manifest.read(tmp_path)
    assert (
        str(refused.value) == f"{tmp_path} declares several zones, a and b; name the files of one"
    )


def test_what_is_hidden_or_no_yaml_is_left_out(tmp_path: Path) -> None:
    """Files and folders whose name begins with a dot, and all that ends otherwise."""
    write(tmp_path, zone_yaml="zone: a\n")
    for name in (".hidden.yaml", ".git/config.yaml", "notes.txt", "zone.yaml.orig"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("zone: b\n")
    (tmp_path / "more.yml").write_text("zone: c\n")
    assert [each.zone for each in Manifest.read_all(tmp_path)] == ["a", "c"]


def test_documents_that_are_empty_are_none(tmp_path: Path) -> None:
    """A file may begin and end with the mark of a document."""
    write(tmp_path, zone_yaml="---\nzone: a\n---\n# nothing\n---\nzone: b\n---\n")
    assert [each.zone for each in Manifest.read_all(tmp_path / "zone.yaml")] == ["a", "b"]


def test_what_is_not_named_is_not_declared(tmp_path: Path) -> None:
    """Settings and a policy that no file speaks of are not set, unlike those that are empty."""
    write(tmp_path, a_yaml="zone: a\n", b_yaml="zone: b\nsettings: {}\npolicy: {}\n")
    neither, both = (each.message() for each in Manifest.read_all(tmp_path))
    assert not neither.HasField("settings")
    assert not neither.HasField("policy")
    assert both.HasField("settings")
    assert both.HasField("policy")


def test_an_empty_folder_declares_nothing(tmp_path: Path) -> None:
    """Which is most often the wrong folder."""
    with pytest.raises(CliError) as refused:
        Manifest.read_all(tmp_path)
    assert str(refused.value) == f"there is no .yaml and no .yml file in {tmp_path}"


@pytest.mark.parametrize("kind", NAMED)
def test_a_thing_in_two_files_names_both(kind: str, tmp_path: Path) -> None:
    """File and line of the second, and those of the first."""
    things = {
        "applications": "{name: x}",
        "resources": "{name: x, scopes: [s]}",
        "issuers": "{name: x, issuer: i, audience: a}",
        "proof_systems": "{name: x, issuer: i, audience: a}",
        "workload_issuers": "{name: x, issuer: i}",
        "webhooks": "{name: x, url: u}",
    }
    write(
        tmp_path,
        a_yaml=f"zone: z\n{kind}:\n- {things[kind]}\n",
        b_yaml=f"zone: z\n\n\n{kind}:\n- {things[kind]}\n",
    )
    text = f"{kind}[0].name: x is declared already, in {tmp_path}/a.yaml:3"
    assert lines_of(tmp_path) == [f"b.yaml:5: {text}"]


def test_the_same_name_in_two_zones_is_two_things(tmp_path: Path) -> None:
    """Zones have nothing to do with one another."""
    write(tmp_path, x_yaml="zone: a\napplications: [{name: x}]\n---\nzone: b\n"
          "applications: [{name: x}]\nsettings: {max_hops: 2}\n")  # fmt: skip
    assert len(Manifest.read_all(tmp_path)) == 2


def test_settings_set_twice_name_both(tmp_path: Path) -> None:
    """Even to the same value, and deep inside."""
    write(
        tmp_path,
        a_yaml="zone: z\nsettings:\n  max_hops: 3\n  limits:\n    zone_burst: 1\n",
        b_yaml="zone: z\nsettings: {max_hops: 3, default_ttl_seconds: 60}\n---\nzone: z\n"
        "settings:\n  limits: {zone_burst: 2}\n",
    )
    assert lines_of(tmp_path) == [
        f"b.yaml:2: settings.max_hops: is set already, in {tmp_path}/a.yaml:3",
        f"b.yaml:6: settings.limits.zone_burst: is set already, in {tmp_path}/a.yaml:5",
    ]


def test_every_file_that_is_wrong_is_named(tmp_path: Path) -> None:
    """The first of them, by itself: what is no manifest cannot be merged."""
    write(tmp_path, a_yaml="zone: a\n", b_yaml="zone: a\nowner: me\n")
    assert lines_of(tmp_path) == ["b.yaml:2: owner: is no key of a manifest here"]


def test_lines_of_later_documents_are_those_of_the_file(tmp_path: Path) -> None:
    """Not counted from the beginning of the document."""
    write(tmp_path, a_yaml="zone: a\n---\nzone: b\nsettings:\n  max_hops: 99\n")
    (line,) = lines_of(tmp_path)
    assert line.startswith("a.yaml:5: settings.max_hops: ")


def test_modules_and_tests_are_read_beside_their_file(tmp_path: Path) -> None:
    """By the name of the file; or they are written out."""
    write(
        tmp_path,
        a__zone_yaml="zone: z\npolicy:\n  modules: [authz.rego]\n  tests:\n  - name: t.rego\n"
        "    source: |\n      package caracal.authz_test\n",
        a__authz_rego="package caracal.authz\n",
        b__more_yaml="zone: z\npolicy: {modules: [lib/names.rego]}\n",
        b__lib__names_rego="package caracal.authz\n\nx := 1\n",
    )
    policy = Manifest.read(tmp_path).message().policy
    assert [each.name for each in policy.modules] == ["authz.rego", "names.rego"]
    assert policy.modules[1].source.endswith("x := 1\n")
    assert [each.source for each in policy.tests] == ["package caracal.authz_test\n"]


@pytest.mark.parametrize("how", ["above", "absolute", "symlink", "folder symlink", "ending"])
@pytest.mark.parametrize("kind", ["modules", "tests"])
def test_no_manifest_sends_a_file_from_elsewhere(tmp_path: Path, how: str, kind: str) -> None:
    """What a stranger's manifest names is sent to the authority: only Rego that came with it."""
    secret, folder = tmp_path / "operator.rego", tmp_path / "theirs"
    secret.write_text('{"client_secret": "hunter2"}')
    folder.mkdir()
    (folder / "link.rego").symlink_to(secret)
    (folder / "out").symlink_to(tmp_path)
    (folder / "circle.rego").symlink_to(folder / "circle.rego")
    (folder / "profile.json").write_text("{}")
    named = {
        "above": "../operator.rego",
        "absolute": str(secret),
        "symlink": "link.rego",
        "folder symlink": "out/operator.rego",
        "ending": "profile.json",
    }[how]
    write(folder, a_yaml=f"zone: z\npolicy:\n  {kind}:\n  - {named}\n")
    with pytest.raises(CliError) as refused:
        Manifest.read_all(folder)
    (line,) = refused.value.lines
    write(folder, a_yaml=f"zone: z\npolicy:\n  {kind}:\n  - circle.rego\n")
    with pytest.raises(CliError, match=r"circle\.rego cannot be read"):
        Manifest.read_all(folder)
    where = f"{folder}/a.yaml:4: policy.{kind}[0]: "
    assert line == f"{where}{named} must be a .rego file below {folder}"


def test_module_that_is_linked_within_its_folder_is_read(tmp_path: Path) -> None:
    """As a folder is that something else mounts."""
    write(tmp_path, a_yaml="zone: z\npolicy:\n  modules: [x.rego]\n", now__x_rego="package x\n")
    (tmp_path / "x.rego").symlink_to(tmp_path / "now" / "x.rego")
    (manifest,) = Manifest.read_all(tmp_path)
    assert manifest.message().policy.modules[0].source == "package x\n"


def test_modules_of_one_name_name_both(tmp_path: Path) -> None:
    """Of two modules, or of a module and a test, one would be lost."""
    write(
        tmp_path,
        a_yaml="zone: z\npolicy:\n  modules: [x.rego]\n",
        b_yaml="zone: z\npolicy:\n  tests:\n  - {name: x.rego, source: ''}\n",
        x_rego="package caracal.authz\n",
    )
    text = f"another module is called x.rego already, in {tmp_path}/a.yaml:3"
    assert lines_of(tmp_path) == [f"b.yaml:4: policy.tests[0]: {text}"]


@pytest.mark.parametrize("module", ["7", "{name: x.rego}", "[x.rego]", "{name: x, source: 7}"])
def test_a_module_that_is_neither_is_refused(module: str, tmp_path: Path) -> None:
    """Once, however many ways there are to be wrong."""
    write(tmp_path, a_yaml=f"zone: z\npolicy:\n  modules:\n  - {module}\n")
    text = "policy.modules[0]: must be a file, or a name and a source"
    assert lines_of(tmp_path) == [f"a.yaml:4: {text}"]


def test_what_the_authority_refuses_is_at_its_file(tmp_path: Path) -> None:
    """The fifth application of the zone is the second of its file."""
    write(
        tmp_path,
        a_yaml="zone: z\napplications: [{name: a}, {name: b}, {name: c}]\ngrants: []\n",
        b_yaml="zone: z\napplications:\n- name: d\n- name: E\n  labels: [x]\n",
        c_yaml="zone: z\nsettings: {max_hops: 3}\n"
        "grants:\n- {application: a, resource: r, scopes: [s]}\n",
    )
    violations = (
        FieldViolation("applications[4].labels", "wrong labels"),
        FieldViolation("policy.grants[0].scopes", "wrong scopes"),
        FieldViolation("settings.max_hops", "wrong hops"),
        FieldViolation("name", "wrong zone"),
        FieldViolation("present.policy.grants[0].scopes", "does not fit"),
    )
    error = CaracalError(Reason.FIELD_INVALID, "x", violations=violations)
    lines = located(Manifest.read(tmp_path), error).lines
    assert [line.removeprefix(f"{tmp_path}/") for line in lines] == [
        "b.yaml:5: applications[1].labels: wrong labels",
        "c.yaml:2: settings.max_hops: wrong hops",
        "c.yaml:4: grants[0].scopes: wrong scopes",
        "a.yaml:1: zone: wrong zone",
        "a.yaml:1: present.policy.grants[0].scopes: does not fit",
    ]


def test_a_line_of_a_module_is_that_of_its_file(tmp_path: Path) -> None:
    """Of one that is written out it is named within the manifest."""
    write(
        tmp_path,
        a_yaml="zone: z\npolicy:\n  modules:\n  - rules/x.rego\n  - name: y.rego\n    source: ''\n",
        rules__x_rego="",
    )
    manifest = Manifest.read(tmp_path)
    violations = (FieldViolation("x.rego:3:9", "odd"), FieldViolation("y.rego:2:1", "odd"))
    error = CaracalError(Reason.FIELD_INVALID, "x", violations=violations)
    assert list(located(manifest, error).lines) == [
        f"{tmp_path}/rules/x.rego:3:9: odd",
        f"{tmp_path}/a.yaml:5: y.rego:2: odd",
    ]
    assert place_of(manifest, "y.rego") == ("policy", "modules", 1)


def test_links_and_unreadable_folders(tmp_path: Path) -> None:
    """A file may be a link, as in a mounted config map; a folder that cannot be read is said."""
    real = write(tmp_path / "..data", zone_yaml="zone: a\n")
    folder = tmp_path / "mounted"
    folder.mkdir()
    (folder / "zone.yaml").symlink_to(real / "zone.yaml")
    (folder / "loop").symlink_to(folder)
    assert [each.zone for each in Manifest.read_all(folder)] == ["a"]
