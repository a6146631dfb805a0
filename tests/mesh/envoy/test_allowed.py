"""What may go on goes on, whatever it is: the service has no code of ours."""

from __future__ import annotations

import json

import pytest

from tests.mesh.envoy.conftest import Granted
from tests.support.authority import Running, bearer, eventually
from tests.support.grpc_web import web_call
from tests.support.mesh import LIST, PING, PLACE, SUM, TALK, Sidecar
from tests.support.mutual import claims
from tests.support.shop import ORDERS

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORGED = (
    ("x-caracal-application", "app_01h455vb4pex5vsknk084sn02q"),
    ("x-caracal-subject", "app_01h455vb4pex5vsknk084sn02q"),
    ("x-caracal-scopes", "orders:cancel"),
    ("x-caracal-decision-id", "forged"),
    ("x-caracal-verified", "true"),
    ("x-caracal-anything", "forged"),
    ("x-forwarded-client-cert", "URI=spiffe://forged"),
)


async def test_a_unary_call(orders: Sidecar, granted: Granted) -> None:
    """With a mandate that permits it, it reaches the service and is answered."""
    assert await orders.call(await granted(), PLACE) == b"tea"


async def test_streams(orders: Sidecar, granted: Granted) -> None:
    """Of responses, of requests and of both."""
    metadata = bearer(await granted())

    async def requests() -> object:
        for each in (b"a", b"b", b"c"):
            yield each

    channel = orders.channel
    listed = channel.unary_stream(LIST)(b"abc", metadata=metadata, timeout=60)
    assert [each async for each in listed] == [b"a", b"b", b"c"]
    assert await channel.stream_unary(SUM)(requests(), metadata=metadata, timeout=60) == b"abc"
    talk = channel.stream_stream(TALK)(requests(), metadata=metadata, timeout=60)
    assert [each async for each in talk] == [b"a", b"b", b"c"]


async def test_grpc_web(orders: Sidecar, granted: Granted) -> None:
    """As from a browser: it is the same method, by the same rule."""
    shown = (("Authorization", f"Bearer {await granted()}"),)
    answer = await web_call(orders.envoy.address(), PLACE, b"tea", shown)
    assert (answer.http_status, answer.status, answer.messages) == (200, 0, [b"tea"])


async def test_plain_http(orders: Sidecar, granted: Granted) -> None:
    """By its route."""
    answer = await orders.http(await granted(), "GET", "/orders/o-17?full=yes")
    assert (answer.status, json.loads(answer.body)) == (200, {"path": "/orders/o-17?full=yes"})


async def test_what_is_public_needs_no_mandate(orders: Sidecar) -> None:
    """And its service is told nothing of who calls, whatever the caller says."""
    assert await orders.call("", PING, *FORGED) == b"tea"
    assert not {name for name in orders.service.seen[-1].names if "caracal" in name}
    assert (await orders.http("", "GET", "/about", FORGED)).status == 200
    assert not {name for name in orders.web.requests[-1].headers if "caracal" in name}


async def test_the_service_is_told_who_calls(orders: Sidecar, granted: Granted) -> None:
    """By headers that only the sidecar sets: what the caller says of itself is gone."""
    token = await granted()
    said = claims(token)
    expected = {
        "x-caracal-application": said["client_id"],
        "x-caracal-subject": said["sub"],
        "x-caracal-scopes": "orders:place",
        "x-caracal-resource": ORDERS,
        "x-caracal-mandate-id": said["jti"],
        "x-caracal-decision-id": said["audit_id"],
    }
    await orders.call(token, PLACE, *FORGED)
    seen = orders.service.seen[-1]
    assert {name: seen.all(name) for name in expected} == {
        name: [value] for name, value in expected.items()
    }
    assert {name for name in seen.names if "caracal" in name} == expected.keys()
    await orders.http(token, "GET", "/orders/o-1", FORGED)
    headers = orders.web.requests[-1].headers
    assert {name: value for name, value in headers.items() if "caracal" in name} == expected
    assert "spiffe://forged" not in str(orders.web.requests[-1].headers)


async def test_the_caller_learns_by_what_it_was_decided(orders: Sidecar, granted: Granted) -> None:
    """The answer has the id of the entry that explains it, and so has the access log."""
    token = await granted()
    decision = claims(token)["audit_id"]
    assert decision.startswith("aud_")
    call = orders.channel.unary_unary(PLACE)(b"tea", metadata=bearer(token), timeout=60)
    assert (await call.initial_metadata())["x-caracal-decision-id"] == decision
    assert (await orders.http(token, "GET", "/orders/o-2")).header(
        "x-caracal-decision-id"
    ) == decision

    async def logged() -> bool:
        lines = [each for each in orders.envoy.access_log if each["decision_id"] == decision]
        return [each["decision"] for each in lines] == ["allow", "allow"]

    await eventually(logged)


async def test_the_service_can_pass_the_mandate_on(
    orders: Sidecar, granted: Granted, served: Running
) -> None:
    """It is the one that came, so that the service acts on behalf of its caller."""
    token = await granted()
    await orders.call(token)
    assert orders.service.seen[-1].all("authorization") == [f"Bearer {token}"]


async def test_no_token_is_in_a_log(orders: Sidecar, granted: Granted) -> None:
    """Of the proxy, or of the process that it asks; nor what is in a query."""
    token = await granted()
    await orders.call(token)
    await orders.http(token, "GET", "/orders/o-3?key=in-the-query")
    decision = claims(token)["audit_id"]

    async def written() -> bool:
        return sum(each["decision_id"] == decision for each in orders.envoy.access_log) == 2

    await eventually(written)  # Envoy writes it in pieces
    log = orders.mesh.log + orders.envoy.logs
    assert token not in log
    assert "in-the-query" not in log
