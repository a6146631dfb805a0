"""Requests of an application that go out by a real Envoy: under a mandate for where they go."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from caracal_grpc.core.reason import Reason
from tests.mesh.envoy.conftest import Granted
from tests.mesh.envoy.ways import PAYING, Leaving, leaving
from tests.stories.support import profile_of
from tests.support.authority import Running, eventually, reason_of
from tests.support.mesh import CANCEL, PING, PLACE
from tests.support.mutual import claims
from tests.support.shop import ORDERS, PAYMENTS

pytestmark = pytest.mark.asyncio(loop_scope="module")

IN_TRACE = "00-{:032x}-00f067aa0ba902b7-01"
OUT_TRACE = "00-{:032x}-b7ad6b7169203331-01"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def orders(
    served: Running, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Leaving]:
    """The application `orders`, which calls the payments."""
    folder = tmp_path_factory.mktemp("leaving")
    async with leaving(folder, profile_of(served, "orders")) as made:
        yield made


def arrived(orders: Leaving) -> dict[str, object]:
    """What the mandate says that the service got last; nothing else says who calls."""
    seen = orders.service.seen[-1]
    assert not {name for name in seen.names if "caracal" in name}
    (said,) = seen.all("authorization")
    return claims(str(said).removeprefix("Bearer "))


async def test_a_call_goes_on_under_a_mandate_for_its_service(
    orders: Leaving, granted: Granted, served: Running
) -> None:
    """On behalf of the caller, for the scope of the method; the caller's own stays behind."""
    token = await granted()
    forged = (("x-caracal-subject", "root"), ("x-caracal-approval", ""))
    assert await orders.call(token, forged[0]) == b"tea"
    said = arrived(orders)
    assert (said["aud"], said["scope"]) == ([PAYMENTS], "payments:charge")
    assert said["sub"] == claims(token)["sub"]
    assert said["client_id"] == served.credentials["shop", "orders"].application_id
    assert said["jti"] != claims(token)["jti"]


async def test_one_exchange_serves_a_caller(orders: Leaving, granted: Granted) -> None:
    """As long as the mandate lives; another mandate of the same caller has one of its own."""
    first, second = await granted(), await granted()
    ids = []
    for token in (first, first, second):
        assert await orders.call(token) == b"tea"
        ids.append(arrived(orders)["jti"])
    assert ids[0] == ids[1] != ids[2]


async def test_plain_http_goes_on_alike(orders: Leaving, granted: Granted) -> None:
    """By its route."""
    token = await granted()
    assert (await orders.http(token, "/charges/c-1")).status == 200
    shown = orders.web.requests[-1].headers["authorization"]
    assert claims(shown.removeprefix("Bearer "))["aud"] == [PAYMENTS]


async def test_refusals_are_those_of_the_exchange(
    orders: Leaving, granted: Granted, served: Running
) -> None:
    """A real status with its reason, and nothing reaches the service."""
    before = len(orders.service.seen)
    assert await reason_of(orders.call(await granted(), method=CANCEL)) is Reason.POLICY_DENIED
    less = str((await served.exchange("bounded", ORDERS, "orders:place")).mandate)
    assert await reason_of(orders.call(less)) is Reason.CEILING_EXCEEDED
    assert await reason_of(orders.call()) is Reason.MANDATE_MISSING
    assert await reason_of(orders.call("x.y.z")) is Reason.MANDATE_MALFORMED
    assert len(orders.service.seen) == before


async def test_a_host_that_is_none_of_an_upstream_gets_nothing(
    orders: Leaving, granted: Granted
) -> None:
    """However it is written."""
    token, before = await granted(), len(orders.web.requests)
    for host in ("evil.test", f"{PAYING}.evil.test", f"{PAYING},evil.test", f"x@{PAYING}"):
        assert (await orders.http(token, "/charges/c-1", host=host)).status in {400, 403, 404}
    absolute = await orders.http(token, "http://evil.test/charges/c-1")
    assert absolute.status in {400, 403, 404}
    assert len(orders.web.requests) == before


@pytest.mark.parametrize(
    "host", [f"{PAYING}.", f"{PAYING}:8443", f"{PAYING}.:8443", PAYING.upper()]
)
async def test_what_is_judged_as_one_host_is_routed_as_that_one(
    orders: Leaving, granted: Granted, host: str
) -> None:
    """Else a proxy could take the mandate of one to another."""
    assert (await orders.http(await granted(), "/charges/c-1", host=host)).status == 200


async def test_a_public_method_gets_no_mandate(orders: Leaving, granted: Granted) -> None:
    """That of our caller is for us."""
    await orders.call(await granted(), method=PING)
    assert orders.service.seen[-1].all("authorization") == []


async def test_the_caller_is_found_by_its_trace(orders: Leaving, granted: Granted) -> None:
    """Where it hands on nothing else; nobody is, once a public call came in under the same."""
    token = await granted()
    come_in = ("traceparent", IN_TRACE.format(1))
    assert await orders.call(token, come_in, way="inbound") == b"tea"
    assert await orders.call("", ("traceparent", OUT_TRACE.format(1))) == b"tea"
    assert arrived(orders)["sub"] == claims(token)["sub"]
    unknown = orders.call("", ("traceparent", OUT_TRACE.format(2)))
    assert await reason_of(unknown) is Reason.MANDATE_MISSING
    await orders.call("", ("traceparent", IN_TRACE.format(1)), method=PING, way="inbound")
    spoilt = orders.call("", ("traceparent", OUT_TRACE.format(1)))
    assert await reason_of(spoilt) is Reason.MANDATE_MISSING


async def test_a_revoked_caller_causes_nothing(
    orders: Leaving, granted: Granted, served: Running
) -> None:
    """Within moments."""
    token = await granted()
    assert await orders.call(token, method=PLACE) == b"tea"
    await served.revoke(str(claims(token)["jti"]))

    async def refused() -> bool:
        return await reason_of(orders.call(token)) is Reason.MANDATE_REVOKED

    await eventually(refused)


async def test_no_token_is_in_a_log(orders: Leaving, granted: Granted) -> None:
    """Of the proxy, or of the process that it asks."""
    token = await granted()
    await orders.call(token)
    swapped = str(orders.service.seen[-1].all("authorization")[0]).removeprefix("Bearer ")

    async def written() -> bool:
        return any(each["subject"] == claims(token)["sub"] for each in orders.envoy.access_log)

    await eventually(written)  # Envoy writes it in pieces
    log = orders.mesh.log + orders.envoy.logs
    assert token not in log
    assert swapped not in log
