"""The gateway: a mandate goes in, the credential goes on, and neither is seen on the other side."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.thumbprint import x5t_s256
from caracal_grpc.interceptors.edge.upstreams import unreleased
from caracal_grpc.mesh.gateway import GatewayRoute
from tests.interceptors.support import eventually
from tests.mesh.asking import http
from tests.mesh.desk import PUBLIC, Waiting, allowed, headers, refusal, route, told
from tests.mesh.lending import CRM, READ, REVOKED, SECRET, about, gateway, lent
from tests.support.etcd_tls import CertificateAuthority
from tests.support.refusals import refused


async def test_the_credential_takes_the_place_of_the_mandate() -> None:
    """The upstream sees the one, the authority the other, and the caller's own headers neither."""
    made = gateway()
    token = made.mandate()
    answer = await made.ask(token=token)
    assert headers(answer) == {"x-api-key": SECRET}
    assert made.release.asked == [("crm", token)]
    assert token not in str(answer)
    assert "authorization" in answer.ok_response.headers_to_remove
    assert told(answer)["decision_id"].startswith("aud_")


@pytest.mark.parametrize("value", ["Bearer real", "Basic dXM6dGhlbQ=="])
async def test_a_credential_may_be_an_authorization(value: str) -> None:
    """It is set in the place of the mandate, and not removed with it."""
    made = gateway()
    made.release.name, made.release.value = "authorization", value
    answer = await made.ask(token=made.mandate())
    assert headers(answer) == {"authorization": value}
    assert "authorization" not in answer.ok_response.headers_to_remove


async def test_what_the_caller_calls_a_credential_is_gone() -> None:
    """Under the name itself, in any case, and under what some servers take for it."""
    made = gateway()
    forged = [
        ("X-Api-Key", "forged"),
        ("x-api-key", "forged"),
        ("x_api_key", "forged"),
        ("x-api_key", "forged"),
        ("x.api.key", "forged"),
        ("proxy-authorization", "forged"),
        ("cookie", "session=another"),
        ("x-caracal-subject", "forged"),
        ("x-http-method-override", "DELETE"),
        ("x-envoy-original-dst-host", "10.0.0.9:443"),
        ("x-other", "kept"),
    ]
    answer = await made.ask(token=made.mandate(), headers=forged)
    assert headers(answer) == {"x-api-key": SECRET}
    gone = set(answer.ok_response.headers_to_remove)
    assert gone >= {name for name, _ in forged[2:-1]} | {"authorization"}
    assert not gone & {"x-other", "x-api-key"}


async def test_the_upstream_is_not_told_who_calls() -> None:
    """It may belong to somebody else."""
    made = gateway()
    answer = await made.ask(token=made.mandate())
    assert not [name for name in headers(answer) if "caracal" in name]


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"resource": "resource://other"}, Reason.AUDIENCE_MISMATCH),
        ({"scopes": "crm:write"}, Reason.SCOPE_INSUFFICIENT),
        ({"age": 600}, Reason.MANDATE_EXPIRED),
        ({"forged": True}, Reason.MANDATE_SIGNATURE_INVALID),
        ({"binding": "x" * 43}, Reason.BINDING_MISMATCH),
    ],
)
async def test_a_mandate_that_is_not_good_releases_nothing(
    claims: dict[str, Any], reason: Reason
) -> None:
    """The authority is not even asked, and what is kept stays where it is."""
    made = gateway()
    await made.ask(token=made.mandate())
    answer = await made.ask(token=made.mandate(**claims))
    assert refusal(answer).reason is reason
    assert len(made.release.asked) == 1
    assert [each.reason for each in made.decisions] == [reason.value]


async def test_a_bound_mandate_is_lent_for_to_its_holder_only(
    etcd_ca: CertificateAuthority,
) -> None:
    """Whoever showed the proxy the certificate; the credential that is kept is no way around it."""
    made = gateway()
    own, other = (etcd_ca.issue(name)[0] for name in ("own", "other"))
    token = made.mandate(binding=x5t_s256(own))
    assert allowed(await made.ask(token=token, certificate=own.decode()))
    for shown in (other.decode(), ""):
        answer = await made.ask(token=token, certificate=shown)
        assert refusal(answer).reason is Reason.BINDING_MISMATCH


