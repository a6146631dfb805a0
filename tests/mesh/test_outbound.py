"""The way out: whose authority a request of the application has, and that it has no other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import mandates
from caracal_grpc.interceptors.testing import ThrowawayAuthority
from tests.interceptors.support import eventually
from tests.mesh.asking import envoy, grpc_web, http
from tests.mesh.desk import Waiting, allowed, headers, refusal, told
from tests.mesh.swapping import (
    CHARGE,
    OURS,
    THEIRS,
    US,
    Kit,
    kit,
    outgoing,
    route,
    upstream,
)

STEP_UP = CaracalError(
    Reason.STEP_UP_REQUIRED,
    "policy asks for an approval first",
    metadata={"approval_id": "apr_01h455vb4pex5vsknk084sn02q", "audit_id": "aud_7"},
)
APPROVAL = "apr_01h455vb4pex5vsknk084sn02q"
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


async def test_the_same_is_exchanged_once() -> None:
    """A mandate serves as long as it lives; another caller gets another."""
    made = kit()
    first, second = made.inbound(), made.inbound()
    answers = [await made.out(token=token) for token in (first, first, second)]
    said = [headers(answer)["authorization"] for answer in answers]
    assert len(made.exchange.asks) == 2
    assert said[0] == said[1] != said[2]


async def test_a_proxy_that_asks_again_meanwhile_shares_the_exchange() -> None:
    """A slow authority is asked once, however often the proxy gives up and asks."""
    made = kit()
    made.exchange.held = asyncio.Event()
    token = made.inbound()
    asking = [asyncio.create_task(made.out(token=token)) for _ in range(3)]
    await eventually(lambda: bool(made.exchange.asks))
    asking[0].cancel()
    made.exchange.held.set()
    assert all(map(allowed, await asyncio.gather(*asking[1:])))
    assert len(made.exchange.asks) == 1


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


async def test_a_revoked_mandate_of_ours_is_replaced() -> None:
    """Once; when the fresh one is dead, too, the request is refused."""
    made = kit()
    token = made.inbound()
    await made.out(token=token)
    made.feed.revoke(_jti(made, 0))
    answer = await made.out(token=token)
    assert headers(answer)["authorization"] == f"Bearer {made.exchange.granted[1]}"
    made.feed.revoke(US)
    made.time.advance(2)
    assert refusal(await made.out(token=token)).reason is Reason.MANDATE_REVOKED
    assert len(made.exchange.asks) == 3


def _jti(made: Kit, number: int) -> str:
    return mandates.read(made.exchange.granted[number], made.feed.keys).jti


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"resource": "resource://stock"}, Reason.AUDIENCE_MISMATCH),
        ({"scopes": ["payments:refund"]}, Reason.SCOPE_INSUFFICIENT),
        ({"binding": THUMBPRINT}, Reason.BINDING_MISMATCH),
    ],
)
async def test_what_the_upstream_would_refuse_does_not_go_on(
    changes: dict[str, Any], reason: Reason
) -> None:
    """An authority that answers with something else gets nothing of it to an upstream."""
    made = kit()
    made.exchange.changes = changes
    assert refusal(await made.out(token=made.inbound())).reason is reason


async def test_bound_mandates_are_bound_to_our_certificate() -> None:
    """Asked for so, and verified so."""
    made = kit(binding=THUMBPRINT)
    assert allowed(await made.out(token=made.inbound()))
    assert made.exchange.asks[0].binding == THUMBPRINT


async def test_without_news_of_the_authority_nothing_goes_on() -> None:
    """Not even with mandates that are good for minutes."""
    made = kit()
    token = made.inbound()
    assert allowed(await made.out(token=token))
    made.feed.go_stale()
    assert refusal(await made.out(token=token)).reason is Reason.AUTHORITY_STALE
    made.feed.come_back()
    assert allowed(await made.out(token=token))


async def test_a_refused_exchange_is_told_as_the_authority_told_it() -> None:
    """Its reason, its metadata and its entry in the ledger; nothing is recorded twice."""
    made = kit()
    made.exchange.refusals.append(STEP_UP)
    answer = await made.out(token=made.inbound())
    told_refusal = refusal(answer)
    assert told_refusal.reason is Reason.STEP_UP_REQUIRED
    assert told_refusal.metadata["approval_id"] == APPROVAL
    assert told(answer)["decision_id"] == "aud_7"
    assert made.decisions == []


async def test_an_approval_goes_along_with_the_request_that_names_it() -> None:
    """The application repeats the request with it; the upstream never sees it."""
    made = kit()
    token = made.inbound()
    answer = await made.out(token=token, headers=[("x-caracal-approval", APPROVAL)])
    assert made.exchange.asks[0].approval == APPROVAL
    assert "x-caracal-approval" in answer.ok_response.headers_to_remove
    assert allowed(await made.out(token=token))
    assert len(made.exchange.asks) == 1, "what the approval gave serves without it"


@pytest.mark.parametrize("given", ["apr_1", "app_01h455vb4pex5vsknk084sn02q", "x" * 5000])
async def test_what_is_no_approval_is_refused(given: str) -> None:
    """Before anybody is asked."""
    made = kit()
    answer = await made.out(token=made.inbound(), headers=[("x-caracal-approval", given)])
    assert refusal(answer).reason is Reason.FIELD_INVALID
    assert made.exchange.asks == []


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


async def test_an_exchange_is_waited_for_in_time_to_refuse() -> None:
    """By that name, in the ledger; the exchange goes on, for the next one."""
    made = kit()
    made.exchange.held = asyncio.Event()
    token = made.inbound()
    answer = await made.servicer.Check(outgoing(token=token), Waiting(0.05))
    assert "no mandate could be had in time" in refusal(answer).message
    assert told(answer)["decision_id"] == made.decisions[0].id
    made.exchange.held.set()
    assert allowed(await made.out(token=token))
    assert len(made.exchange.asks) == 1


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


async def test_a_mandate_of_single_use_is_asked_for_anew() -> None:
    """For each request."""
    once = {CHARGE: {"resource": THEIRS, "scopes": ["payments:charge"], "single_use": True}}
    made = kit(once)
    token = made.inbound()
    said = {
        headers(await made.out(token=token, exchange=f"request-{number}"))["authorization"]
        for number in range(3)
    }
    assert len(said) == 3
    assert len({ask.request_id for ask in made.exchange.asks} - {None}) == 3


@pytest.mark.parametrize("single_use", [True, False])
async def test_a_proxy_that_asks_again_about_a_request_asks_for_the_same(single_use: bool) -> None:
    """By the name of the request, so that the authority grants no second mandate of single use;
    others are kept here, and cost it no write.
    """
    rule = {"resource": THEIRS, "scopes": ["payments:charge"], "single_use": single_use}
    made = kit({CHARGE: rule})
    token = made.inbound()
    for _ in range(2):
        assert allowed(await made.out(token=token))
    asked = [ask.request_id for ask in made.exchange.asks]
    assert asked == ([asked[0]] * 2 if single_use else [None])
    assert bool(asked[0]) == single_use


async def test_a_refused_mandate_of_single_use_is_not_asked_for_with_each_request() -> None:
    """Under whichever name; a no is one to the next request, too, for a moment."""
    once = {CHARGE: {"resource": THEIRS, "scopes": ["payments:charge"], "single_use": True}}
    made = kit(once)
    made.exchange.refusals.append(STEP_UP)
    token = made.inbound()
    for number in range(3):
        answer = await made.out(token=token, exchange=f"request-{number}")
        assert refusal(answer).reason is Reason.STEP_UP_REQUIRED
    assert len(made.exchange.asks) == 1


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
