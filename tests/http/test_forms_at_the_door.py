"""What forms the endpoints take at all, and that no form is a fault of ours."""

from __future__ import annotations

import random
from urllib.parse import urlencode

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.http.oauth_error import OAUTH_ERROR_OF
from tests.http.desk import Desk
from tests.http.port import ACCESS_TOKEN, EXCHANGE, Port, told
from tests.support.raw_http import exchange
from tests.support.shop import ORDERS, PAYMENTS

PATHS = ("/token", "/introspect", "/revoke")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "kind",
    ["application/json", "multipart/form-data; boundary=x", "text/plain", "", "x"],
)
async def test_only_forms_are_read(port: Port, path: str, kind: str) -> None:
    """By their type, before they are parsed."""
    answered = await port.post(path, port.client("agent"), ("content-type", kind))
    assert (answered.status, told(answered)["error"]) == (400, "invalid_request")


async def test_charset_may_be_named(port: Port) -> None:
    """Many clients do."""
    kind = ("content-type", "application/x-www-form-urlencoded; charset=UTF-8")
    form = {"grant_type": "client_credentials", "resource": ORDERS, **port.client("agent")}
    assert (await port.post("/token", form, kind)).status == 200


@pytest.mark.parametrize("path", PATHS)
async def test_url_has_no_parameters(port: Port, path: str) -> None:
    """They would be kept where URLs are."""
    answered = await port.post(f"{path}?{urlencode(port.client('agent'))}", b"")
    assert (answered.status, told(answered)["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("path", PATHS)
async def test_endpoints_take_no_other_method(port: Port, path: str) -> None:
    """RFC 6749 section 3.2: POST."""
    assert (await port.get(f"/zones/shop{path}")).status == 405
    answered = await exchange(port.address, "DELETE", f"/zones/shop{path}")
    assert answered.status == 405


async def test_draining_authority_takes_no_work(desk: Desk) -> None:
    """Another replica does; keys are still told."""
    desk.drain.close()
    answered = await desk.port.token("agent", ORDERS)
    assert (answered.status, told(answered)["reason"]) == (503, Reason.DRAINING)
    assert answered.header("retry-after") == "1"
    assert (await desk.port.get("/zones/shop/.well-known/jwks.json")).status == 200


VALUES = (
    "",
    "x",
    "true",
    "-1",
    "9" * 13,
    "\x00",
    "é",
    "resource://orders",
    "resource://*",
    "app_01h455vb4pex5vsknk084sn02q",
    "ses_01h455vb4pex5vsknk084sn02q",
    "a.b.c",
    "a" * 5_000,
    "client_credentials",
    EXCHANGE,
    ACCESS_TOKEN,
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
)
ERRORS = {*OAUTH_ERROR_OF.values(), "unsupported_grant_type"}
NAMES = (
    "grant_type",
    "resource",
    "audience",
    "scope",
    "subject_token",
    "subject_token_type",
    "actor_token",
    "actor_token_type",
    "requested_token_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "session_id",
    "request_id",
    "approval_id",
    "lease_generation",
    "ttl",
    "bind",
    "token",
    "token_type_hint",
    "unknown",
)


async def test_any_form_is_answered_or_refused(desk: Desk) -> None:
    """Good forms with anything in them, whole or broken: a typed refusal, never a fault."""
    desk.rig.authority.clients._failures.of("shop").resize(1e9, 1e9)
    port, dice = desk.port, random.Random(11)  # noqa: S311 - the same forms each time
    subject = await port.mandate("agent", ORDERS)
    good = {
        "grant_type": EXCHANGE,
        "resource": PAYMENTS,
        "subject_token": subject,
        "subject_token_type": ACCESS_TOKEN,
        "token": subject,
        **port.client("orders"),
    }
    seen: set[int] = set()
    for number in range(400):
        form = dict(good)
        for _ in range(dice.randrange(4)):
            form[dice.choice(NAMES)] = dice.choice(VALUES)
        body = bytearray(urlencode(form).encode())
        if number % 4 == 0:
            body[dice.randrange(len(body))] = dice.randrange(256)
        answered = await port.post(dice.choice(PATHS[:2]), bytes(body))
        seen.add(answered.status)
        if answered.status != 200:
            answer = told(answered)
            assert answer["error"] in ERRORS
            assert Reason(answer["reason"])
            assert desk.port.client("orders")["client_secret"] not in answered.body.decode()
    assert seen == {200, 400, 401}
