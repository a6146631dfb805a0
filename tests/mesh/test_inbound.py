"""The way in: what goes on, what the upstream is told, and what it is never told."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.core.ids import AUDIT, REQUEST, require_id
from caracal_grpc.core.rule import Rule
from caracal_grpc.crypto.thumbprint import x5t_s256
from caracal_grpc.interceptors.context.inbound import Inbound
from caracal_grpc.interceptors.resource_field import PathVariables
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.testing import ThrowawayAuthority
from caracal_grpc.mesh.answers.identity import NAMES
from caracal_grpc.mesh.judging import Judged
from caracal_grpc.mesh.routes import Match
from tests.mesh.asking import GRPC_SHAPES, METHOD, envoy, grpc_web, http, proxyless
from tests.mesh.desk import (
    ASKED,
    PUBLIC,
    RESOURCE,
    SCOPE,
    Waiting,
    allowed,
    desk,
    headers,
    refusal,
    route,
    told,
)
from tests.support.clock import FakeClock
from tests.support.etcd_tls import CertificateAuthority
from tests.support.protos import books

FAMILY = {"resource": f"{RESOURCE}/{{id}}", "scopes": [SCOPE]}
ONCE = ASKED | {"single_use": True}
OTHER = "/caracal.test.Cell/Other"
APPLICATION = "app_01h455vb4pex5vsknk084sn02q"
GATEWAY = "app_01h455vb4pex5vsknk084sn02r"


@pytest.mark.parametrize("shape", GRPC_SHAPES)
async def test_a_good_mandate_goes_on_and_says_whose_it_is(shape: str) -> None:
    """In each shape of a question; the values are those of the mandate."""
    kit = desk()
    grant = kit.authority.grant(resource=RESOURCE, scopes=f"{SCOPE} cells:read")
    carried = [("authorization", f"Bearer {kit.authority.sign(grant)}")]
    answer = await kit.ask(GRPC_SHAPES[shape](headers=carried))
    said = headers(answer)
    said.pop("grpc-timeout")
    assert said == {
        "x-caracal-application": grant.application,
        "x-caracal-subject": grant.subject,
        "x-caracal-scopes": f"{SCOPE} cells:read",
        "x-caracal-resource": RESOURCE,
        "x-caracal-mandate-id": grant.jti,
        "x-caracal-decision-id": grant.audit_id,
    }
    assert set(answer.ok_response.headers_to_remove) == NAMES - said.keys()


async def test_the_chain_says_who_passed_authority_on() -> None:
    """Base64url of JSON, root first; without one there is no such header."""
    kit = desk()
    grant = kit.authority.grant(
        resource=RESOURCE, scopes=SCOPE, chain=[APPLICATION, GATEWAY, APPLICATION]
    )
    carried = [("authorization", f"Bearer {kit.authority.sign(grant)}")]
    text = headers(await kit.ask(envoy(headers=carried)))["x-caracal-chain"]
    chain = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    assert [hop["application_id"] for hop in chain] == [GATEWAY, APPLICATION]


async def test_what_a_caller_says_of_itself_is_taken_away() -> None:
    """Everything with our name in it, what meshes and proxies say, and baggage of ours."""
    kit = desk()
    forged = {
        "x-caracal-subject": "root",
        "X-Caracal-Chain": "W10",
        "x-caracal-unheard-of": "1",
        "x_caracal_subject": "root",
        "my-caracal": "1",
        "x-forwarded-client-cert": "URI=spiffe://mesh.test/root",
        "x-forwarded-user": "root",
        "x-forwarded_user": "root",
        "x.forwarded.email": "root@shop.test",
        "x-original-url": "/admin",
        "x_original_url": "/admin",
        "x-http-method-override": "DELETE",
        "x_http_method_override": "DELETE",
        "x-forwarded-host": "other.test",
        "forwarded": "host=other.test",
        "baggage": "caracal.subject=root,note=hi",
        "x-note": "hi",
    }
    answer = await kit.ask(envoy(headers=[*kit.bearer(), *forged.items()]))
    said, removed = headers(answer), set(answer.ok_response.headers_to_remove)
    assert said["x-caracal-subject"] != "root"
    assert said["baggage"] == "note=hi"
    lost = {name.lower() for name in forged} - {"x-note", "baggage", "x-caracal-subject"}
    assert lost <= removed
    assert not {"x-note", "baggage", "authorization"} & removed
    assert not said.keys() & removed


async def test_claims_that_a_proxy_vouches_for_may_be_kept() -> None:
    """But none of ours."""
    kit = desk(keep=["X-Forwarded-Client-Cert", "x-caracal-subject"])
    claims = [("x-forwarded-client-cert", "URI=a"), ("x-forwarded-user", "b")]
    answer = await kit.ask(envoy(headers=claims, path="/grpc.health.v1.Health/Check"))
    removed = set(answer.ok_response.headers_to_remove)
    assert "x-forwarded-client-cert" not in removed
    assert {"x-forwarded-user", *NAMES} <= removed


async def test_a_mandate_ends_here_when_it_is_not_passed_on() -> None:
    """What is behind then cannot act for its caller."""
    kit = desk(forward=False)
    answer = await kit.ask(envoy(headers=kit.bearer()))
    assert "authorization" in answer.ok_response.headers_to_remove


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", " BEARER"])
async def test_nor_does_one_go_on_that_nobody_asked_for(scheme: str) -> None:
    """A public method looks at none; what is no token is its own to look at."""
    kit = desk({METHOD: PUBLIC}, forward=False)
    shown = ("authorization", f"{scheme} {kit.mandate()}")
    answer = await kit.ask(envoy(headers=[shown]))
    assert "authorization" in answer.ok_response.headers_to_remove
    answer = await kit.ask(envoy(headers=[("authorization", "Basic eDp5")]))
    assert "authorization" not in answer.ok_response.headers_to_remove


async def test_a_public_method_needs_no_mandate_and_believes_no_claim() -> None:
    """It looks at none that is sent along, either."""
    kit = desk({METHOD: PUBLIC})
    for carried in ([], [("authorization", "Bearer nonsense")], kit.bearer()):
        answer = await kit.ask(envoy(headers=[*carried, ("x-caracal-subject", "root")]))
        assert headers(answer) == {}
        assert set(answer.ok_response.headers_to_remove) == NAMES
    assert kit.decisions == []


async def test_a_route_names_its_resource_by_its_path() -> None:
    """The variable in the path is the part of the resource."""
    kit = desk(routes=[route("/orders/{id}", FAMILY)])
    mine = kit.bearer(resource=f"{RESOURCE}/42")
    assert allowed(await kit.ask(http("/orders/42?verbose=1", mine)))
    other = refusal(await kit.ask(http("/orders/43", mine)))
    assert (other.reason, other.metadata["expected"]) == ("AUDIENCE_MISMATCH", f"{RESOURCE}/43")


async def test_a_declared_method_of_grpc_is_that_method_whatever_the_request_says() -> None:
    """Servers that speak several protocols serve it to all of them."""
    kit = desk(routes=[route("/**", PUBLIC, methods=["*"])])
    answer = await kit.ask(http(METHOD, verb="POST", content_type="application/json"))
    assert refusal(answer).reason == "MANDATE_MISSING"


async def test_an_undeclared_method_of_grpc_is_no_route() -> None:
    """What says that it is gRPC asks by the rules of gRPC."""
    kit = desk(routes=[route("/**", PUBLIC, methods=["*"])])
    for shape in GRPC_SHAPES.values():
        answer = await kit.ask(shape("/caracal.test.Cell/Other"))
        assert refusal(answer).reason == "METHOD_NOT_DECLARED"


@pytest.mark.parametrize(
    "path",
    [
        "/caracal.test.Cell/Other",
        "/caracal.test.Cell/Call/",
        "/caracal.test.Cell/call",
        "/CARACAL.test.cell/Call",
        "/caracal.test.Cell/a/b",
        "/caracal.test.Cell",
    ],
)
async def test_what_is_below_a_declared_service_is_no_route(path: str) -> None:
    """Servers of gRPC serve its methods whatever the content type is."""
    kit = desk(routes=[route("/**", PUBLIC, methods=["*"])])
    assert allowed(await kit.ask(http("/caracal.test.Cells/Other", verb="POST")))
    for content_type in ("", "application/json", "application/grpcish"):
        answer = await kit.ask(http(path, verb="POST", content_type=content_type))
        assert refusal(answer).reason == "METHOD_NOT_DECLARED"


async def test_a_service_that_declares_nothing_is_no_route() -> None:
    """It is in a descriptor set: a server of gRPC serves it, whatever the content type is."""
    rules = Rules.from_descriptors(books({"Read": None}))
    kit = desk(rules, [route("/**", PUBLIC, methods=["*"])])
    assert allowed(await kit.ask(http("/test.books.Other/Read", verb="POST")))
    for content_type in ("", "application/json"):
        answer = await kit.ask(
            http("/test.books.Books/Read", verb="POST", content_type=content_type)
        )
        assert refusal(answer).reason == "METHOD_NOT_DECLARED"


async def test_a_rule_about_a_request_cannot_be_judged_here() -> None:
    """A proxy does not show what is in it; the refusal says what to do."""
    kit = desk({METHOD: {"resource": f"{RESOURCE}/{{value}}", "scopes": [SCOPE]}})
    for shape in GRPC_SHAPES.values():
        error = refusal(await kit.ask(shape(headers=kit.bearer(resource=f"{RESOURCE}/42"))))
        assert error.reason == "METHOD_NOT_DECLARED"
        assert "a proxy does not show" in error.message


async def test_a_bound_mandate_is_for_the_certificate_that_the_proxy_saw() -> None:
    """As the guard sees that of its connection."""
    kit, ca = desk(), CertificateAuthority()
    mine, other = (ca.issue(name)[0].decode() for name in ("mine", "other"))
    bound = kit.bearer(binding=x5t_s256(mine))
    for shape in (envoy, grpc_web, proxyless):
        assert allowed(await kit.ask(shape(headers=bound, certificate=mine)))
        for shown in (other, "", "nonsense"):
            answer = await kit.ask(shape(headers=bound, certificate=shown))
            assert refusal(answer).reason == "BINDING_MISMATCH"


async def test_a_revocation_holds_at_the_next_question() -> None:
    """Nothing is remembered of a verdict."""
    kit = desk()
    grant = kit.authority.grant(resource=RESOURCE, scopes=SCOPE)
    request = envoy(headers=[("authorization", f"Bearer {kit.authority.sign(grant)}")])
    assert allowed(await kit.ask(request))
    kit.feed.revoke(grant.session)
    assert refusal(await kit.ask(request)).reason == "MANDATE_REVOKED"


async def test_without_the_authority_nothing_goes_on_and_it_recovers_by_itself() -> None:
    """It refuses what it cannot know."""
    kit = desk()
    request = envoy(headers=kit.bearer())
    assert allowed(await kit.ask(request))
    kit.feed.go_stale()
    error = refusal(await kit.ask(request))
    assert (error.reason, error.retry_after) == ("AUTHORITY_STALE", 1.0)
    kit.feed.come_back()
    assert allowed(await kit.ask(request))


@pytest.mark.parametrize("shape", [envoy, grpc_web])
async def test_a_mandate_that_is_taken_once_is_consumed_before_it_goes_on(shape: Any) -> None:
    """A second request is refused."""
    kit = desk({METHOD: ONCE})
    carried = kit.bearer()
    assert allowed(await kit.ask(shape(headers=carried)))
    again = await kit.ask(shape(headers=carried, exchange="another"))
    assert refusal(again).reason == "MANDATE_REPLAYED"


async def test_a_proxy_that_asks_again_has_not_used_a_mandate_twice() -> None:
    """The use has the name of the proxy's own request; gRPC itself has none, and asks once.

    One that the caller chose is none: it would be the same for every request that has it.
    """
    kit = desk({METHOD: ONCE, OTHER: ONCE})
    uses: list[str] = []
    consume = kit.authority.consumption.consume_aio

    async def noting(admission: Any, timeout: float) -> None:
        uses.append(admission.use)
        await consume(admission, timeout)

    kit.verdicts._consumer = noting
    for request in (
        envoy(headers=kit.bearer(), exchange="1"),
        envoy(headers=kit.bearer(), exchange="1"),
        envoy(headers=kit.bearer(), exchange="2"),
        envoy(OTHER, headers=kit.bearer(), exchange="1"),
        proxyless(headers=kit.bearer()),
        envoy(headers=[*kit.bearer(), ("x-request-id", "3")], exchange="3"),
    ):
        assert allowed(await kit.ask(request))
    assert uses[0] == uses[1] == require_id("use", uses[0], REQUEST)
    assert len(set(uses)) == 4
    assert uses[4:] == ["", ""]


@pytest.mark.parametrize(("waits", "most"), [(1.0, 0.8), (3.0, 2.4), (60.0, 5.0), (None, 5.0)])
async def test_the_authority_is_asked_for_less_than_the_proxy_waits(
    waits: float | None, most: float
) -> None:
    """So that there is time to refuse when it does not answer."""
    kit = desk({METHOD: ONCE})
    allotted: list[float] = []

    async def noting(_admission: Any, timeout: float) -> None:
        allotted.append(timeout)

    kit.verdicts._consumer = noting
    assert allowed(await kit.servicer.Check(envoy(headers=kit.bearer()), Waiting(waits)))
    assert allotted == [pytest.approx(most)]


async def test_a_mandate_that_would_be_refused_is_not_consumed() -> None:
    """Nor is one for something else."""
    kit = desk({METHOD: ONCE})
    await kit.ask(envoy(headers=kit.bearer(scopes="cells:other")))
    assert kit.authority.consumption.consumed == frozenset()


async def test_nothing_is_taken_once_where_nobody_can_consume_it() -> None:
    """And when the authority cannot be reached."""
    kit = desk({METHOD: ONCE}, consumes=False)
    assert refusal(await kit.ask(envoy(headers=kit.bearer()))).reason == "AUTHORITY_STALE"
    kit = desk({METHOD: ONCE})
    kit.authority.consumption.go_away()
    assert refusal(await kit.ask(envoy(headers=kit.bearer()))).reason == "AUTHORITY_STALE"


@pytest.mark.parametrize(
    ("asked", "said"),
    [(None, "rest"), ("5S", "own"), ("1H", "rest"), ("nonsense", "rest"), ("250m", "own")],
)
async def test_a_call_ends_with_its_mandate(asked: str | None, said: str) -> None:
    """Nobody asks again about a stream: its deadline is the rest of the mandate's life."""
    kit = desk()
    carried = [*kit.bearer(ttl=60), *([("grpc-timeout", asked)] if asked else [])]
    for shape in GRPC_SHAPES.values():
        found = headers(await kit.ask(shape(headers=carried))).get("grpc-timeout", "own")
        if said == "rest":
            assert found.endswith("m")
            assert 60_000 < int(found[:-1]) <= 65_000
        else:
            assert found == said


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "", "grpc"])
async def test_a_call_ends_with_its_mandate_whatever_it_says_that_it_is(content_type: str) -> None:
    """Servers of gRPC serve a method by its path, for as long as the caller likes."""
    kit = desk()
    for asked in ([], [("grpc-timeout", "99999999H")]):
        carried = [*kit.bearer(ttl=60), *asked]
        for shape in (envoy, http):
            request = shape(METHOD, carried, verb="POST", content_type=content_type)
            found = headers(await kit.ask(request)).get("grpc-timeout", "none")
            assert found.endswith("m"), found
            assert 60_000 < int(found[:-1]) <= 65_000