async def test_a_revoked_mandate_gets_nothing_of_what_is_kept() -> None:
    """At once, though the credential would be good for a minute."""
    made = gateway()
    grant = made.authority.grant(resource=CRM, scopes="crm:read")
    token = made.authority.sign(grant)
    assert allowed(await made.ask(token=token))
    made.feed.revoke(grant.session)
    assert refusal(await made.ask(token=token)).reason is Reason.MANDATE_REVOKED


async def test_a_mandate_that_dies_while_it_waits_is_lent_nothing() -> None:
    """Whoever was released what it waited for: the verdict is of the moment that it goes on."""
    made = gateway()
    made.release.held = asyncio.Event()
    grant = made.authority.grant(resource=CRM, scopes="crm:read")
    first = asyncio.create_task(made.ask(token=made.mandate()))
    await eventually(lambda: len(made.release.asked) == 1)
    second = asyncio.create_task(made.ask(token=made.authority.sign(grant)))
    await asyncio.sleep(0)
    made.feed.revoke(grant.session)
    made.release.held.set()
    assert allowed(await first)
    assert refusal(await second).reason is Reason.MANDATE_REVOKED


async def test_a_stale_gateway_gives_nothing_out() -> None:
    """Kept or not."""
    made = gateway()
    token = made.mandate()
    assert allowed(await made.ask(token=token))
    made.feed.go_stale()
    assert refusal(await made.ask(token=token)).reason is Reason.AUTHORITY_STALE


async def test_what_no_route_names_goes_nowhere() -> None:
    """Nor a path that another server would read as one of a route."""
    made = gateway()
    for path in ("/", "/contacts/c-1/notes", "/contacts/..%2fstatus", "/contacts//c-1"):
        assert not allowed(await made.ask(path, made.mandate()))
    assert made.release.asked == []


async def test_a_public_route_goes_on_without_anything() -> None:
    """Nobody is lent a credential without a mandate."""
    made = gateway()
    answer = await made.ask("/status", made.mandate())
    assert allowed(answer)
    assert headers(answer) == {}
    assert "authorization" in answer.ok_response.headers_to_remove
    assert told(answer)["decision_id"].startswith("aud_")
    assert made.release.asked == []


async def test_nothing_is_public_that_no_route_says_so_of() -> None:
    """Health and reflection of gRPC are, for a service; here they are a way around the routes."""
    made = gateway()
    for path in ("/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"):
        for content_type in ("", "application/grpc"):
            answer = await made.ask(path, made.mandate(), content_type=content_type)
            assert refusal(answer).reason is Reason.METHOD_NOT_DECLARED


@pytest.mark.parametrize("protocol", ["websocket", "h2c", "WebSocket, h2c"])
async def test_an_upgrade_is_refused(protocol: str) -> None:
    """No revocation would reach what it opens."""
    made = gateway()
    said = [("connection", "Upgrade"), ("Upgrade", protocol)]
    answer = await made.ask(token=made.mandate(), headers=said)
    assert refusal(answer).reason is Reason.FIELD_INVALID
    assert made.release.asked == []
    assert [each.reason for each in made.decisions] == ["FIELD_INVALID"]


@pytest.mark.parametrize("verb", ["TRACE", "CONNECT"])
async def test_a_method_that_shows_the_credential_is_refused(verb: str) -> None:
    """Even on a route for every method."""
    made = gateway()
    assert allowed(await made.ask("/contacts", made.mandate(), verb="PATCH"))
    answer = await made.ask("/contacts", made.mandate(), verb=verb)
    assert refusal(answer).reason is Reason.FIELD_INVALID


async def test_a_single_use_route_takes_a_mandate_once() -> None:
    """The credential is kept all the same."""
    made = gateway([lent("/contacts/{id}", READ | {"single_use": True})])
    token = made.mandate()
    assert allowed(await made.ask(token=token))
    again = await made.ask(token=token, exchange="another")
    assert refusal(again).reason is Reason.MANDATE_REPLAYED
    assert allowed(await made.ask(token=made.mandate()))
    assert len(made.release.asked) == 1


