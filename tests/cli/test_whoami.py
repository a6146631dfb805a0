"""`whoami`: who a profile is, as its authority says."""

from __future__ import annotations

import json
from pathlib import Path

from caracal_grpc.core.limits import AUTHORITY_OWN_SCOPES, AUTHORITY_SCOPES
from tests.cli.conftest import Shop
from tests.cli.support import Dev, caracal


def test_an_operator_is_told_all_that_it_may_ask(dev: Dev) -> None:
    """In words, and for programs; the secret is in neither."""
    shown, told = dev.run("whoami"), dev.run("whoami", "--json")
    assert (shown.code, told.code) == (0, 0)
    who = told.json
    assert (who["application_name"], who["zone"]) == ("operator", "caracal")
    assert set(who["scopes"]) == set(AUTHORITY_SCOPES)
    assert 0 < who["expires_in"] <= 300
    assert who["audit_id"].startswith("aud_")
    assert (who["profile"], who["refusal"]) == (str(dev.profile), "")
    for text in ("operator (app_", "plaintext, this machine only", "caracal:zones:write"):
        assert text in shown.out
    secret = json.loads(dev.profile.read_text())["client_secret"]
    assert secret not in shown.out + shown.err + told.out


def test_an_application_may_ask_for_its_own(shop: Shop) -> None:
    """What every application may, and what it is granted besides."""
    who = shop.as_agent("whoami", "--json").json
    assert who["application_id"] == shop.application("agent")
    assert set(who["scopes"]) == set(AUTHORITY_OWN_SCOPES)


def test_who_is_granted_nothing_is_known_all_the_same(dev: Dev, tmp_path: Path) -> None:
    """Its credential is good: that policy gives nothing is told, with why."""
    manifest = tmp_path / "zone.yaml"
    (tmp_path / "none.rego").write_text(
        'package caracal.authz\n\nresult := {"decision": "deny", "reasons": ["closed"]}\n'
    )
    manifest.write_text("zone: closed\napplications: [{name: a}]\npolicy: {modules: [none.rego]}\n")
    assert dev.run("apply", "-f", manifest, "--credentials", tmp_path).code == 0
    profile = tmp_path / "closed-a.json"
    who = caracal("whoami", "--json", profile=profile)
    assert who.code == 0, who.err
    assert (who.json["scopes"], who.json["expires_in"]) == ([], 0)
    assert "POLICY_DENIED" in who.json["refusal"]
    assert "nothing of the authority" in caracal("whoami", profile=profile).out