async def test_plain_http_has_no_deadline_of_grpc() -> None:
    """It would be one more header that nobody asked for."""
    kit = desk(routes=[route("/orders")])
    assert "grpc-timeout" not in headers(await kit.ask(http("/orders", kit.bearer())))


async def test_an_access_log_can_tell_what_was_decided() -> None:
    """By names, and never by a token."""
    kit = desk(cache_seconds=5)
    grant = kit.authority.grant(resource=RESOURCE, scopes=SCOPE)
    carried = [("authorization", f"Bearer {kit.authority.sign(grant)}")]
    answer = await kit.ask(envoy(headers=carried))
    assert told(answer) == {
        "decision": "allow",
        "decision_id": grant.audit_id,
        "application": grant.application,
        "subject": grant.subject,
        "session": grant.session,
        "resource": RESOURCE,
        "mandate_id": grant.jti,
        "cache_seconds": 5.0,
    }
    denied = told(await kit.ask(envoy()))
    assert denied == {
        "decision": "deny",
        "decision_id": kit.decisions[-1].id,
        "reason": "MANDATE_MISSING",
    }


@pytest.mark.parametrize("protocol", ["websocket", "h2c", "WebSocket, h2c"])
@pytest.mark.parametrize("path", ["/orders", "/about", METHOD])
async def test_an_upgrade_goes_nowhere(protocol: str, path: str) -> None:
    """Neither expiry nor revocation would reach what it opens, be it public or not."""
    kit = desk(routes=[route("/orders"), route("/about", PUBLIC)])
    said = [("connection", "Upgrade"), ("Upgrade", protocol)]
    assert allowed(await kit.ask(http(path, kit.bearer())))
    answer = await kit.ask(http(path, [*kit.bearer(), *said]))
    assert not allowed(answer)
    assert [each.violations[0].field for _, each in kit.refusals] == ["headers.upgrade"]
    assert [each.reason for each in kit.decisions] == ["FIELD_INVALID"]


