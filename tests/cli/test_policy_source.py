"""What a command line may name as a policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.cli.policy.source import candidate, read_policy
from tests.cli.homes import profile
from tests.cli.support import MANIFEST

VERSION = "sha256:0123456789abcdef"
MODULE = "package caracal.authz\n\nresult := {}\n"


def write(folder: Path, **texts: str) -> dict[str, Path]:
    """Files by their stems."""
    files = {name: folder / name.replace("__", ".") for name in texts}
    for name, text in texts.items():
        files[name].write_text(text)
    return files


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file of a profile, of the zone `pay`."""
    return str(profile(tmp_path_factory.mktemp("own") / "p.json", zone="pay"))


def test_a_version_is_no_file(own: str) -> None:
    """Alone; and nothing is nothing."""
    target, fields = candidate([VERSION], own, "shop")
    assert (target.zone, fields) == ("shop", {"version": VERSION})
    assert candidate([], own, None)[1] == {}
    with pytest.raises(CliError):
        candidate([VERSION, VERSION], own, "shop")


def test_modules_and_their_tests(own: str, tmp_path: Path) -> None:
    """By the names of their files; of the profile's zone unless another is said."""
    files = write(tmp_path, own__rego=MODULE, own_test__rego="package t\n")
    target, policy = read_policy(list(files.values()), own, None)
    assert target.zone == target.profile.zone
    assert [each.name for each in policy.modules] == ["own.rego"]
    assert [each.name for each in policy.tests] == ["own_test.rego"]


def test_a_manifest_is_of_its_zone_unless_another_is_said(own: str, tmp_path: Path) -> None:
    """As for an apply, whatever the profile's is; what one decides by can be tried in another."""
    files = write(tmp_path, zone__yaml=MANIFEST.format(zone="shop"))
    for said, zone in ((None, "shop"), ("other", "other")):
        target, policy = read_policy([files["zone__yaml"]], own, said)
        assert (target.zone, len(policy.grants)) == (zone, 3)


def test_a_folder_of_several_zones(own: str, tmp_path: Path) -> None:
    """That of the zone which is asked about."""
    shop = MANIFEST.format(zone="shop")
    write(tmp_path, a__yaml=shop, b__yaml=shop.partition("grants:")[0].replace("shop", "mall"))
    assert len(read_policy([tmp_path], own, "shop")[1].grants) == 3
    for zone, said in (("mall", "declares no policy"), ("bank", "no manifest in")):
        with pytest.raises(CliError) as refusal:
            read_policy([tmp_path], own, zone)
        assert refusal.value.code is ExitCode.USAGE
        assert said in refusal.value.lines[0]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"own_test__rego": MODULE}, "tests only"),
        ({"own__rego": MODULE, "zone__yaml": "zone: shop\n"}, "a policy is one manifest"),
        ({"own__rego": "#" * 262_145}, "is over 262144 bytes"),
    ],
)
def test_what_is_no_policy(own: str, tmp_path: Path, texts: dict[str, str], said: str) -> None:
    """Is wrong usage, and the line says why."""
    with pytest.raises(CliError) as refusal:
        read_policy(list(write(tmp_path, **texts).values()), own, "shop")
    assert refusal.value.code is ExitCode.USAGE
    assert said in refusal.value.lines[0]


def test_modules_of_one_name_and_none_at_all(own: str, tmp_path: Path) -> None:
    """A name is what a finding is placed by."""
    (tmp_path / "other").mkdir()
    first = write(tmp_path, own__rego=MODULE)["own__rego"]
    second = write(tmp_path / "other", own__rego=MODULE)["own__rego"]
    for paths, said in (
        ([first, second], "different names"),
        ([tmp_path / "no.rego"], "cannot be"),
    ):
        with pytest.raises(CliError) as refusal:
            read_policy(paths, own, "shop")
        assert said in refusal.value.lines[0]