async def test_a_refused_release_is_told_with_its_reason() -> None:
    """The authority may know of a revocation before the gateway does."""
    made = gateway()
    made.release.refusals.append(about(REVOKED))
    answer = await made.ask(token=made.mandate())
    assert refusal(answer).reason is Reason.MANDATE_REVOKED
    assert told(answer)["decision_id"] == "aud_9"
    assert made.decisions == [], "the authority has its entry"


async def test_a_release_is_waited_for_in_time_to_refuse() -> None:
    """By that name, in the ledger; it goes on, for the next one."""
    made = gateway()
    made.release.held = asyncio.Event()
    shown = [("authorization", f"Bearer {made.mandate()}")]
    request = http("/contacts/c-1", shown, direction="gateway")
    answer = await made.servicer.Check(request, Waiting(0.05))
    assert refusal(answer).message == unreleased().message
    assert told(answer)["decision_id"] == made.decisions[0].id
    made.release.held.set()
    assert allowed(await made.ask(token=made.mandate()))
    assert len(made.release.asked) == 1


async def test_trouble_of_our_own_is_recorded_here() -> None:
    """There is no entry of the authority about the request."""
    made = gateway()
    made.release.refusals.append(about(unreleased(), mandate=False))
    answer = await made.ask(token=made.mandate())
    assert refusal(answer).reason is Reason.AUTHORITY_STALE
    assert told(answer)["decision_id"] == made.decisions[0].id


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", "evil.test"),
        (":path", "/admin"),
        ("transfer-encoding", "chunked"),
        ("x-caracal-subject", "root"),
        ("x-forwarded-client-cert", "URI=spiffe://mesh.test/root"),
        ("x-envoy-original-path", "/admin"),
        ("grpc-timeout", "1H"),
        ("content-type", "application/grpc"),
        ("x api key", "v"),
        ("X-Api-Key", "v"),
        ("", "v"),
        ("x-api-key", ""),
        ("x-api-key", "v\r\nx-more: 1"),
        ("x-api-key", "v "),
        ("x-api-key", "schlüssel"),
    ],
)
async def test_what_is_no_credential_does_not_go_on(
    name: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the authority says that it is, which is asked and complained of once for a while;
    and its value is in no log.
    """
    made = gateway()
    made.release.name, made.release.value = name, value
    for _ in range(3):
        assert refusal(await made.ask(token=made.mandate())).reason is Reason.AUTHORITY_STALE
    assert len(made.release.asked) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "the credential of crm cannot be a header; correct it"
    ]


async def test_no_secret_is_in_a_repr() -> None:
    """Of what is kept, or of an answer on its way."""
    made = gateway()
    made.release.held = asyncio.Event()
    asking = asyncio.create_task(made.ask(token=made.mandate()))
    await eventually(lambda: bool(made.credentials._flights))
    flight = next(iter(made.credentials._flights.values()))
    made.release.held.set()
    await asking
    shown = [repr(made.credentials), repr(made.credentials._kept), repr(flight)]
    assert SECRET not in "".join(shown)


@pytest.mark.parametrize(
    ("rule", "upstream"), [(READ, ""), (PUBLIC, "crm"), (READ, "CRM"), (READ, "a b")]
)
def test_half_a_route_is_refused(rule: dict[str, Any], upstream: str) -> None:
    """At the start."""
    with refused("FIELD_INVALID"):
        lent("/contacts", rule, upstream)


def test_a_credential_is_not_for_whichever_host() -> None:
    """The proxy may route them apart, and would take it to the wrong one; nobody loses a public
    route.
    """
    GatewayRoute(route("/status", PUBLIC))
    with refused("FIELD_INVALID") as refusal_:
        GatewayRoute(route("/contacts", READ), "crm")
    assert refusal_.fields[0].endswith(".hosts")


async def test_another_host_is_lent_nothing() -> None:
    """Though its path is one of a route."""
    made = gateway()
    answer = await made.ask(token=made.mandate(), host="other.test")
    assert refusal(answer).reason is Reason.METHOD_NOT_DECLARED
    assert made.release.asked == []
