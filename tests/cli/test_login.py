"""`login` and `logout`: a profile is checked, stored by a name, and removed again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from caracal_grpc.crypto.secret_file import write_secret_file
from tests.cli.conftest import Shop
from tests.cli.homes import Home
from tests.cli.support import Dev
from tests.cli.terminal import Terminal
from tests.crypto.test_assertion_key import pem
from tests.support.foreign import ForeignSigner


def said(profile: Path) -> dict[str, str]:
    """What a profile holds."""
    held: dict[str, str] = json.loads(profile.read_text())
    return held


def options(profile: Path) -> list[str]:
    """The options that say all of a profile but its secret."""
    held = said(profile)
    named = ("authority", "zone")
    given = [part for name in named for part in (f"--{name}", held[name])]
    return [*given, "--application", held["application_id"], "--plaintext"]


def test_a_file_is_checked_stored_and_used_from_then_on(shop: Shop, home: Home) -> None:
    """Mode 0600 in a folder of mode 0700, under zone and application."""
    done = home.run("login", shop.profile("agent"))
    assert done.code == 0, done.err
    name = f"{shop.zone}-agent"
    assert done.out.startswith(f"logged in as {name}, which is in use from now on\n")
    stored = home.folder / f"{name}.json"
    assert said(stored) == said(shop.profile("agent"))
    assert stored.stat().st_mode & 0o777 == 0o600
    assert home.folder.stat().st_mode & 0o777 == 0o700
    assert home.run("profile", "path").out == f"{stored}\n"
    assert home.run("exchange", "resource://orders", "orders:place").code == 0


def test_it_asks_what_no_option_says(shop: Shop, home: Home) -> None:
    """The secret is not echoed, a wrong answer is asked again, and the issuer nobody types."""
    held = said(shop.profile("agent"))
    with Terminal("login", "--name", "mine", XDG_CONFIG_HOME=str(home.path)) as terminal:
        terminal.answer("address of the authority", "not an address")
        terminal.answer("must be host:port", held["authority"])
        terminal.answer("zone", held["zone"])
        terminal.answer("id of the application", held["application_id"])
        terminal.answer("CA of its certificate", "none")
        terminal.answer("secret", held["client_secret"])
        done = terminal.end()
    assert done.code == 0, done.err
    assert "logged in as mine" in done.out
    assert held["client_secret"] not in done.out + done.err
    stored = said(home.folder / "mine.json")
    assert stored == {name: value for name, value in held.items() if name != "application_name"}


@pytest.mark.parametrize("from_stdin", [True, False])
def test_options_say_all_but_the_secret(
    from_stdin: bool, shop: Shop, home: Home, tmp_path: Path
) -> None:
    """That comes from stdin, or from a file that is its owner's alone."""
    profile = shop.profile("agent")
    secret = said(profile)["client_secret"]
    file = tmp_path / "secret"
    file.touch(mode=0o600)
    file.write_text(f"{secret}\n")
    source = ("-", f"{secret}\n") if from_stdin else (str(file), "")
    done = home.run(
        "login", *options(profile), "--secret-file", source[0], "--json", stdin=source[1]
    )
    assert done.code == 0, done.err
    assert done.json["name"] == shop.zone
    assert done.json["application_id"] == shop.application("agent")
    assert secret not in done.out
    file.chmod(0o644)
    refused = home.run("login", *options(profile), "--secret-file", file)
    assert refused.code == 4
    assert "chmod 600" in refused.line


def test_an_application_with_a_key_of_its_own_is_asked_for_no_secret(
    dev: Dev, shop: Shop, home: Home, tmp_path: Path
) -> None:
    """The profile that is stored names the key's file from wherever it is read."""
    signer = ForeignSigner.generate("ES256", "mine")
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [signer.jwk]}))
    write_secret_file(tmp_path / "own.pem", pem(signer.key).decode())
    made = dev.run(
        *("application", "create", "signer", "--jwks", tmp_path / "keys.json"),
        *("--zone", shop.zone, "--json"),
    )
    assert made.code == 0, made.err
    said_of = [*options(shop.profile("agent"))[:4], "--plaintext", "--application", made.json["id"]]
    key = os.path.relpath(tmp_path / "own.pem")
    refused = home.run("login", *said_of, "--client-key-file", key, "--assertion-file", key)
    assert (refused.code, "--client-key-file cannot go with" in refused.line) == (2, True)
    refused = home.run("login", *said_of, "--client-key-file", tmp_path / "keys.json")
    assert (refused.code, refused.line.startswith("--client-key-file ")) == (2, True)
    done = home.run("login", *said_of, "--client-key-file", key, "--name", "mine")
    assert done.code == 0, done.err
    stored = said(home.folder / "mine.json")
    assert Path(stored["client_key_file"]).is_absolute()
    assert Path(stored["client_key_file"]).samefile(tmp_path / "own.pem")
    assert "client_secret" not in stored