@pytest.mark.parametrize("verb", ["CONNECT", "TRACE"])
async def test_a_tunnel_and_an_echo_go_nowhere(verb: str) -> None:
    """Though a route is for every method."""
    kit = desk(routes=[route("/**", methods=["*"])])
    assert allowed(await kit.ask(http("/orders", kit.bearer(), verb="PATCH")))
    assert not allowed(await kit.ask(http("/orders", kit.bearer(), verb=verb)))
    assert [each.violations[0].field for _, each in kit.refusals] == ["method"]


@pytest.mark.parametrize(
    ("asked", "ttl", "seconds"), [(ASKED, 60, 10), (ASKED, 7, 7), (ONCE, 60, 0), (PUBLIC, 60, 0)]
)
async def test_a_verdict_may_be_repeated_for_no_longer_than_an_edge_may_be_late(
    asked: dict[str, Any], ttl: int, seconds: int
) -> None:
    """Nor beyond the mandate, and not at all when that is taken once."""
    clock: Any = FakeClock()
    kit = desk({METHOD: asked}, cache_seconds=3600, authority=ThrowawayAuthority(clock=clock))
    answer = await kit.ask(envoy(headers=kit.bearer(ttl=ttl)))
    assert told(answer)["cache_seconds"] == seconds


@pytest.mark.parametrize(
    ("max_staleness", "age", "seconds"),
    [(10, 0, 8), (2, 0, 2), (10, 7, 3), (10, 10, 0), (60, 0, 8)],
)
async def test_what_is_old_already_is_repeated_for_less(
    max_staleness: float, age: float, seconds: int
) -> None:
    """All in all a proxy knows of a revocation when an edge has to, as that is configured."""
    kit = desk(cache_seconds=8, max_staleness=max_staleness)
    kit.feed.go_stale(age)
    answer = await kit.ask(envoy(headers=kit.bearer()))
    assert told(answer)["cache_seconds"] == seconds


