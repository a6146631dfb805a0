"""Requests that are written to be judged as one thing and served as another."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.status import from_rpc_error
from tests.mesh.envoy.conftest import Granted
from tests.stories.support import profile_of
from tests.support.authority import Running
from tests.support.envoy import Configuration
from tests.support.mesh import PLACE, Sidecar, sidecar
from tests.support.raw_http import Headers, exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

ELSEWHERE = [
    "/orders/../admin",
    "/orders/%2e%2e/admin",
    "/orders/.%2E/admin",
    "/orders/..%2fadmin",
    "/orders/..%5cadmin",
    "/orders/..\\admin",
    "/orders//../admin",
    "//admin",
    "/orders/o-1/../../admin",
    "/orders/..;/admin",
    "/orders/%252e%252e/admin",
    "/%6frders/..%2fadmin",
    "/orders/o-1%00.txt/../../admin",
    "/orders/o-1/%2e%2e",
    "/orders/o%2d1/%2e/x",
    "/orders/o-1#/admin",
    "/orders/ö",
    "*",
    "/admin?/orders/o-1",
    "/admin;/orders/o-1",
    "/ORDERS/o-1",
    "/orders/o-1/",
    "/orders/o-1%2ftrack",
    "/orders/o-1%3atrack",
]
"""Targets that some reader on the way takes for another path than /orders/{order_id}."""

_JUDGED = re.compile(r"/orders/[a-z0-9-]+")
"""What the rule of the route is for."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def careless(
    served: Running, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sidecar]:
    """A sidecar whose proxy hands on whatever path it gets, as Envoy does by default, and upgrades,
    as it does when it is told to.
    """
    configuration = Configuration("sidecar.yaml")
    for manager in configuration.all("HttpConnectionManager"):
        for name in ("normalize_path", "merge_slashes", "path_with_escaped_slashes_action"):
            del manager[name]
        manager["upgrade_configs"] = [{"upgrade_type": "websocket"}]
    folder = tmp_path_factory.mktemp("careless")
    profile = profile_of(served, "orders")
    async with sidecar(folder, profile, configuration=configuration) as made:
        yield made


@pytest.mark.parametrize("target", ELSEWHERE)
async def test_no_path_leads_around_its_rule(
    orders: Sidecar, careless: Sidecar, granted: Granted, target: str
) -> None:
    """What reaches the service is what the rule was for, whether or not the proxy tidies paths."""
    token = await granted()
    for place in (orders, careless):
        before = len(place.web.requests)
        answer = await place.http(token, "GET", target)
        served = [each.path for each in place.web.requests[before:]]
        assert all(_JUDGED.fullmatch(each) for each in served), (place is careless, served)
        assert (answer.status == 200) is bool(served)


@pytest.mark.parametrize("target", ["/orders/o-1", "/about"])
async def test_what_would_outlive_its_mandate_is_not_opened(
    orders: Sidecar, careless: Sidecar, granted: Granted, target: str
) -> None:
    """Not by a mandate, and not by a public path, from which a tunnel may lead to all others."""
    said = (("Connection", "Upgrade"), ("Upgrade", "websocket"))
    token = await granted()
    before = orders.reached, careless.reached
    answers = [await each.http(token, "GET", target, said) for each in (orders, careless)]
    assert [each.status for each in answers] == [403, 400]
    assert answers[1].problem["reason"] == "FIELD_INVALID"
    assert (orders.reached, careless.reached) == before
    assert (await careless.http(token, "GET", target)).status == 200


async def test_the_service_gets_the_path_that_was_judged(
    orders: Sidecar, careless: Sidecar, granted: Granted
) -> None:
    """As it is, when it can be read in one way only."""
    token = await granted()
    for place in (orders, careless):
        assert (await place.http(token, "GET", "/orders/o-1")).status == 200
        assert place.web.requests[-1].path == "/orders/o-1"


def _twice(token: str) -> list[Headers]:
    good, other = ("Authorization", f"Bearer {token}"), ("Authorization", "Bearer other")
    return [(good, other), (other, good), (good, good), (good, ("authorization", "Basic eDp5"))]


