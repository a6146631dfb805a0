"""The Orders service: guarded, and a client itself. It calls Payments on behalf of its caller.

Run it as

    CARACAL_PROFILE=shop-orders.json python examples/shop/orders.py
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import grpc.aio
from shop.v1 import orders_pb2, orders_pb2_grpc, payments_pb2, payments_pb2_grpc

from caracal_grpc.interceptors import CaracalError, connect, current_mandate

LISTEN = os.environ.get("SHOP_ORDERS", "127.0.0.1:7432")
PAYMENTS = os.environ.get("SHOP_PAYMENTS", "127.0.0.1:7431")
MAX_STALENESS = float(os.environ.get("SHOP_MAX_STALENESS", "10"))  # seconds without the authority

PRODUCTS = {"tea": 450, "teapot": 3900}
JOURNEY = (("paid", 0.0), ("packed", 2.0), ("shipped", 3.0))


class Orders(orders_pb2_grpc.OrdersServicer):
    """Takes orders. What each method asks for stands beside it in `orders.proto`."""

    def __init__(self, payments: payments_pb2_grpc.PaymentsStub) -> None:
        self._payments = payments
        self._orders: set[str] = set()

    async def ListProducts(
        self, request: orders_pb2.ListProductsRequest, context: Any
    ) -> orders_pb2.ListProductsResponse:
        """Shows what there is; a public method."""
        products = [orders_pb2.Product(name=name, cents=cents) for name, cents in PRODUCTS.items()]
        return orders_pb2.ListProductsResponse(products=products)

    async def Place(
        self, request: orders_pb2.PlaceRequest, context: Any
    ) -> orders_pb2.PlaceResponse:
        """Places an order. The call to Payments carries a mandate on behalf of our caller."""
        if request.product not in PRODUCTS:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such product")
        order_id = f"order-{uuid4().hex[:8]}"
        charge = payments_pb2.ChargeRequest(order_id=order_id, cents=PRODUCTS[request.product])
        try:
            payment = await self._payments.Charge(charge, timeout=10)
        except grpc.aio.AioRpcError as error:
            text = f"the payment failed: {error.details()}"
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, text)
        self._orders.add(order_id)
        return orders_pb2.PlaceResponse(
            order_id=order_id, payment=payment, audit_id=current_mandate().audit_id
        )

    async def Track(
        self, request: orders_pb2.TrackRequest, context: Any
    ) -> AsyncIterator[orders_pb2.TrackResponse]:
        """Tells what happens to an order; the guard cuts it when the caller's mandate dies."""
        if request.order_id not in self._orders:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such order")
        for status, seconds in JOURNEY:
            await asyncio.sleep(seconds)
            yield orders_pb2.TrackResponse(status=status)
        await asyncio.Event().wait()  # under way for days; the stream stays open


async def main() -> None:
    """Serves until SIGTERM or Ctrl-C, then lets the calls in flight finish."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)

    async with (
        connect(max_staleness=MAX_STALENESS) as edge,
        grpc.aio.insecure_channel(PAYMENTS, interceptors=edge.client_interceptors()) as channel,
    ):
        server = grpc.aio.server(interceptors=[await edge.guard()])
        orders = Orders(payments_pb2_grpc.PaymentsStub(channel))
        orders_pb2_grpc.add_OrdersServicer_to_server(orders, server)
        port = server.add_insecure_port(LISTEN)
        await edge.ready()
        await server.start()
        print(f"shop.v1.Orders on 127.0.0.1:{port}", flush=True)
        await stopping.wait()
        await server.stop(grace=1)  # a stream that is open for days gets no longer than this


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except CaracalError as error:  # no profile, or no authority: it says what to do
        sys.exit(str(error))
