"""The token endpoint: the same exchange as over gRPC, in the words of OAuth."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from caracal_grpc.cli.audit.proof_file import evidence
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.http.oauth_error import OAUTH_ERROR_OF
from caracal_grpc.ledger.checks.verify import verify_receipt
from tests.authority.approvals import desk as approvals
from tests.http.desk import Desk
from tests.http.port import ACCESS_TOKEN, EXCHANGE, JWT, Port, told
from tests.support.mutual import claims
from tests.support.shop import CARACAL, ORDERS, PAYMENTS, STOCK


async def test_application_gets_a_mandate_for_itself(port: Port) -> None:
    """RFC 6749 section 4.4: the token with its type, life and scopes; nobody may keep it."""
    answered = await port.token("agent", ORDERS, ttl=60)
    answer = told(answered)
    said = claims(answer["access_token"])
    assert answered.header("cache-control") == "no-store"
    assert answer["token_type"] == "Bearer"
    assert answer["issued_token_type"] == ACCESS_TOKEN
    assert 58 <= answer["expires_in"] <= 60
    assert answer["scope"] == said["scope"] == "orders:cancel orders:place"
    assert said["iss"] == "https://a.example/zones/shop"
    assert (answer["jti"], answer["audit_id"]) == (said["jti"], said["audit_id"])


async def test_mandate_is_exchanged_on_behalf_of_its_subject(port: Port) -> None:
    """RFC 8693: who acts is in `act`, for whom is in `sub`."""
    subject = await port.mandate("agent", ORDERS)
    answered = await port.exchanged("orders", PAYMENTS, subject, requested_token_type=JWT)
    said = claims(told(answered)["access_token"])
    orders = port.client("orders")["client_id"]
    assert told(answered)["issued_token_type"] == JWT
    assert said["sub"] == claims(subject)["sub"]
    assert said["act"] == {"sub": orders}
    assert said["aud"] == [PAYMENTS]


async def test_it_is_in_the_ledger_as_any_other(desk: Desk) -> None:
    """One use case: the entry says who asked, and from where."""
    answer = told(await desk.port.token("agent", ORDERS))
    entry = await desk.rig.last()
    assert (entry.id, entry.type, entry.decision) == (answer["audit_id"], "exchange", "allow")
    assert entry.peer.startswith("ipv4:127.0.0.1:")


async def test_receipt_comes_with_the_mandate(desk: Desk) -> None:
    """When it is asked for: the JSON that is checked offline, of the very decision."""
    answer = told(await desk.port.token("agent", ORDERS, receipt="true"))
    kept = evidence(answer["receipt"])
    assert kept is not None
    key = desk.rig.authority.proving.proofs.key("shop")
    assert verify_receipt(kept, verifier_key=key, verify=verify_ed25519).ok
    assert json.loads(kept.canonical)["id"] == answer["audit_id"]
    assert "receipt" not in told(await desk.port.token("agent", ORDERS))


async def test_header_authenticates(port: Port) -> None:
    """client_secret_basic, with or without `client_id` beside it."""
    form: dict[str, Any] = {"grant_type": "client_credentials", "resource": ORDERS}
    for more in ({}, {"client_id": port.client("agent")["client_id"]}):
        answered = await port.post("/token", form | more, port.basic("agent"))
        assert answered.status == 200, answered


@pytest.mark.parametrize("odd", ["%00", "%ff", "%0d%0a", "%c3%a9", "", ":", "x" * 5_000])
@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
async def test_header_with_anything_in_it_is_a_wrong_secret(
    port: Port, path: str, odd: str
) -> None:
    """Whatever its escapes stand for, as the name, too."""
    application, secret = port.credentials("shop", "agent")
    form = {"grant_type": "client_credentials", "resource": ORDERS, "token": "x"}
    for text in (f"{application}:{odd}", f"{application}{odd or 'x'}:{secret}"):
        header = "Basic " + base64.b64encode(text.encode()).decode()
        answered = await port.post(path, form, ("authorization", header))
        assert (answered.status, told(answered)["error"]) == (401, "invalid_client"), answered


async def test_audience_names_the_resource_as_well(port: Port) -> None:
    """RFC 8693 section 2.1 has both, and one of them is enough."""
    form = {"grant_type": "client_credentials", "audience": ORDERS, **port.client("agent")}
    answered = await port.post("/token", form)
    assert claims(told(answered)["access_token"])["aud"] == [ORDERS]


async def test_session_and_request_id_mean_the_same(port: Port) -> None:
    """The same request id is the same mandate; a session is acted in."""
    first = claims(await port.mandate("agent", ORDERS, request_id="one"))
    second = claims(await port.mandate("agent", ORDERS, request_id="one"))
    assert first["jti"] == second["jti"]
    session = first["sid"]
    assert claims(await port.mandate("agent", ORDERS, session_id=session))["sid"] == session


async def test_actor_token_names_the_session(port: Port) -> None:
    """RFC 8693 section 2.1, with its type."""
    subject = await port.mandate("agent", ORDERS)
    own = await port.mandate("orders", CARACAL)
    more = {"actor_token": own, "actor_token_type": ACCESS_TOKEN}
    answered = await port.exchanged("orders", PAYMENTS, subject, **more)
    assert claims(told(answered)["access_token"])["sid"] == claims(own)["sid"]


async def test_held_request_names_its_approval(port: Port) -> None:
    """RFC 8628's word for it; the same request waits for the same approval."""
    answers = [await port.token("agent", PAYMENTS, scope="payments:refund") for _ in range(2)]
    told_each = [told(answered) for answered in answers]
    assert [answered.status for answered in answers] == [400, 400]
    assert {each["error"] for each in told_each} == {"authorization_pending"}
    (approval,) = {each["metadata"]["approval_id"] for each in told_each}
    again = await port.token("agent", PAYMENTS, scope="payments:refund", approval_id=approval)
    assert told(again)["metadata"]["approval_id"] == approval