async def test_a_verdict_on_a_bound_mandate_is_not_repeated() -> None:
    """It is of the connection that showed the certificate."""
    kit = desk(cache_seconds=10)
    mine = CertificateAuthority().issue("mine")[0].decode()
    request = envoy(headers=kit.bearer(binding=x5t_s256(mine)), certificate=mine)
    assert told(await kit.ask(request))["cache_seconds"] == 0


async def test_a_sampled_call_has_an_entry_of_its_own() -> None:
    """Its id is told upstream, downstream and to the log; each call under a mandate has its own."""
    kit = desk(sampling_rate=1.0)
    request = envoy(headers=kit.bearer())
    for _ in range(2):
        answer = await kit.ask(request)
        own = kit.decisions[-1].id
        (back,) = answer.ok_response.response_headers_to_add
        assert (back.header.key, back.header.value) == ("x-caracal-decision-id", own)
        assert headers(answer)["x-caracal-decision-id"] == own
        assert told(answer)["decision_id"] == own
    assert len({decision.id for decision in kit.decisions}) == 2


@pytest.mark.parametrize("rate", [0.0, 1.0])
async def test_what_is_public_is_decided_under_an_id(rate: float) -> None:
    """The caller and the access log are told, the service is not; the ledger has the sampled."""
    kit = desk({METHOD: PUBLIC}, [route("/about", PUBLIC)], sampling_rate=rate)
    ids = []
    for request in (envoy(), http("/about")):
        answer = await kit.ask(request)
        (back,) = answer.ok_response.response_headers_to_add
        ids.append(require_id("id", told(answer)["decision_id"], AUDIT))
        assert (back.header.key, back.header.value) == ("x-caracal-decision-id", ids[-1])
        assert headers(answer) == {}
    assert len(set(ids)) == 2
    assert [each.id for each in kit.decisions] == (ids if rate else [])
    for each in kit.decisions:
        each.require("decisions[0]")
        assert each.decision == "allow"