def test_without_a_terminal_the_missing_options_are_named(home: Home) -> None:
    """All of them, and nothing is asked."""
    ended = home.run("login", "--zone", "shop")
    assert ended.code == 2
    missing = "--authority, --application, --secret-file"
    assert ended.line == f"there is no terminal to ask at; give {missing}"


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("--authority", "nowhere", "--authority must be host:port"),
        ("--zone", "No", "--zone must be 1 to 63"),
        ("--application", "ses_1", "--application must be an id that starts with app_"),
        ("--ca-file", "/nonexistent/ca.pem", "--ca-file /nonexistent/ca.pem cannot be read"),
    ],
)
def test_wrong_options_are_named(
    option: str, value: str, text: str, shop: Shop, home: Home
) -> None:
    """Before anything is asked of anybody."""
    good = [each for each in options(shop.profile("agent")) if each != "--plaintext"]
    ended = home.run("login", *good, option, value, "--secret-file", "-", stdin="secret")
    assert ended.code == 2
    assert ended.line.startswith(text)


def test_a_file_goes_without_options(shop: Shop, home: Home) -> None:
    """Of two that differ nobody would know which holds."""
    ended = home.run("login", shop.profile("agent"), "--zone", "other")
    assert ended.code == 2
    assert "give either" in ended.line


def test_a_secret_that_is_no_good_is_not_stored(shop: Shop, home: Home) -> None:
    """The line says what the authority said, and not the secret."""
    profile = shop.profile("agent")
    ended = home.run("login", *options(profile), "--secret-file", "-", stdin="a wrong secret")
    assert ended.code == 4
    assert "CLIENT_AUTH_FAILED" in ended.line
    assert "a wrong secret" not in ended.err
    assert home.run("profile", "list", "--json").json == {"profiles": []}


def test_a_profile_of_another_issuer_is_not_stored(shop: Shop, home: Home, tmp_path: Path) -> None:
    """Guards that run with it would refuse every mandate."""
    other = tmp_path / "other.json"
    other.touch(mode=0o600)
    issuer = "https://elsewhere.example/zones/shop"
    other.write_text(json.dumps({**said(shop.profile("agent")), "issuer": issuer}))
    ended = home.run("login", other)
    assert ended.code == 4
    assert issuer in ended.line
    assert not home.folder.exists()


def test_another_profile_of_that_name_is_not_replaced(dev: Dev, shop: Shop, home: Home) -> None:
    """Unless it is asked for; the same application may log in again."""
    name = ("--name", "mine")
    assert home.run("login", shop.profile("agent"), *name).code == 0
    assert home.run("login", shop.profile("agent"), *name).code == 0
    ended = home.run("login", dev.profile, *name)
    assert ended.code == 3
    assert ended.line == "another profile is stored as mine; give --name, or --force to replace it"
    assert said(home.folder / "mine.json") == said(shop.profile("agent"))
    assert home.run("login", dev.profile, *name, "--force").code == 0
    assert said(home.folder / "mine.json") == said(dev.profile)


def test_logout_removes_the_one_in_use_or_the_one_named(dev: Dev, shop: Shop, home: Home) -> None:
    """Another one stays, and stays in use; what nobody stored cannot be removed."""
    assert home.run("logout").code == 3
    for profile in (shop.profile("orders"), shop.profile("agent"), dev.profile):
        assert home.run("login", profile).code == 0
    assert home.run("logout", f"{shop.zone}-orders").code == 0
    assert home.run("profile", "path").out == f"{home.folder / 'caracal-operator.json'}\n"
    done = home.run("logout", "--json").json
    assert done["name"] == "caracal-operator"
    listed = home.run("profile", "list", "--json").json["profiles"]
    assert [(each["name"], each["current"]) for each in listed] == [(f"{shop.zone}-agent", False)]
    assert home.run("keys", "list").code == 4
    assert home.run("logout", "nobody").code == 3
    assert dev.profile.exists()
