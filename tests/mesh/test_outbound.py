"""The way out: whose authority a request of the application has, and that it has no other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.testing import ThrowawayAuthority
from tests.interceptors.support import eventually
from tests.mesh.asking import envoy, grpc_web, http
from tests.mesh.desk import allowed, headers, refusal, told
from tests.mesh.swapping import (
    CHARGE,
    OURS,
    THEIRS,
    kit,
    outgoing,
    route,
    upstream,
)

THUMBPRINT = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"


@pytest.mark.parametrize("shape", [envoy, grpc_web])
async def test_the_mandate_of_the_caller_is_swapped(shape: Any) -> None:
    """For one for the upstream and for the scopes of the method; nothing of the first is left."""
    made = kit()
    inbound = made.inbound()
    answer = await made.out(token=inbound, shape=shape)
    ask = made.exchange.asks[0]
    assert (ask.resource, ask.scopes, ask.subject_token) == (
        THEIRS,
        frozenset({"payments:charge"}),
        inbound,
    )
    assert headers(answer)["authorization"] == f"Bearer {made.exchange.granted[0]}"
    assert inbound not in str(answer)
    assert "authorization" not in answer.ok_response.headers_to_remove
    assert told(answer)["decision_id"].startswith("aud_")


async def test_a_route_of_plain_http_names_its_resource() -> None:
    """By a variable of the path; the mandate is for that one and no other."""
    rule = {"resource": "resource://invoices/{id}", "scopes": ["invoices:read"]}
    routes = [route("/invoices/{id}", rule, hosts=["billing.test"])]
    served = upstream(
        hosts=frozenset({"billing.test"}), resources=frozenset({"resource://invoices/*"})
    )
    made = kit(routes=routes, upstreams=[served])
    token = made.inbound()
    for path in ("/invoices/i-1", "/invoices/i-2"):
        assert allowed(await made.out(path, token, host="billing.test", shape=http))
    asked = [ask.resource for ask in made.exchange.asks]
    assert asked == ["resource://invoices/i-1", "resource://invoices/i-2"]


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"resource": THEIRS}, Reason.AUDIENCE_MISMATCH),
        ({"resource": "resource://orders/o-1"}, Reason.AUDIENCE_MISMATCH),
        ({"use": "session"}, Reason.USE_MISMATCH),
        ({"age": 600}, Reason.MANDATE_EXPIRED),
        ({"zone": "other"}, Reason.ZONE_MISMATCH),
        ({"issuer": "https://else.example/zones/test"}, Reason.ISSUER_MISMATCH),
        ({"forged": True}, Reason.MANDATE_SIGNATURE_INVALID),
        ({"binding": THUMBPRINT}, Reason.BINDING_MISMATCH),
        ({"scopes": ""}, Reason.SCOPE_INSUFFICIENT),
    ],
)
async def test_only_a_good_mandate_for_us_is_exchanged(claims: Any, reason: Reason) -> None:
    """Anything else is refused here, recorded, and the authority never hears of it."""
    made = kit()
    answer = await made.out(token=made.inbound(**claims))
    assert refusal(answer).reason is reason
    assert made.exchange.asks == []
    assert [(each.method, each.reason) for each in made.decisions] == [(CHARGE, reason.value)]
    assert told(answer)["decision_id"] == made.decisions[0].id


async def test_a_mandate_of_somebody_elses_authority_is_no_mandate() -> None:
    """Its key is unknown."""
    made = kit()
    strange = ThrowawayAuthority("shop").mandate(resource=OURS, scopes="orders:place")
    assert refusal(await made.out(token=strange)).reason is Reason.KEY_UNKNOWN
    assert made.exchange.asks == []


async def test_a_family_that_we_serve_is_ours() -> None:
    """Each resource of it, and not the family of another."""
    made = kit(resources=["resource://orders/*"])
    assert allowed(await made.out(token=made.inbound(resource="resource://orders/o-1")))
    other = made.inbound(resource="resource://others/o-1")
    assert refusal(await made.out(token=other)).reason is Reason.AUDIENCE_MISMATCH


async def test_a_revoked_caller_is_refused_though_the_mandate_is_cached() -> None:
    """What was exchanged for it lies in the book and goes nowhere any more."""
    made = kit()
    grant = made.authority.grant(resource=OURS, scopes="orders:place")
    token = made.authority.sign(grant)
    assert allowed(await made.out(token=token))
    made.feed.revoke(grant.session)
    assert refusal(await made.out(token=token)).reason is Reason.MANDATE_REVOKED


async def test_a_caller_that_dies_while_it_waits_is_refused() -> None:
    """The verdict is of the moment that the request goes on, however long the exchange took."""
    made = kit()
    made.exchange.held = asyncio.Event()
    grant = made.authority.grant(resource=OURS, scopes="orders:place")
    asking = asyncio.create_task(made.out(token=made.authority.sign(grant)))
    await eventually(lambda: bool(made.exchange.asks))
    made.feed.revoke(grant.jti)
    made.exchange.held.set()
    assert refusal(await asking).reason is Reason.MANDATE_REVOKED


async def test_without_news_of_the_authority_nothing_goes_on() -> None:
    """Not even with mandates that are good for minutes."""
    made = kit()
    token = made.inbound()
    assert allowed(await made.out(token=token))
    made.feed.go_stale()
    assert refusal(await made.out(token=token)).reason is Reason.AUTHORITY_STALE
    made.feed.come_back()
    assert allowed(await made.out(token=token))


async def test_without_a_caller_the_request_is_refused() -> None:
    """A caller that was lost must not turn into the workload itself."""
    made = kit()
    assert refusal(await made.out()).reason is Reason.MANDATE_MISSING
    assert made.exchange.asks == []


@pytest.mark.parametrize("given", ["", "Basic dXM6dGhlbQ==", "Bearer ", "Bearer x", "garbage"])
@pytest.mark.parametrize("on_behalf", ["required", "optional"])
async def test_what_is_no_mandate_is_not_nothing(given: str, on_behalf: Any) -> None:
    """An authorization of any kind says that there is a caller: nobody acts as the workload."""
    made = kit(upstreams=[upstream(on_behalf=on_behalf)])
    answer = await made.out(headers=[("authorization", given)])
    assert refusal(answer).reason in {Reason.MANDATE_MISSING, Reason.MANDATE_MALFORMED}
    assert made.exchange.asks == []


async def test_the_workload_acts_for_itself_where_it_may() -> None:
    """With "optional" when nobody calls, and on behalf of whoever does."""
    made = kit(upstreams=[upstream(on_behalf="optional")])
    token = made.inbound()
    assert allowed(await made.out())
    assert allowed(await made.out(token=token))
    assert [ask.subject_token for ask in made.exchange.asks] == [None, token]


async def test_never_is_on_behalf_of_nobody() -> None:
    """Whatever the application hands on is replaced, and not even looked at."""
    made = kit(upstreams=[upstream(on_behalf="never")])
    for token in ("", "not a mandate", made.inbound()):
        answer = await made.out(token=token)
        assert headers(answer)["authorization"] == f"Bearer {made.exchange.granted[0]}"
    assert [ask.subject_token for ask in made.exchange.asks] == [None]


async def test_a_public_method_gets_no_mandate_and_sees_none() -> None:
    """That of our caller is for us."""
    made = kit()
    answer = await made.out("/shop.v1.Payments/About", made.inbound())
    assert "authorization" not in headers(answer)
    assert "authorization" in answer.ok_response.headers_to_remove
    assert told(answer)["decision_id"].startswith("aud_")
    assert made.exchange.asks == []


async def test_what_came_in_does_not_go_out() -> None:
    """An application that hands on every header hands on whom it was called by, and where to."""
    made = kit()
    said = [
        ("x-caracal-subject", "usr_1"),
        ("x-caracal-scopes", "orders:place"),
        ("x-forwarded-client-cert", "URI=spiffe://mesh.test/agent"),
        ("x-envoy-original-dst-host", "10.0.0.9:443"),
        ("baggage", "caracal.subject=usr_1,tea=green"),
        ("x-tea", "green"),
    ]
    answer = await made.out(token=made.inbound(), headers=said)
    gone = set(answer.ok_response.headers_to_remove)
    assert gone >= {
        "x-caracal-subject",
        "x-caracal-scopes",
        "x-forwarded-client-cert",
        "x-envoy-original-dst-host",
    }
    assert "x-tea" not in gone
    assert headers(answer)["baggage"] == "tea=green"


async def test_a_stream_ends_with_its_mandate() -> None:
    """The proxy is told how long it lives, and no caller makes that longer."""
    made = kit()
    answer = await made.out(token=made.inbound(), headers=[("grpc-timeout", "1H")])
    assert headers(answer)["grpc-timeout"] != "1H"
    assert told(answer)["cache_seconds"] == 0


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", ""])
async def test_a_stream_ends_with_its_mandate_whatever_it_says_that_it_is(
    content_type: str,
) -> None:
    """Servers of gRPC look at the path alone; what they drop of large metadata they drop, too."""
    made = kit()
    token = made.inbound()
    answer = await made.out(token=token, content_type=content_type)
    assert headers(answer)["grpc-timeout"].endswith("m")
    large = [("x-large", "a" * 8_000)]
    answer = await made.out(token=token, content_type=content_type, headers=large)
    assert refusal(answer).reason is Reason.METADATA_TOO_LARGE


@pytest.mark.parametrize("verb", ["CONNECT", "TRACE"])
async def test_what_opens_a_way_past_the_proxy_gets_no_mandate(verb: str) -> None:
    """Nor does an upgrade."""
    rule = {"resource": THEIRS, "scopes": ["payments:charge"]}
    made = kit(routes=[route("/charges", rule, methods=["*"])])
    token = made.inbound()
    upgrade = [("connection", "Upgrade"), ("upgrade", "websocket")]
    for more in ({"verb": verb}, {"headers": upgrade}):
        answer = await made.out("/charges", token, shape=http, **more)
        assert refusal(answer).reason is Reason.FIELD_INVALID
    assert made.exchange.asks == []
    assert [each.reason for each in made.decisions] == ["FIELD_INVALID"] * 2


async def test_metadata_that_leaves_no_room_is_refused() -> None:
    """Services of gRPC drop what is too large, at random; others have their own limits."""
    rule = {"resource": THEIRS, "scopes": ["payments:read"]}
    made = kit(routes=[route("/payments", rule)])
    large = [("x-large", "x" * 6000)]
    answer = await made.out(token=made.inbound(), headers=large)
    assert refusal(answer).reason is Reason.METADATA_TOO_LARGE
    assert allowed(await made.out("/payments", made.inbound(), headers=large, shape=http))


async def test_no_token_is_in_a_repr(caplog: pytest.LogCaptureFixture) -> None:
    """Of an answer, of what is remembered, or in a log."""
    made = kit(correlate="traceparent")
    token = made.inbound()
    await made.come_in(token, ("traceparent", f"00-{'1' * 32}-{'2' * 16}-01"))
    await made.out(token=token)
    shown = repr(made.arrivals) + repr(vars(made.arrivals)) + caplog.text
    assert token not in shown
    assert made.exchange.granted[0] not in shown


def test_the_request_of_the_kit_is_one_of_the_way_out() -> None:
    """Else these tests would be of another."""
    assert outgoing().attributes.context_extensions["caracal"] == "outbound"
