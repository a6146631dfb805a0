"""What a command line may name as a policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.cli.policy.source import candidate, read_policy
from tests.cli.support import MANIFEST

VERSION = "sha256:0123456789abcdef"
MODULE = "package caracal.authz\n\nresult := {}\n"


def write(folder: Path, **texts: str) -> dict[str, Path]:
    """Files by their stems."""
    files = {name: folder / name.replace("__", ".") for name in texts}
    for name, text in texts.items():
        files[name].write_text(text)
    return files


def test_a_version_is_no_file() -> None:
    """Alone; and nothing is nothing."""
    assert candidate([VERSION], "shop") == {"version": VERSION}
    assert candidate([], "shop") == {}
    with pytest.raises(CliError):
        candidate([VERSION, VERSION], "shop")


def test_modules_and_their_tests(tmp_path: Path) -> None:
    """By the names of their files."""
    files = write(tmp_path, own__rego=MODULE, own_test__rego="package t\n")
    policy = read_policy(list(files.values()), "shop")
    assert [each.name for each in policy.modules] == ["own.rego"]
    assert [each.name for each in policy.tests] == ["own_test.rego"]


def test_a_manifest_of_whatever_zone(tmp_path: Path) -> None:
    """Its grants, so that what one zone decides by can be tried in another."""
    files = write(tmp_path, zone__yaml=MANIFEST.format(zone="shop"))
    assert len(read_policy([files["zone__yaml"]], "other").grants) == 3


def test_a_folder_of_several_zones(tmp_path: Path) -> None:
    """That of the zone which is asked about."""
    shop = MANIFEST.format(zone="shop")
    write(tmp_path, a__yaml=shop, b__yaml=shop.partition("grants:")[0].replace("shop", "mall"))
    assert len(read_policy([tmp_path], "shop").grants) == 3
    for zone, said in (("mall", "declares no policy"), ("bank", "no manifest in")):
        with pytest.raises(CliError) as refusal:
            read_policy([tmp_path], zone)
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
def test_what_is_no_policy(tmp_path: Path, texts: dict[str, str], said: str) -> None:
    """Is wrong usage, and the line says why."""
    with pytest.raises(CliError) as refusal:
        read_policy(list(write(tmp_path, **texts).values()), "shop")
    assert refusal.value.code is ExitCode.USAGE
    assert said in refusal.value.lines[0]


def test_modules_of_one_name_and_none_at_all(tmp_path: Path) -> None:
    """A name is what a finding is placed by."""
    (tmp_path / "other").mkdir()
    first = write(tmp_path, own__rego=MODULE)["own__rego"]
    second = write(tmp_path / "other", own__rego=MODULE)["own__rego"]
    for paths, said in (
        ([first, second], "different names"),
        ([tmp_path / "no.rego"], "cannot be"),
    ):
        with pytest.raises(CliError) as refusal:
            read_policy(paths, "shop")
        assert said in refusal.value.lines[0]
