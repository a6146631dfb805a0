"""The way in: what goes on, what the upstream is told, and what it is never told."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from caracal_grpc.crypto.thumbprint import x5t_s256
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.mesh.answers.identity import NAMES
from tests.mesh.asking import GRPC_SHAPES, METHOD, envoy, grpc_web, http, proxyless
from tests.mesh.desk import (
    PUBLIC,
    RESOURCE,
    SCOPE,
    allowed,
    desk,
    headers,
    refusal,
    route,
    told,
)
from tests.support.etcd_tls import CertificateAuthority
from tests.support.protos import books

FAMILY = {"resource": f"{RESOURCE}/{{id}}", "scopes": [SCOPE]}
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
        "x-original-method": "DELETE",
        "x-original-host": "other.test",
        "x-forwarded-uri": "/admin",
        "x-forwarded-method": "DELETE",
        "x-forwarded-prefix": "/admin",
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