@pytest.mark.parametrize(
    ("request_", "method"),
    [
        (envoy(), METHOD),
        (envoy("/caracal.test.Cell/Other"), "/caracal.test.Cell/Other"),
        (http("/orders/42?token=secret"), "GET /orders/{id}"),
        (http("/nowhere?token=secret"), "GET shop.test/nowhere"),
        (http("/a/../b?token=secret"), "/a/../b"),
        (envoy(direction="sideways"), METHOD),
    ],
)
async def test_every_refusal_is_recorded(request_: Any, method: str) -> None:
    """Once, by the name of what was asked for; of the query nothing."""
    kit = desk(routes=[route("/orders/{id}", FAMILY)])
    error = refusal(await kit.ask(request_))
    (decision,) = kit.decisions
    assert (decision.method, decision.reason) == (method, error.reason.value)
    assert error.metadata["decision_id"] == decision.id
    assert [told[0] for told in kit.refusals] == [method]
    decision.require("decisions[0]")


async def test_the_record_knows_the_request_of_the_caller() -> None:
    """By its id, which goes from hop to hop."""
    kit = desk()
    await kit.ask(envoy(headers=[("x-request-id", "r-42")]))
    assert kit.decisions[0].request_id == "r-42"


async def test_an_answer_is_that_of_its_own_question() -> None:
    """What is written once for a mandate is never that of another one, or of other headers."""
    kit = desk(sampling_rate=0.0)
    first, second = (kit.authority.grant(resource=RESOURCE, scopes=SCOPE) for _ in range(2))
    twin = replace(second, jti=first.jti)
    baggage = ("baggage", "caracal.a=b,note=hi")
    for _ in range(3):
        for grant in (first, second, twin):
            carried = ("authorization", f"Bearer {kit.authority.sign(grant)}")
            for more in ([], [baggage], [("x-forwarded-user", "root")]):
                answer = await kit.ask(envoy(headers=[carried, *more]))
                said, removed = headers(answer), answer.ok_response.headers_to_remove
                assert said["x-caracal-application"] == grant.application
                assert told(answer)["subject"] == grant.subject
                assert said.get("baggage") == ("note=hi" if baggage in more else None)
                assert ("x-forwarded-user" in removed) == (
                    more[:1] == [("x-forwarded-user", "root")]
                )


def test_what_was_judged_shows_no_mandate() -> None:
    """In no log and in no trace."""
    match = Match(METHOD, Rule(METHOD, RESOURCE, frozenset({SCOPE})), PathVariables())
    assert "secret" not in repr(Judged(match, Inbound((("a", "secret"),)), token="secret"))
