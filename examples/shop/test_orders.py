"""How the team of Orders tests its service: guarded as it will be, and no authority anywhere.

Run `python -m pytest test_orders.py` in this folder; pytest-asyncio is in its mode `auto`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from orders import Orders
from shop.v1 import orders_pb2, orders_pb2_grpc, payments_pb2

from caracal_grpc.interceptors.testing import GuardedServer, assert_rules, guarded_server, refused

ORDERS, SCOPES = "resource://orders", {"orders:place", "orders:track"}
TEA = orders_pb2.PlaceRequest(product="tea")


class Till:
    """Stands in for Payments: every payment succeeds."""

    async def Charge(self, request: Any, timeout: float) -> payments_pb2.ChargeResponse:
        """Takes the money."""
        return payments_pb2.ChargeResponse(payment_id="payment-1")


@pytest.fixture
async def server() -> AsyncIterator[GuardedServer]:
    """The service on loopback, behind its guard."""
    add = partial(orders_pb2_grpc.add_OrdersServicer_to_server, Orders(Till()))
    async with guarded_server(add) as server:
        yield server


def agent(server: GuardedServer, *scopes: str) -> orders_pb2_grpc.OrdersStub:
    """The service as an agent sees it whose mandate grants `scopes`."""
    mandate = server.authority.mandate(resource=ORDERS, scopes=scopes, application="agent")
    return orders_pb2_grpc.OrdersStub(server.channel(mandate))


def test_every_method_has_a_rule() -> None:
    """And none asks for what the zone does not have."""
    assert_rules(orders_pb2, resources={ORDERS: SCOPES})


async def test_anyone_may_look(server: GuardedServer) -> None:
    """Without any mandate."""
    anyone = orders_pb2_grpc.OrdersStub(server.channel())
    assert (await anyone.ListProducts(orders_pb2.ListProductsRequest())).products


async def test_placing_an_order_takes_the_scope_for_it(server: GuardedServer) -> None:
    """Being allowed to track is not enough."""
    assert (await agent(server, "orders:place").Place(TEA)).payment.payment_id == "payment-1"
    with refused("SCOPE_INSUFFICIENT") as refusal:
        await agent(server, "orders:track").Place(TEA)
    assert refusal.metadata["missing"] == "orders:place"


async def test_tracking_ends_when_the_agent_is_revoked(server: GuardedServer) -> None:
    """In the middle of the stream."""
    order = await agent(server, "orders:place").Place(TEA)
    request = orders_pb2.TrackRequest(order_id=order.order_id)
    tracked = agent(server, "orders:track").Track(request)
    assert (await tracked.read()).status == "paid"
    server.feed.revoke("agent")
    with refused("MANDATE_REVOKED"):
        await tracked.read()
