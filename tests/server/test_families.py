"""A resource in the request, from the rule to the ledger: real authority, service and edges."""

from __future__ import annotations

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import acting_on
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.v1 import audit_service_pb2
from tests.server.test_any_scopes import calling
from tests.support.authority import Running
from tests.support.echo import ARITIES, path, text
from tests.support.echo_client import ending
from tests.support.refusals import refused
from tests.support.shop import shop

FAMILY = "resource://orders/*"
RULES = Rules.from_mapping(
    {
        path(name): {"resource": "resource://orders/{value}", "scopes": ["orders:place"]}
        for name in ARITIES
    }
)


@pytest.fixture
async def orders(authority: Running) -> Running:
    """The shop, whose agent may place every order, and `payments` the one called `o-17`."""
    zone = shop()
    zone["resources"].append({"name": FAMILY, "scopes": ["orders:place"]})
    zone["policy"]["grants"] += [
        {"application": "agent", "resource": FAMILY, "scopes": ["orders:place"]},
        {
            "application": "payments",
            "resource": "resource://orders/o-17",
            "scopes": ["orders:place"],
        },
    ]
    await authority.apply(zone)
    return authority


async def test_each_request_has_a_mandate_of_its_own(orders: Running) -> None:
    """For the order that it names, as the ledger tells."""
    async with calling(orders, RULES) as (client, journal):
        for value in ("o-17", "o-18", "o-17"):
            (answer,) = await client.call("Unary", value=value)
            assert answer.startswith(f"{value}|")
        assert journal.heard == ["o-17", "o-18", "o-17"]
        assert len(set(journal.seen)) == 2
        search = audit_service_pb2.SearchRequest(zone="shop", resource="resource://orders/o-18")
        found = await orders.stubs.audit.Search(search, metadata=await orders.operator())
        assert [entry.jti for entry in found.entries] == [journal.seen[1]]


async def test_a_grant_on_one_order_lets_nobody_at_another(orders: Running) -> None:
    """The authority says no before the service is asked."""
    async with calling(orders, RULES, "payments") as (client, journal):
        await client.call("Unary", value="o-17")
        with refused(Reason.POLICY_DENIED):
            await client.call("Unary", value="o-18")
        assert journal.heard == ["o-17"]


@pytest.mark.parametrize("method", ["Chat", "ChatWriting", "PlainChat"])
async def test_a_stream_is_about_the_order_that_it_was_opened_for(
    orders: Running, method: str
) -> None:
    """Said by its caller, held for every message."""
    async with calling(orders, RULES) as (client, journal):
        with refused(Reason.FIELD_INVALID) as seen:
            raise await ending(client.start(method))
        assert seen.fields == ["acting_on"]
        with acting_on("resource://orders/o-17"):
            call = client.start(method)
        for _ in range(2):
            await call.write(text("o-17"))
            await call.read()
        await call.write(text("o-18"))
        error = await ending(call)
        assert error.reason is Reason.AUDIENCE_MISMATCH
        assert journal.heard == ["o-17", "o-17"]


async def test_nobody_is_granted_the_family(orders: Running) -> None:
    """By any client."""
    with refused(Reason.FIELD_INVALID) as seen:
        await orders.exchange("agent", FAMILY, "orders:place")
    assert seen.fields == ["resource"]