@pytest.mark.parametrize("which", range(4))
async def test_two_mandates_are_none(orders: Sidecar, granted: Granted, which: int) -> None:
    """Nobody could say which of them the service will read."""
    headers = _twice(await granted())[which]
    before = orders.reached
    answer = await orders.http("", "GET", "/orders/o-1", headers)
    assert (answer.status, answer.problem["reason"]) == (401, "MANDATE_MALFORMED")
    metadata = tuple((name.lower(), value) for name, value in headers)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await orders.channel.unary_unary(PLACE)(b"tea", metadata=metadata, timeout=60)
    refusal = from_rpc_error(caught.value)
    assert refusal is not None
    assert refusal.reason is Reason.MANDATE_MALFORMED
    assert refusal.metadata["decision_id"].startswith("aud_")
    assert orders.reached == before


@pytest.mark.parametrize(
    "headers",
    [
        (("Host", "other.test"),),
        (("Transfer-Encoding", "chunked"), ("Content-Length", "3")),
        (("x_caracal_subject", "forged"),),
    ],
    ids=["two hosts", "two lengths", "underscores"],
)
async def test_what_contradicts_itself_is_refused(
    orders: Sidecar, granted: Granted, headers: Headers
) -> None:
    """Be it by the proxy or by us."""
    before = orders.reached
    answer = await orders.http(await granted(), "GET", "/orders/o-1", headers)
    assert answer.status in {400, 403}
    assert orders.reached == before


async def test_a_rule_is_of_the_method_that_is_sent(orders: Sidecar, granted: Granted) -> None:
    """Another one that a header names is neither judged nor handed on."""
    overrides = (
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Original-URL", "/admin"),
        ("X-Rewrite-URL", "/admin"),
        ("X-Envoy-Original-Path", "/admin"),
    )
    token = await granted()
    assert (await orders.http(token, "DELETE", "/orders/o-1")).status == 403
    assert (await orders.http(token, "GET", "/orders/o-1", overrides)).status == 200
    seen = orders.web.requests[-1].headers
    assert not {name.lower() for name, _ in overrides} & seen.keys()


async def test_a_caller_does_not_choose_by_what_a_request_is_known(
    orders: Sidecar, granted: Granted
) -> None:
    """By it the way out may find whoever caused a request."""
    chosen = (("X-Request-Id", "chosen"),)
    assert (await orders.http(await granted(), "GET", "/orders/o-1", chosen)).status == 200
    assert orders.web.requests[-1].headers["x-request-id"] not in {"", "chosen"}


@pytest.mark.parametrize("size", [9_000, 40_000, 70_000])
async def test_headers_that_are_too_large_are_refused(
    orders: Sidecar, granted: Granted, size: int
) -> None:
    """Whoever refuses them: none reaches the service, and the next request is answered."""
    token = await granted()
    before = orders.reached
    answer = await orders.http("a" * size, "GET", "/orders/o-1")
    assert answer.status in {401, 431}
    with pytest.raises(grpc.aio.AioRpcError):
        await orders.call("a" * size)
    assert orders.reached == before
    assert await orders.call(token) == b"tea"


async def test_a_request_that_says_it_is_grpc_is_judged_by_its_path(
    orders: Sidecar, granted: Granted
) -> None:
    """A content type chooses neither rule nor route."""
    own = (("Content-Type", "application/grpc"), ("TE", "trailers"))
    before = orders.reached
    answer = await orders.http(await granted(), "POST", "/orders/o-1", own)
    assert orders.reached == before
    assert answer.header("grpc-status") == "7"


async def test_another_host_of_the_same_proxy_is_another_request(
    orders: Sidecar, granted: Granted
) -> None:
    """An absolute target wins over the host, for the judge as for the service."""
    shown = (("Authorization", f"Bearer {await granted()}"),)
    answers = await asyncio.gather(
        *(
            exchange(orders.envoy.address(), "GET", target, shown, host="one.test")
            for target in ("/orders/o-1", "http://two.test/orders/o-1")
        )
    )
    assert [each.status for each in answers] == [200, 200]
    assert {each.headers["host"] for each in orders.web.requests[-2:]} == {"one.test", "two.test"}
