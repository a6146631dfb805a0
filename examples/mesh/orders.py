"""The Orders service as a team writes it that has never heard of mandates; its Envoy has.

    python examples/mesh/orders.py

It could be Go. It does two things that any service behind a proxy does: it calls Payments through
its own proxy, by name, and hands on the `authorization` of the request that it is serving. Who its
caller is it reads in headers, which the proxy has verified and nobody else can set.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc.aio

sys.path.insert(0, str(Path(__file__).parents[1] / "shop"))  # its generated code is the shop's
from shop.v1 import orders_pb2, orders_pb2_grpc, payments_pb2, payments_pb2_grpc

LISTEN = os.environ.get("SHOP_ORDERS", "127.0.0.1:7433")
PROXY = os.environ.get("SHOP_PAYMENTS", "unix:/tmp/caracal-shop-orders/payments.sock")
AS_PAYMENTS = (("grpc.default_authority", "payments.shop"),)

PRODUCTS = {"tea": 450, "teapot": 3900}
JOURNEY = (("paid", 0.0), ("packed", 2.0), ("shipped", 3.0))


class Orders(orders_pb2_grpc.OrdersServicer):
    """Takes orders."""

    def __init__(self, payments: payments_pb2_grpc.PaymentsStub) -> None:
        self._payments = payments
        self._orders: set[str] = set()

    async def ListProducts(
        self, request: orders_pb2.ListProductsRequest, context: Any
    ) -> orders_pb2.ListProductsResponse:
        """Shows what there is."""
        products = [orders_pb2.Product(name=name, cents=cents) for name, cents in PRODUCTS.items()]
        return orders_pb2.ListProductsResponse(products=products)

    async def Place(
        self, request: orders_pb2.PlaceRequest, context: Any
    ) -> orders_pb2.PlaceResponse:
        """Places an order, once Payments has the money."""
        if request.product not in PRODUCTS:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such product")
        headers = dict(context.invocation_metadata())
        order_id = f"order-{uuid4().hex[:8]}"
        charge = payments_pb2.ChargeRequest(order_id=order_id, cents=PRODUCTS[request.product])
        handed_on = [("authorization", headers["authorization"])]
        try:
            payment = await self._payments.Charge(charge, metadata=handed_on, timeout=10)
        except grpc.aio.AioRpcError as error:
            text = f"the payment failed: {error.details()}"
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, text)
        self._orders.add(order_id)
        return orders_pb2.PlaceResponse(
            order_id=order_id, payment=payment, audit_id=headers["x-caracal-decision-id"]
        )

    async def Track(
        self, request: orders_pb2.TrackRequest, context: Any
    ) -> AsyncIterator[orders_pb2.TrackResponse]:
        """Tells what happens to an order; the proxy gave it until the caller's mandate ends."""
        if request.order_id not in self._orders:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such order")
        for status, seconds in JOURNEY:
            await asyncio.sleep(seconds)
            yield orders_pb2.TrackResponse(status=status)
        await asyncio.Event().wait()  # under way for days


async def main() -> None:
    """Serves until SIGTERM or Ctrl-C, then lets the calls in flight finish."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)

    async with grpc.aio.insecure_channel(PROXY, options=AS_PAYMENTS) as channel:
        server = grpc.aio.server()
        orders = Orders(payments_pb2_grpc.PaymentsStub(channel))
        orders_pb2_grpc.add_OrdersServicer_to_server(orders, server)
        port = server.add_insecure_port(LISTEN)
        await server.start()
        print(f"shop.v1.Orders on 127.0.0.1:{port}", flush=True)
        await stopping.wait()
        await server.stop(grace=1)


if __name__ == "__main__":
    asyncio.run(main())
