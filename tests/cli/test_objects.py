"""`zone`, `application`, `credential` and `resource`."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from tests.cli.conftest import Shop
from tests.cli.support import Dev, Ended, caracal


def as_operator(dev: Dev, shop: Shop, *arguments: str | Path) -> Ended:
    """Runs a command in the zone of the test, as the operator."""
    return dev.run(*arguments, "--zone", shop.zone)


def works(profile: Path) -> bool:
    """Whether a profile authenticates."""
    ended = caracal("session", "list", "--json", profile=profile)
    assert ended.code == 0 or "CLIENT_AUTH_FAILED" in ended.line
    return ended.code == 0


def test_application_from_its_making_to_its_end(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """Its profile works at once; no output holds its secret."""
    made = as_operator(
        *(dev, shop, "application", "create", "late", "--label", "batch"),
        *("--ceiling", "resource://orders=orders:place", "--credentials", tmp_path, "--json"),
    )
    file = tmp_path / f"{shop.zone}-late.json"
    assert made.json["profile"] == str(file)
    assert json.loads(file.read_text())["client_secret"] not in made.out + made.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert works(file)
    shown = as_operator(dev, shop, "application", "get", "late", "--json").json["application"]
    assert shown["ceiling"] == [{"resource": "resource://orders", "scopes": ["orders:place"]}]
    asked = ("application", "update", "late", "--label", "night", "--etag", shown["etag"])
    assert as_operator(dev, shop, *asked).code == 0
    assert as_operator(dev, shop, *asked).code != 0
    found = as_operator(dev, shop, "application", "list", "--filter", "labels:night", "--json")
    assert [each["name"] for each in found.json["applications"]] == ["agent", "late"]
    listed = as_operator(dev, shop, "application", "list")
    assert "late" in listed.out
    assert (
        "resource://orders=orders:place" in as_operator(dev, shop, "application", "get", "late").out
    )
    assert as_operator(dev, shop, "application", "delete", "late", "--json").json["audit_id"]
    assert not works(file)


def test_credential_takes_the_place_of_another_in_the_profile(
    dev: Dev, shop: Shop, tmp_path: Path
) -> None:
    """Both work until the first one ends; what else the profile says stays."""
    as_operator(dev, shop, "application", "create", "rolling", "--credentials", tmp_path)
    file, kept = tmp_path / f"{shop.zone}-rolling.json", tmp_path / "kept.json"
    before = json.loads(file.read_text())
    kept.write_text(file.read_text())
    kept.chmod(0o600)
    made = as_operator(
        *(dev, shop, "credential", "create", "--application", "rolling"),
        *("--expire-others", "1h", "--credentials", tmp_path, "--json"),
    )
    after = json.loads(file.read_text())
    assert after.pop("client_secret") != before.pop("client_secret")
    assert after == before
    assert json.loads(file.read_text())["client_secret"] not in made.out + made.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert works(file)
    assert works(kept)
    listed = as_operator(
        dev, shop, "credential", "list", "--application", "rolling", "--json"
    ).json["credentials"]
    first, second = listed
    assert second["id"] == made.json["credential"]
    assert (first["expire_time"] is None, second["expire_time"] is None) == (False, True)
    assert as_operator(dev, shop, "credential", "delete", first["id"]).code == 0
    assert works(file)
    assert not works(kept)
    table = as_operator(dev, shop, "credential", "list").out
    assert second["id"] in table


def test_credential_of_another_is_not_overwritten(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """Nothing is made when the file is of another application, or no profile."""
    file = tmp_path / f"{shop.zone}-agent.json"
    file.write_text(shop.profile("orders").read_text())
    file.chmod(0o600)
    ended = as_operator(
        *(dev, shop, "credential", "create", "--application", "agent"),
        *("--credentials", tmp_path),
    )
    assert ended.code == 2
    assert "another application" in ended.line
    listed = as_operator(dev, shop, "credential", "list", "--application", "agent", "--json")
    assert len(listed.json["credentials"]) == 1


def test_credential_wants_a_life_that_is_one(dev: Dev, shop: Shop) -> None:
    """Usage, before anything is asked."""
    ended = as_operator(
        dev, shop, "credential", "create", "--application", "agent", "--ttl", "soon"
    )
    assert ended.code == 2
    assert "--ttl must be a life such as" in ended.line


def test_secret_of_the_operator_is_replaced(dev: Dev, tmp_path: Path) -> None:
    """In the authority's own zone, for which the command asks for the scope that it takes."""
    made = dev.run(
        *("credential", "create", "--application", "operator", "--ttl", "1d"),
        *("--credentials", tmp_path, "--json"),
    )
    file = Path(made.json["profile"])
    assert works(file)
    assert dev.run("credential", "delete", made.json["credential"]).code == 0
    assert not works(file)


def test_resource_from_its_making_to_its_end(dev: Dev, shop: Shop) -> None:
    """What is granted on stays; the line says where it is referred to."""
    tea = "resource://tea"
    made = as_operator(
        *(dev, shop, "resource", "create", tea, "--scope", "tea:brew"), *("--max-ttl", "60")
    )
    assert made.code == 0, made.err
    shown = as_operator(dev, shop, "resource", "get", tea, "--json").json["resource"]
    assert (shown["scopes"], shown["max_ttl_seconds"]) == (["tea:brew"], 60)
    changed = as_operator(dev, shop, "resource", "update", tea, "--max-ttl", "90")
    assert changed.code == 0, changed.err
    listed = as_operator(dev, shop, "resource", "list", "--filter", 'name = "resource://t*"')
    assert "90" in listed.out
    assert as_operator(dev, shop, "resource", "delete", tea).code == 0
    refused = as_operator(dev, shop, "resource", "delete", "resource://orders")
    assert refused.code != 0
    assert "present.policy.grants[0].resource" in refused.err


def test_zone_from_its_making_to_its_end(dev: Dev) -> None:
    """Made, frozen, listed, let go, deleted."""
    assert dev.run("zone", "create", "brief", "--json").json["issuer"].endswith("/zones/brief")
    assert dev.run("zone", "freeze", "brief", "--reason", "drill").code == 0
    found = dev.run("zone", "list", "--filter", "frozen = true", "--json").json["zones"]
    assert [each["name"] for each in found] == ["brief"]
    assert dev.run("zone", "unfreeze", "brief").code == 0
    assert "brief" in dev.run("zone", "list").out
    assert dev.run("zone", "delete", "brief", "--json").json["audit_id"].startswith("aud_")
    ended = dev.run("zone", "delete", "brief")
    assert ended.line.startswith("there is no zone brief")


def test_zone_in_use_is_not_deleted(dev: Dev, shop: Shop) -> None:
    """And says why."""
    ended = dev.run("zone", "delete", shop.zone)
    assert ended.code != 0
    assert "applications; delete them first" in ended.err
