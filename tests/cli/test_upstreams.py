"""`upstream`: secrets go in by a file or stdin, and never come out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Shop
from tests.cli.support import Dev, Ended, caracal

ORDERS = "resource://orders"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file that is its owner's alone."""
    return kept(tmp_path, "hunter2-and-so-on\n")


def kept(folder: Path, text: str, mode: int = 0o600) -> Path:
    """A file with a secret in it."""
    path = folder / "secret"
    path.write_text(text)
    path.chmod(mode)
    return path


def upstream(dev: Dev, shop: Shop, *arguments: str | Path, stdin: str = "") -> Ended:
    """Runs a command in the zone of the test, as the operator."""
    said = ("upstream", *arguments, "--zone", shop.zone)
    return caracal(*said, profile=dev.profile, stdin=stdin)


def test_credential_from_its_making_to_its_end(dev: Dev, shop: Shop, secret: Path) -> None:
    """What is said of it is everything but its secret."""
    made = upstream(
        *(dev, shop, "create", "crm", "--resource", ORDERS, "--header", "x-api-key"),
        *("--secret-file", secret, "--json"),
    )
    assert made.json["upstream"] == "crm"
    assert made.json["audit_id"].startswith("aud_")
    found = upstream(dev, shop, "get", "crm", "--json")
    first = found.json["upstream"]
    assert {name: value for name, value in first.items() if name != "etag"} == {
        "name": "crm",
        "resource": ORDERS,
        "kind": "header",
        "label": "x-api-key",
    }
    rolled = upstream(dev, shop, "update", "crm", "--secret-file", "-", stdin="another-one\r\n")
    assert "changed crm at revision" in rolled.out
    after = upstream(dev, shop, "get", "crm", "--json").json["upstream"]
    assert after | {"etag": ""} == first | {"etag": ""}
    assert after["etag"] != first["etag"]
    late = upstream(
        *(dev, shop, "update", "crm", "--resource", "resource://payments"),
        *("--etag", first["etag"]),
    )
    assert late.code == 3
    basic = upstream(
        *(dev, shop, "update", "crm", "--basic", "shop", "--secret-file", "-"), stdin="pass word"
    )
    assert basic.code == 0
    listed = upstream(dev, shop, "list", "--filter", "kind = basic", "--json")
    assert [each["label"] for each in listed.json["upstreams"]] == ["shop"]
    table = upstream(dev, shop, "list")
    assert "basic" in table.out
    gone = upstream(dev, shop, "delete", "crm", "--json")
    assert gone.json["audit_id"]
    assert upstream(dev, shop, "list", "--json").json == {"upstreams": []}
    for ended in (made, found, rolled, late, basic, listed, table, gone):
        for text in ("hunter2", "another-one", "pass word"):
            assert text not in ended.out + ended.err


def test_secret_is_asked_for_at_a_terminal_alone(dev: Dev, shop: Shop) -> None:
    """Without one, usage names the option; no argument takes it."""
    ended = upstream(dev, shop, "create", "asked", "--resource", ORDERS, "--bearer")
    assert (ended.code, "--secret-file" in ended.line) == (2, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "give what the secret is"),
        (("--bearer", "--basic", "shop"), "give one of"),
        (("--header", "x-a", "--bearer"), "give one of"),
        (("--header", "authorization"), "give a bearer or a basic"),
    ],
)
def test_form_is_one_that_there_is(
    dev: Dev, shop: Shop, secret: Path, options: tuple[str, ...], said: str
) -> None:
    """Usage."""
    ended = upstream(
        *(dev, shop, "create", "odd", "--resource", ORDERS, "--secret-file", secret), *options
    )
    assert ended.code == 2
    assert said in ended.err


def test_file_of_a_secret_is_its_owners_alone(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """Nothing is read from one that others can read, and an empty one is none."""
    create = ("create", "odd", "--resource", ORDERS, "--bearer", "--secret-file")
    ended = upstream(dev, shop, *create, kept(tmp_path, "hunter2", mode=0o644))
    assert ended.code == 4
    assert "chmod 600" in ended.line
    for text in ("", "\n"):
        ended = upstream(dev, shop, *create, kept(tmp_path, text))
        assert (ended.code, "is empty" in ended.line) == (2, True)
    (tmp_path / "secret").write_bytes(b"\xff\xfe")
    ended = upstream(dev, shop, *create, tmp_path / "secret")
    assert (ended.code, "utf-8" in ended.line) == (2, True)


def test_space_is_part_of_a_password(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """So that of a token with space around it is told, and not cut off."""
    create = ("create", "odd", "--resource", ORDERS, "--bearer", "--secret-file")
    ended = upstream(dev, shop, *create, kept(tmp_path, " abc\n"))
    assert ended.code == 2
    assert "upstream.bearer.token" in ended.err


def test_update_wants_something_to_change(dev: Dev, shop: Shop) -> None:
    """Usage, before anything is asked."""
    ended = upstream(dev, shop, "update", "crm")
    assert ended.code == 2
    assert "give what is to change" in ended.line
