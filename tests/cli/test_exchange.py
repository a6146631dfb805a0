"""`exchange` and `revoke`: a mandate, and its end."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

from tests.cli.conftest import Shop
from tests.cli.support import Dev, caracal


def _claims(mandate: str) -> Any:
    body = mandate.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def test_json_has_the_four_facts(shop: Shop) -> None:
    """The mandate, its life in whole seconds, its scopes and its entry; never more."""
    ended = shop.as_agent("exchange", "resource://orders", "orders:place", "--ttl", "60", "--json")
    assert set(ended.json) == {"mandate", "expires_in", "scope", "audit_id"}
    assert ended.json["scope"] == "orders:place"
    assert isinstance(ended.json["expires_in"], int)
    assert 0 < ended.json["expires_in"] <= 60
    assert _claims(ended.json["mandate"])["audit_id"] == ended.json["audit_id"]
    assert ended.err == ""


def test_for_people_stdout_is_the_mandate_alone(shop: Shop) -> None:
    """So that a shell can take it, with what it is worth on stderr."""
    ended = shop.as_agent("exchange", "resource://orders")
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", ended.out)
    assert "scope orders:place" in ended.err
    assert ended.out.strip() not in ended.err


def test_the_same_request_id_gets_the_same_mandate(shop: Shop) -> None:
    """An exchange is idempotent on request."""
    arguments = ("exchange", "resource://orders", "--request-id", "again-1", "--json")
    assert shop.as_agent(*arguments).json["mandate"] == shop.as_agent(*arguments).json["mandate"]


def test_binding_needs_a_client_certificate(shop: Shop) -> None:
    """A profile without one is told so before anybody is asked."""
    ended = shop.as_agent("exchange", "resource://orders", "--bind")
    assert (ended.code, ended.out) == (2, "")
    assert "needs cert_file and key_file in the profile" in ended.line


def test_a_denial_is_exit_code_1(shop: Shop) -> None:
    """One line with the reason and the entry to ask about."""
    ended = shop.as_agent("exchange", "resource://payments", "payments:charge", "--json")
    assert (ended.code, ended.out) == (1, "")
    assert "POLICY_DENIED" in ended.line
    assert "audit_id aud_" in ended.line


def test_on_behalf_of_the_holder_of_a_mandate(shop: Shop, tmp_path: Path) -> None:
    """The subject's mandate comes from a file, never from the command line."""
    subject = tmp_path / "subject"
    subject.write_text(shop.as_agent("exchange", "resource://orders").out)
    ended = caracal(
        "exchange",
        "resource://payments",
        "payments:charge",
        "--subject-token-file",
        subject,
        "--json",
        profile=shop.profile("orders"),
    )
    agent = json.loads(shop.profile("agent").read_text())["application_id"]
    assert ended.code == 0, ended.err
    assert _claims(ended.json["mandate"])["sub"] == agent


def test_an_unfit_subject_token_is_refused(shop: Shop, tmp_path: Path) -> None:
    """A file that is not there is wrong usage, one that holds no mandate a bad credential."""
    gone = shop.as_agent("exchange", "resource://orders", "--subject-token-file", tmp_path / "gone")
    assert gone.code == 2
    assert "gone cannot be read" in gone.line
    (tmp_path / "bad").write_text("a.b.c")
    bad = shop.as_agent("exchange", "resource://orders", "--subject-token-file", tmp_path / "bad")
    assert bad.code == 4
    assert "SUBJECT_TOKEN_INVALID" in bad.line


def test_what_is_revoked_is_dead(dev: Dev, shop: Shop) -> None:
    """Revoking a session ends what is issued in it, and the ledger tells which anchor did."""
    session = shop.as_agent("session", "start", "--json").json["session"]["id"]
    arguments = ("exchange", "resource://orders", "--session", session, "--json")
    issued = shop.as_agent(*arguments).json
    revoked = dev.run("revoke", session, "--reason", "lost", "--zone", shop.zone, "--json")
    assert revoked.json["anchor"] == session
    assert revoked.json["audit_id"].startswith("aud_")
    refused = shop.as_agent(*arguments)
    assert refused.code == 3
    assert "SESSION_NOT_ACTIVE" in refused.line
    explained = dev.run("audit", "explain", issued["audit_id"], "--zone", shop.zone, "--json").json
    assert (explained["alive"], explained["dead_by"]) == (False, session)


def test_only_ids_can_be_revoked(dev: Dev, shop: Shop) -> None:
    """Anything else is wrong usage; what the zone does not have is not found."""
    assert dev.run("revoke", "everything", "--zone", shop.zone).code == 2
    nobody = "ses_01h455vb4pex5vsknk084sn02q"
    ended = dev.run("revoke", nobody, "--zone", shop.zone)
    assert ended.code == 3
    assert "OBJECT_NOT_FOUND" in ended.line
