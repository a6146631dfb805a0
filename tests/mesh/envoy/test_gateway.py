"""An upstream behind a real gateway: callers show mandates, and it gets its own credential."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from caracal_grpc.v1 import upstream_service_pb2
from tests.mesh.approving import ANN, APPROVING, approve
from tests.mesh.envoy.conftest import Granted
from tests.mesh.envoy.ways import GATEWAY, LENT, Lending, lending
from tests.stories.support import profile_of
from tests.support.authority import Running, eventually
from tests.support.mutual import claims
from tests.support.refusals import refused
from tests.support.shop import CARACAL, ORDERS, shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "hunter2-and-so-on"
GRANT = {
    "application": "gateway",
    "resource": CARACAL,
    "scopes": ["caracal:upstreams:use", "caracal:feed:watch", "caracal:audit:record"],
}


STEPPING_UP = {
    "application": "agent",
    "resource": ORDERS,
    "scopes": ["orders:track"],
    "step_up": ["orders:track"],
}
CREDENTIALS: dict[str, dict[str, Any]] = {
    "crm": {"header": {"name": "x-api-key", "value": SECRET}},
    "token": {"bearer": {"token": SECRET}},
    "login": {"basic": {"username": "Aladdin", "password": "open sesame"}},
}
AUTHORIZATIONS = {"token": f"Bearer {SECRET}", "login": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}


def other(upstream: str) -> dict[str, Any]:
    """The route of another upstream than the first."""
    asked = {"resource": ORDERS, "scopes": ["orders:place"]}
    return {"path": f"/{upstream}/{{id}}", "hosts": [LENT], "upstream": upstream, **asked}


TRACKING = {
    "path": "/contacts/{id}/track",
    "hosts": [LENT],
    "methods": ["GET"],
    "upstream": "crm",
    "resource": ORDERS,
    "scopes": ["orders:track"],
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crm(served: Running, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lending]:
    """An upstream that wants a key of its own, and the gateway that has it lent."""
    zone = shop()
    zone["applications"] += [{"name": "gateway"}, ANN]
    zone["policy"]["grants"] += [GRANT, APPROVING, STEPPING_UP]
    await served.apply(zone)
    for name, credential in CREDENTIALS.items():
        upstream = {"name": name, "resource": ORDERS, **credential}
        request = upstream_service_pb2.UpstreamServiceCreateRequest(zone="shop", upstream=upstream)
        await served.stubs.upstreams.Create(request, metadata=await served.operator())
    folder = tmp_path_factory.mktemp("gateway")
    routes = {"routes": [*GATEWAY["routes"], TRACKING, *map(other, AUTHORIZATIONS)]}
    async with lending(folder, profile_of(served, "gateway"), gateway=routes) as made:
        yield made


async def test_the_upstream_gets_its_credential_and_nothing_of_the_caller(
    crm: Lending, granted: Granted
) -> None:
    """Neither the mandate, nor a word of who calls, nor what the caller calls a credential."""
    forged = (("X-Api-Key", "forged"), ("x-api-key", "forged"), ("x-caracal-subject", "root"))
    token = await granted()
    answer = await crm.http(token, "/contacts/c-1", forged)
    assert answer.status == 200
    headers = crm.web.requests[-1].headers
    assert headers["x-api-key"] == SECRET
    assert "authorization" not in headers
    assert not [name for name in headers if "caracal" in name]
    assert token not in str(headers)
    assert SECRET not in str(answer)


async def test_a_session_of_the_upstream_is_nobodys(crm: Lending, granted: Granted) -> None:
    """It would outlive the mandate; neither is one seen, nor does one count."""
    own = (("Cookie", "session=of-the-service"),)
    answer = await crm.http(await granted(), "/contacts/c-1", own)
    assert (answer.status, answer.header("set-cookie")) == (200, "")
    assert "cookie" not in crm.web.requests[-1].headers
    assert (await crm.http("", "/status", own)).status == 200
    assert "cookie" not in crm.web.requests[-1].headers


@pytest.mark.parametrize("upstream", AUTHORIZATIONS)
async def test_a_credential_may_be_an_authorization(
    crm: Lending, granted: Granted, upstream: str
) -> None:
    """It takes the place of the mandate (RFC 6750 section 2.1, RFC 7617 section 2)."""
    assert (await crm.http(await granted(), f"/{upstream}/1")).status == 200
    assert crm.web.requests[-1].headers["authorization"] == AUTHORIZATIONS[upstream]


async def test_what_is_refused_never_reaches_it(crm: Lending, granted: Granted) -> None:
    """Without a mandate, with a bad one, by another path, or by a method that shows all."""
    before, token = len(crm.web.requests), await granted()
    told = {
        "MANDATE_MISSING": await crm.http("", "/contacts/c-1"),
        "MANDATE_MALFORMED": await crm.http("x.y.z", "/contacts/c-1"),
        "METHOD_NOT_DECLARED": await crm.http(token, "/admin"),
        "FIELD_INVALID": await crm.http(token, "/contacts/c-1", method="TRACE"),
    }
    for reason, answer in told.items():
        assert answer.problem["reason"] == reason
        assert SECRET not in str(answer)
    assert len(crm.web.requests) == before


async def test_an_upgrade_is_refused(crm: Lending, granted: Granted) -> None:
    """Whoever does it, the proxy or we."""
    before = len(crm.web.requests)
    said = (("Connection", "Upgrade"), ("Upgrade", "websocket"))
    assert (await crm.http(await granted(), "/contacts/c-1", said)).status in {400, 403}
    assert len(crm.web.requests) == before


async def test_a_public_path_goes_on_bare(crm: Lending, granted: Granted) -> None:
    """Nobody is lent anything without a mandate, and the mandate ends here."""
    assert (await crm.http(await granted(), "/status")).status == 200
    headers = crm.web.requests[-1].headers
    assert not {"authorization", "x-api-key"} & headers.keys()


async def test_a_revoked_mandate_is_lent_nothing(
    crm: Lending, granted: Granted, served: Running
) -> None:
    """Though the credential is good for a minute."""
    token = await granted()
    assert (await crm.http(token, "/contacts/c-1")).status == 200
    await served.revoke(str(claims(token)["jti"]))

    async def refused() -> bool:
        answer = await crm.http(token, "/contacts/c-1")
        return answer.status == 401 and answer.problem["reason"] == "MANDATE_REVOKED"

    await eventually(refused)


async def test_what_policy_holds_is_lent_nothing_until_it_is_approved(
    crm: Lending, granted: Granted, served: Running
) -> None:
    """A mandate for less does not do, and the one for it is had by the approval alone."""
    before = len(crm.web.requests)
    less = await crm.http(await granted(), "/contacts/c-1/track")
    assert (less.status, less.problem["reason"]) == (403, "SCOPE_INSUFFICIENT")
    with refused("STEP_UP_REQUIRED") as held:
        await granted(scope="orders:track")
    assert len(crm.web.requests) == before
    approval = held.metadata["approval_id"]
    await approve(served, approval)
    token = await granted(scope="orders:track", approval_id=approval)
    assert (await crm.http(token, "/contacts/c-1/track")).status == 200
    assert crm.web.requests[-1].headers["x-api-key"] == SECRET
    await served.revoke(str(claims(token)["jti"]))

    async def over() -> bool:
        answer = await crm.http(token, "/contacts/c-1/track")
        return answer.status == 401 and answer.problem["reason"] == "MANDATE_REVOKED"

    await eventually(over)


async def test_no_secret_is_in_a_log(crm: Lending, granted: Granted) -> None:
    """Of the proxy, or of the process that it asks."""
    token = await granted()
    await crm.http(token, "/contacts/c-1?key=value")

    async def written() -> bool:
        return any(each["subject"] == claims(token)["sub"] for each in crm.envoy.access_log)

    await eventually(written)  # Envoy writes it in pieces
    log = crm.mesh.log + crm.envoy.logs
    assert SECRET not in log
    assert token not in log
