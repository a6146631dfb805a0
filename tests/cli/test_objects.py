"""`zone`, `application`, `credential` and `resource`."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from caracal_grpc.crypto.secret_file import write_secret_file
from tests.cli.conftest import Shop
from tests.cli.support import Dev, Ended, caracal
from tests.crypto.test_assertion_key import jwk
from tests.support.foreign import ForeignSigner


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


def test_workload_is_made_without_a_profile(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """Until it is given a secret; what it authenticates by is shown as it was given."""
    by = ("--spiffe-id", "spiffe://shop.example/ns/*/sa/web", "--dns-name", "web.shop.example")
    made = as_operator(
        *(dev, shop, "application", "create", "web", *by, "--credentials", tmp_path, "--json"),
    )
    assert (made.code, sorted(made.json)) == (0, ["application", "audit_id", "id", "revision"])
    assert list(tmp_path.iterdir()) == []
    shown = as_operator(dev, shop, "application", "get", "web").out
    assert "spiffe://shop.example/ns/*/sa/web" in shown
    assert "web.shop.example" in shown
    asked = (dev, shop, "application", "update", "web", "--kubernetes")
    assert as_operator(*asked, "cluster/shop").code == 2
    ended = as_operator(*asked, "cluster/shop/web")
    assert "cluster is no workload issuer" in ended.err
    thumbprint = ("--certificate-thumbprint", "A" * 43)
    assert as_operator(dev, shop, "application", "update", "web", *thumbprint).code == 0
    shown = as_operator(dev, shop, "application", "get", "web", "--json").json["application"]
    assert [each["certificate_thumbprint"] for each in shown["identities"]] == ["A" * 43]
    as_operator(
        dev, shop, "credential", "create", "--application", "web", "--credentials", tmp_path
    )
    assert works(tmp_path / f"{shop.zone}-web.json")


def test_profile_of_one_without_a_secret_is_asked_for(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """With what it proves itself by; the file is written once, and takes a secret later."""
    signer = ForeignSigner.generate("ES256", "mine")
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [signer.jwk]}))
    write_secret_file(tmp_path / "own.jwk", jwk(signer).decode())
    made = (dev, shop, "application", "create", "prover", "--jwks", tmp_path / "keys.json")
    assert as_operator(*made).code == 0
    asked = (dev, shop, "application", "profile", "prover", "--credentials", tmp_path)
    assert "client_secret: is missing" in as_operator(*asked).line
    written = as_operator(*asked, "--client-key-file", "own.jwk", "--json")
    file = tmp_path / f"{shop.zone}-prover.json"
    assert written.json == {"application": "prover", "profile": str(file)}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "client_secret" not in json.loads(file.read_text())
    assert works(file)
    assert "is not replaced" in as_operator(*asked, "--assertion-file", "token").line
    secret = ("credential", "create", "--application", "prover", "--credentials", tmp_path)
    assert as_operator(dev, shop, *secret).code == 0
    assert "client_key_file" not in json.loads(file.read_text())
    assert works(file)


def test_what_an_application_authenticates_by_is_taken_away(
    dev: Dev, shop: Shop, tmp_path: Path
) -> None:
    """Down to nothing, and then nobody is it; what is not named stays."""
    signer = ForeignSigner.generate("ES256", "mine")
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [signer.jwk]}))
    both = ("--jwks", tmp_path / "keys.json", "--dns-name", "bare.shop.example")
    made = (dev, shop, "application", "create", "bare", "--label", "night", *both)
    assert as_operator(*made).code == 0
    asked = (dev, shop, "application", "update", "bare")
    ended = as_operator(*asked, "--clear", "identities", "--dns-name", "other.shop.example")
    assert (ended.code, "--clear identities cannot go with" in ended.line) == (2, True)
    assert "give what is to change" in as_operator(*asked).line
    assert as_operator(*asked, "--clear", "identities").code == 0
    shown = as_operator(dev, shop, "application", "get", "bare", "--json").json["application"]
    assert (shown.get("identities", []), shown["labels"]) == ([], ["night"])
    assert json.loads(shown["jwks"]) == {"keys": [signer.jwk]}
    assert as_operator(*asked, "--clear", "jwks", "--clear", "labels", "--clear", "jwks").code == 0
    shown = as_operator(dev, shop, "application", "get", "bare", "--json").json["application"]
    assert (shown.get("jwks", ""), shown.get("labels", [])) == ("", [])


def test_keys_of_an_application_come_from_a_file(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """Public ones; a private one goes nowhere."""
    public = ForeignSigner.generate("ES256", "mine").jwk
    keys = tmp_path / "keys.json"
    asked = (dev, shop, "application", "create", "signer", "--jwks", keys)
    assert "cannot be read" in as_operator(*asked).line
    keys.write_text(json.dumps({"keys": [public | {"d": "c2VjcmV0"}]}))
    ended = as_operator(*asked)
    assert "keys[0] is private" in ended.err
    assert "c2VjcmV0" not in ended.err
    keys.write_text(json.dumps({"keys": [public]}))
    assert as_operator(*asked).code == 0
    shown = as_operator(dev, shop, "application", "get", "signer", "--json").json["application"]
    assert json.loads(shown["jwks"]) == {"keys": [public]}


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
