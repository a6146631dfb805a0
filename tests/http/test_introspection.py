"""Introspection (RFC 7662) and revocation (RFC 7009): what is said of a token, and its end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.desk import Desk
from tests.http.port import Port, told
from tests.support.mutual import claims
from tests.support.shop import CARACAL, ORDERS, shop

INACTIVE = {"active": False}


async def test_live_mandate_is_told_as_it_is(port: Port) -> None:
    """Its claims, that it lives, and how it is presented, to any client of the zone."""
    token = await port.mandate("agent", ORDERS)
    for asks in ("agent", "payments"):
        found = await port.active(asks, token)
        assert found == {**claims(token), "active": True, "token_type": "Bearer"}


async def test_session_mandate_is_told_as_well(port: Port) -> None:
    """It is for the authority, and lives."""
    found = await port.active("agent", await port.mandate("agent", CARACAL))
    assert (found["active"], found["use"]) == (True, "session")


async def test_what_is_no_live_mandate_is_inactive(desk: Desk) -> None:
    """Malformed, altered, of another zone, ended: nothing more is said of any of them."""
    port = desk.port
    token = await port.mandate("agent", ORDERS)
    other = await port.mandate("operator", CARACAL, zone="caracal")
    for each in ("x", "a.b.c", token[:-3], token + "x", other, "x" * 10_000):
        assert await port.active("agent", each) == INACTIVE
    await desk.rig.advance(301)
    assert await port.active("agent", token) == INACTIVE


async def test_revoked_mandate_is_inactive(desk: Desk) -> None:
    """By whatever anchor it falls."""
    port, rig = desk.port, desk.rig
    token = await port.mandate("agent", ORDERS)
    assert rig.operator is not None
    await rig.authority.revocations.revoke(rig.operator, "shop", claims(token)["sid"], "a test")
    assert await port.active("payments", token) == INACTIVE


BAD: dict[str, tuple[dict[str, Any], int, str]] = {
    "nobody": ({"client_id": None, "client_secret": None}, 401, "invalid_client"),
    "wrong secret": ({"client_secret": "x"}, 401, "invalid_client"),
    "no proof": ({"client_secret": None}, 401, "invalid_client"),
    "no id": ({"client_id": "agent"}, 401, "invalid_client"),
    "no token": ({"token": ""}, 400, "invalid_request"),
}


@pytest.mark.parametrize("path", ["/introspect", "/revoke"])
@pytest.mark.parametrize("case", BAD)
async def test_only_clients_that_authenticate(port: Port, path: str, case: str) -> None:
    """Whoever else asks learns nothing and ends nothing."""
    changes, status, error = BAD[case]
    token = await port.mandate("agent", ORDERS)
    form = {"token": token, **port.client("agent")} | changes
    sent = {name: value for name, value in form.items() if value is not None}
    answered = await port.post(path, sent)
    assert (answered.status, told(answered)["error"]) == (status, error)
    assert (await port.active("agent", token))["active"]


@pytest.mark.parametrize("path", ["/introspect", "/revoke"])
async def test_failed_authentication_is_recorded(desk: Desk, path: str) -> None:
    """As what, from where, by what: never with the proof itself."""
    form = {"token": "x", **desk.port.client("agent"), "client_secret": "wrong-wrong"}
    answered = await desk.port.post(path, form)
    entry = await desk.rig.last()
    assert told(answered)["metadata"] == {"audit_id": entry.id}
    assert (entry.type, entry.decision) == (path.replace("/", "token."), "deny")
    assert (entry.reason, entry.application) == ("CLIENT_AUTH_FAILED", "")
    assert entry.details["method"] == "secret"
    assert entry.peer.startswith("ipv4:127.0.0.1:")
    assert "wrong-wrong" not in repr(entry)


async def test_clients_ask_no_more_often_than_they_exchange(desk: Desk) -> None:
    """By the rates of the zone."""
    limits = {"application_per_second": 1, "application_burst": 3}
    await desk.rig.apply(shop(settings={"limits": limits}))
    form = {"token": "x", **desk.port.client("agent")}
    answers = [await desk.port.post("/introspect", form) for _ in range(4)]
    assert [answered.status for answered in answers] == [200, 200, 200, 429]
    assert answers[-1].header("retry-after")


async def test_client_of_another_zone_cannot_ask(port: Port) -> None:
    """It is unknown there."""
    token = await port.mandate("agent", ORDERS)
    form = {"token": token, **port.client("operator", "caracal")}
    assert (await port.post("/introspect", form)).status == 401


async def test_stale_view_says_nothing(desk: Desk) -> None:
    """Rather than call alive what may be dead."""
    token = await desk.port.mandate("agent", ORDERS)
    await desk.lose_sight()
    form = {"token": token, **desk.port.client("agent")}
    answered = await desk.port.post("/introspect", form)
    assert (answered.status, told(answered)["reason"]) == (503, "AUTHORITY_STALE")


async def test_holder_revokes_its_mandate(desk: Desk) -> None:
    """At once and on the record; again is no error."""
    port = desk.port
    token, other = [await port.mandate("agent", ORDERS) for _ in range(2)]
    for _ in range(2):
        form = {"token": token, "token_type_hint": "access_token", **port.client("agent")}
        answered = await port.post("/revoke", form)
        assert (answered.status, answered.body) == (200, b"")
    assert await port.active("agent", token) == INACTIVE
    assert (await port.active("agent", other))["active"]
    (entry,) = [each for each in await desk.rig.entries() if each.type == "revocation"]
    assert entry.application == port.client("agent")["client_id"]
    assert entry.details["anchor"] == claims(token)["jti"]


async def test_nobody_revokes_the_mandate_of_another(port: Port) -> None:
    """Not even in the same zone: it lives on."""
    token = await port.mandate("agent", ORDERS)
    answered = await port.post("/revoke", {"token": token, **port.client("orders")})
    assert (answered.status, told(answered)["error"]) == (400, "invalid_request")
    assert (await port.active("agent", token))["active"]


async def test_revoking_what_is_no_token_is_no_error(port: Port) -> None:
    """RFC 7009 section 2.2: it is of no use to anybody already."""
    answered = await port.post("/revoke", {"token": "x", **port.client("agent")})
    assert answered.status == 200