async def test_approval_releases_the_request_once(desk: Desk) -> None:
    """Rejected and used up are told apart from what still waits."""
    rig, port = await approvals.guard(desk.rig), desk.port
    held = await approvals.held(rig)
    await approvals.review(rig, held)
    asked = {"scope": approvals.REFUND, "approval_id": held.id}
    said = claims(await port.mandate("agent", PAYMENTS, **asked))
    assert said["approval_id"] == held.id
    assert told(await port.token("agent", PAYMENTS, **asked))["error"] == "invalid_grant"
    other = await approvals.held(rig)
    await approvals.reject(rig, other)
    answered = await port.token("agent", PAYMENTS, **asked | {"approval_id": other.id})
    assert told(answered)["error"] == "access_denied"


APPLICATION = "app_01h455vb4pex5vsknk084sn02q"

BAD: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "no grant": ({"grant_type": None}, 400, "invalid_request", "FIELD_INVALID"),
    "another grant": ({"grant_type": "password"}, 400, "unsupported_grant_type", "FIELD_INVALID"),
    "no subject": ({"grant_type": EXCHANGE}, 400, "invalid_request", "FIELD_INVALID"),
    "subject for oneself": (
        {"subject_token": "x", "subject_token_type": JWT},
        400,
        "invalid_request",
        "FIELD_INVALID",
    ),
    "type without its token": ({"subject_token_type": JWT}, 400, "invalid_request", ""),
    "subject without its type": (
        {"grant_type": EXCHANGE, "subject_token": "x"},
        400,
        "invalid_request",
        "FIELD_INVALID",
    ),
    "subject of another type": (
        {
            "grant_type": EXCHANGE,
            "subject_token": "x",
            "subject_token_type": "urn:ietf:params:oauth:token-type:saml2",
        },
        400,
        "invalid_request",
        "FIELD_INVALID",
    ),
    "broken subject": (
        {"grant_type": EXCHANGE, "subject_token": "x", "subject_token_type": JWT},
        400,
        "invalid_request",
        "SUBJECT_TOKEN_INVALID",
    ),
    "actor alone": ({"actor_token": "x", "actor_token_type": JWT}, 400, "invalid_request", ""),
    "refresh token": (
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        400,
        "invalid_request",
        "FIELD_INVALID",
    ),
    "no resource": ({"resource": None}, 400, "invalid_target", "FIELD_INVALID"),
    "two resources": ({"resource": [ORDERS, STOCK]}, 400, "invalid_target", "FIELD_INVALID"),
    "resource and another audience": ({"audience": STOCK}, 400, "invalid_target", ""),
    "no resource at all": ({"resource": "orders"}, 400, "invalid_target", "FIELD_INVALID"),
    "unknown resource": ({"resource": "resource://moon"}, 400, "invalid_target", ""),
    "empty scope": ({"scope": "orders:place  "}, 400, "invalid_scope", "FIELD_INVALID"),
    "scope not granted": ({"scope": "orders:track"}, 400, "", ""),
    "ttl no number": ({"ttl": "-1"}, 400, "invalid_request", "FIELD_INVALID"),
    "ttl a digit of no number": ({"ttl": "\u00b2"}, 400, "invalid_request", "FIELD_INVALID"),
    "ttl too long a number": ({"ttl": "9" * 13}, 400, "invalid_request", "FIELD_INVALID"),
    "ttl past a duration": ({"ttl": "9" * 12}, 400, "invalid_request", "FIELD_INVALID"),
    "flag of another kind": ({"bind": "yes"}, 400, "invalid_request", "FIELD_INVALID"),
    "receipt of another kind": ({"receipt": "1"}, 400, "invalid_request", "FIELD_INVALID"),
    "bound without a certificate": ({"bind": "true"}, 400, "invalid_request", "FIELD_INVALID"),
    "session no id": ({"session_id": "mine"}, 400, "invalid_request", "FIELD_INVALID"),
    "approval no id": ({"approval_id": "mine"}, 400, "invalid_request", "FIELD_INVALID"),
    "no client": ({"client_id": None, "client_secret": None}, 401, "invalid_client", ""),
    "no proof": ({"client_secret": None}, 401, "invalid_client", "FIELD_INVALID"),
    "client no id": ({"client_id": "me"}, 401, "invalid_client", "FIELD_INVALID"),
    "unknown client": ({"client_id": APPLICATION}, 401, "invalid_client", "CLIENT_AUTH_FAILED"),
    "wrong secret": ({"client_secret": "x"}, 401, "invalid_client", "CLIENT_AUTH_FAILED"),
    "secret too long": ({"client_secret": "x" * 129}, 401, "invalid_client", ""),
    "assertion without its type": ({"client_assertion": "x.y.z"}, 400, "invalid_request", ""),
    "two proofs": (
        {
            "client_assertion": "x.y.z",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        },
        400,
        "invalid_request",
        "FIELD_INVALID",
    ),
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_request_is_told_by_rfc_6749(port: Port, case: str) -> None:
    """An error of its registry, a text without quotes, and our reason beside."""
    changes, status, error, reason = BAD[case]
    form = {"grant_type": "client_credentials", "resource": ORDERS, **port.client("agent")}
    sent = {name: value for name, value in (form | changes).items() if value is not None}
    answered = await port.post("/token", sent)
    answer = told(answered)
    assert (answered.status, error or answer["error"]) == (status, answer["error"])
    assert answer["reason"] == (reason or answer["reason"])
    assert '"' not in answer["error_description"]
    assert answered.header("cache-control") == "no-store"
    assert bool(answered.header("www-authenticate")) is (status == 401)
    assert form["client_secret"] not in answered.body.decode()


async def test_refusal_is_recorded(port: Port) -> None:
    """As over gRPC, with the id of its entry."""
    answer = told(await port.token("agent", ORDERS, scope="orders:track"))
    assert answer["error"] == "access_denied"
    assert answer["reason"] == Reason.POLICY_DENIED
    assert answer["metadata"]["audit_id"].startswith("aud_")


async def test_unknown_zone_reads_as_a_wrong_secret(port: Port) -> None:
    """No client of it can authenticate."""
    form = {"grant_type": "client_credentials", "resource": ORDERS, **port.client("agent")}
    answered = await port.post("/token", form, zone="moon")
    assert (answered.status, told(answered)["error"]) == (401, "invalid_client")


def test_every_reason_has_an_error() -> None:
    """And each is of a registry (RFC 6749, RFC 8628, RFC 8707)."""
    assert OAUTH_ERROR_OF.keys() == set(Reason)
    assert set(OAUTH_ERROR_OF.values()) <= {
        "access_denied",
        "authorization_pending",
        "expired_token",
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "invalid_target",
        "temporarily_unavailable",
    }
