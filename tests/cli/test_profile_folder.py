"""Profiles of applications in a folder: what cannot be written is named, and costs no other."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from caracal_grpc.cli.context import Choice, Target, load
from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.cli.profile.folder import Folder
from tests.cli.homes import profile


@dataclass(frozen=True)
class Secret:
    """What the authority answers once, and nobody can ask for again."""

    application_name: str
    client_secret: str = "only here"
    id: str = "crd_1"

    @property
    def application_id(self) -> str:
        """Of the one application of that name."""
        return f"app_{self.application_name}"


@pytest.fixture
def target(tmp_path: Path) -> Target:
    """An operator's."""
    own = profile(tmp_path / "own.json")
    return Target(load(Choice(own, "--profile")), "shop", own)


def test_one_that_cannot_be_written_keeps_no_other_from_it(target: Target, tmp_path: Path) -> None:
    """Every lost secret has a line of its own, with how to make another."""
    folder = Folder(tmp_path / "made", "shop")
    folder.prepare(["a", "b", "c"])
    for name in ("a", "c"):  # somebody was faster, and in the way at the other name, too
        (folder.path / f"shop-{name}.json").write_text("theirs")
        (folder.path / f"shop-{name}-app_{name}.json").mkdir()
    with pytest.raises(CliError) as lost:
        folder.write_all(target, "http://i/zones/shop", map(Secret, "abc"))
    assert lost.value.code is ExitCode.UNAVAILABLE
    assert [line.split("; ")[-1].split()[-1] for line in lost.value.lines] == ["a", "c"]
    assert "only here" in (folder.path / "shop-b.json").read_text()
    assert "only here" not in str(lost.value)


def test_what_is_written_is_told(target: Target, tmp_path: Path) -> None:
    """With where it is."""
    folder = Folder(tmp_path, "shop")
    written = folder.write_all(target, "http://i/zones/shop", [Secret("a")])
    assert written == [("a", tmp_path / "shop-a.json")]


def test_a_secret_of_an_application_that_was_made_anew_comes_with_its_id(
    target: Target, tmp_path: Path
) -> None:
    """The id of the one before would be refused; what else the profile says stays."""
    kept = {"application_name": "a", "authority": "127.0.0.1:9"}
    file = profile(tmp_path / "shop-a.json", **kept)
    Folder(tmp_path, "shop").replace(target, "http://caracal.localhost/zones/shop", Secret("a"))
    held = json.loads(file.read_text())
    assert (held["application_id"], held["client_secret"]) == ("app_a", "only here")
    assert held["authority"] == "127.0.0.1:9"


@pytest.mark.parametrize(
    "other",
    [{"zone": "mall"}, {"application_name": "b"}, {"issuer": "https://prod.example/zones/shop"}],
)
def test_a_secret_is_put_over_no_other(other: dict[str, str], tmp_path: Path) -> None:
    """Of the same name at another authority is another application, too."""
    folder, issuer = Folder(tmp_path, "shop"), "http://caracal.localhost/zones/shop"
    profile(tmp_path / "shop-a.json", application_name="a")
    folder.require_own("a", issuer)
    profile(tmp_path / "shop-a.json", **{"application_name": "a", **other})
    with pytest.raises(CliError) as refusal:
        folder.require_own("a", issuer)
    assert "another application, or of another authority" in refusal.value.lines[0]
