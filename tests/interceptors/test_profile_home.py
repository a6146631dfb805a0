"""Where stored profiles are, and what a text means as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors.profile import PROFILE_VARIABLE, Profile
from caracal_grpc.interceptors.profile_home import (
    config_home,
    is_profile_name,
    locate_profile,
    profile_file,
    profile_folder,
)

PROFILE = Profile(
    authority="127.0.0.1:7420",
    zone="shop",
    issuer="https://a.example/zones/shop",
    application_id="app_01h455vb4pex5vsknk084sn02q",
    client_secret="a secret",
    plaintext=True,
)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with a stored profile `shop`."""
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    profile_folder(environment).mkdir(mode=0o700, parents=True)
    PROFILE.save(profile_file("shop", environment))
    return environment


def test_home_follows_the_base_directories(monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative one is ignored, as the specification says."""
    monkeypatch.setenv("HOME", "/home/me")
    assert config_home({}) == Path("/home/me/.config/caracal-grpc")
    assert config_home({"XDG_CONFIG_HOME": "rel"}) == Path("/home/me/.config/caracal-grpc")
    assert config_home({"XDG_CONFIG_HOME": "/etc/x"}) == Path("/etc/x/caracal-grpc")


@pytest.mark.parametrize("name", ["shop", "shop-operator", "a" * 128])
def test_names(name: str) -> None:
    """Of what slugs are made of, joined."""
    assert is_profile_name(name)


@pytest.mark.parametrize("text", ["", "Shop", "1shop", "shop.json", "a/b", "../shop", "a" * 129])
def test_what_is_no_name_is_a_path(text: str, home: dict[str, str]) -> None:
    """And cannot be stored under."""
    assert not is_profile_name(text)
    assert locate_profile(text, home) == Path(text)
    with pytest.raises(CaracalError, match="starting with a letter"):
        profile_file(text, home)


def test_a_name_wins_over_a_file_of_the_working_directory(
    home: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who can write there must not choose whom a process is; with a slash it is the file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop").write_text("{}")
    assert locate_profile("shop", home) == profile_file("shop", home)
    assert locate_profile("./shop", home) == Path("shop")
    (tmp_path / "other").write_text("{}")
    assert locate_profile("other", home) == Path("other")


def test_a_name_that_nothing_has_says_where_it_was_looked_for(
    home: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CaracalError, match="neither a file nor a stored profile") as raised:
        locate_profile("nobody", home)
    assert str(profile_file("nobody", home)) in raised.value.message


def test_a_folder_that_others_may_look_into_is_refused(home: dict[str, str]) -> None:
    """With what to run."""
    profile_folder(home).chmod(0o755)
    with pytest.raises(CaracalError, match="chmod 700"):
        locate_profile("shop", home)


def test_a_service_finds_a_stored_profile_by_its_name(home: dict[str, str]) -> None:
    """The variable holds a path or a name; a file that others may read is refused all the same."""
    environment = {**home, PROFILE_VARIABLE: "shop"}
    assert Profile.from_environment(environment) == PROFILE
    profile_file("shop", home).chmod(0o640)
    with pytest.raises(CaracalError, match="chmod 600"):
        Profile.from_environment(environment)
