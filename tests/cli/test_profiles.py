"""Stored profiles: listed, chosen, found; and which one a command takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.homes import Home, profile


def test_nothing_is_stored_at_first(home: Home) -> None:
    """And the list says how to begin."""
    assert (
        home.run("profile", "list").out == "no profile is stored; caracal-grpc login stores one\n"
    )
    assert home.run("profile", "list", "--json").json == {"profiles": []}


def test_profiles_are_listed_without_their_secrets(home: Home) -> None:
    """In the order of their names, with the one in use."""
    home.store("shop")
    home.store("mall")
    assert home.run("profile", "use", "shop").out == "using shop\n"
    shown = home.run("profile", "list")
    rows = [line.split() for line in shown.out.splitlines()]
    assert ["mall", "agent", "mall", "127.0.0.1:1"] in rows
    assert ["*", "shop", "agent", "shop", "127.0.0.1:1"] in rows
    listed = home.run("profile", "list", "--json")
    assert [each["name"] for each in listed.json["profiles"]] == ["mall", "shop"]
    assert [each["current"] for each in listed.json["profiles"]] == [False, True]
    assert "never shown" not in shown.out + listed.out


def test_an_unfit_profile_is_listed_with_what_is_wrong(home: Home) -> None:
    """Others are not hidden by it."""
    home.store("mall").chmod(0o644)
    home.store("shop")
    mall, shop = home.run("profile", "list", "--json").json["profiles"]
    assert "chmod 600" in mall["problem"]
    assert (mall["authority"], shop["problem"]) == ("", "")


def test_only_what_is_stored_can_be_used(home: Home) -> None:
    """The names that there are, are told."""
    home.store("shop")
    ended = home.run("profile", "use", "mall")
    assert ended.code == 3
    assert ended.line == "no profile is stored as mall; stored are: shop"
    assert home.run("profile", "use", "../shop").code == 2


def test_a_path_is_that_of_a_name_or_of_what_commands_would_use(home: Home, tmp_path: Path) -> None:
    """With what named it, for programs."""
    shop, mall = home.store("shop"), home.store("mall")
    assert home.run("profile", "path", "mall").out == f"{mall}\n"
    assert home.run("profile", "path").code == 4
    home.run("profile", "use", "shop")
    assert home.run("profile", "path").out == f"{shop}\n"
    other = profile(tmp_path / "other.json")
    told = home.run("profile", "path", "--json", CARACAL_PROFILE=str(other)).json
    assert told == {"path": str(other), "by": "CARACAL_PROFILE"}
    assert home.run("profile", "path", CARACAL_PROFILE="mall").out == f"{mall}\n"


def test_the_option_wins_over_the_variable_and_that_over_the_one_in_use(
    home: Home, tmp_path: Path
) -> None:
    """Nobody answers at any of them; the line names the one that was taken."""
    home.store("shop", authority="127.0.0.1:2")
    home.store("mall", authority="127.0.0.1:3")
    file = profile(tmp_path / "p.json", authority="127.0.0.1:4")
    assert home.run("profile", "use", "shop").code == 0
    asked = ("keys", "list", "--jwks")
    assert "127.0.0.1:2" in home.run(*asked).line
    assert "127.0.0.1:3" in home.run(*asked, CARACAL_PROFILE="mall").line
    assert "127.0.0.1:4" in home.run(*asked, "--profile", file, CARACAL_PROFILE="mall").line
    assert "127.0.0.1:2" in home.run(*asked, "--profile", "shop", CARACAL_PROFILE=str(file)).line


def test_a_variable_that_wins_is_told(home: Home) -> None:
    """Who takes another profile into use would wonder why nothing changes."""
    home.store("shop")
    done = home.run("profile", "use", "shop", CARACAL_PROFILE="mall")
    assert (done.code, done.line) == (
        0,
        "CARACAL_PROFILE is set and wins over the profile in use; unset it",
    )


def test_errors_say_which_way_was_tried(home: Home) -> None:
    """The option, the variable, or the one in use."""
    asked = ("keys", "list")
    assert home.run(*asked, "--profile", "mall").line.endswith("(named by --profile)")
    assert home.run(*asked, CARACAL_PROFILE="mall").line.endswith("(named by CARACAL_PROFILE)")
    none = home.run(*asked)
    assert none.code == 4
    assert "no --profile, CARACAL_PROFILE is not set, and none is in use" in none.line
    home.store("shop").chmod(0o640)
    home.run("profile", "use", "shop")
    assert home.run(*asked).line.endswith("(named by the profile in use)")


def test_a_profile_in_use_that_is_gone_is_told(home: Home) -> None:
    """It is no reason to take another one."""
    file = home.store("shop")
    home.store("mall")
    home.run("profile", "use", "shop")
    file.unlink()
    ended = home.run("keys", "list")
    assert ended.code == 4
    assert ended.line.endswith("stored are: mall; run caracal-grpc profile use NAME")


@pytest.mark.parametrize("command", [("list",), ("use", "shop"), ("path", "shop")])
def test_a_folder_that_others_may_look_into_is_refused(
    command: tuple[str, ...], home: Home
) -> None:
    """With what to run."""
    home.store("shop")
    home.folder.chmod(0o750)
    ended = home.run("profile", *command)
    assert ended.code == 4
    assert f"chmod 700 {home.folder}" in ended.line
