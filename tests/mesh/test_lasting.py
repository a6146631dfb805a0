"""How long a verdict lasts: what it lets in ends with its mandate, or goes nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.crypto.thumbprint import x5t_s256
from caracal_grpc.interceptors.testing import ThrowawayAuthority
from tests.mesh.asking import GRPC_SHAPES, METHOD, envoy, http
from tests.mesh.desk import (
    ASKED,
    PUBLIC,
    allowed,
    desk,
    headers,
    route,
    told,
)
from tests.support.clock import FakeClock
from tests.support.etcd_tls import CertificateAuthority

ONCE = ASKED | {"single_use": True}


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
