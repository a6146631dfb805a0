"""An agent that shops: it holds no token, and asks for exactly what each method needs.

    CARACAL_PROFILE=shop-agent.json python examples/shop/agent.py

It places an order, is refused a refund, and tracks the order until Ctrl-C, or until someone revokes
what it holds and the open stream is cut.
"""

from __future__ import annotations

import asyncio
import os
import sys

import grpc.aio
from shop.v1 import orders_pb2, orders_pb2_grpc, payments_pb2, payments_pb2_grpc

from caracal_grpc.interceptors import CaracalError, connect, from_rpc_error

ORDERS = os.environ.get("SHOP_ORDERS", "127.0.0.1:7432")
PAYMENTS = os.environ.get("SHOP_PAYMENTS", "127.0.0.1:7431")


async def shop(
    orders: orders_pb2_grpc.OrdersStub, payments: payments_pb2_grpc.PaymentsStub
) -> None:
    """One visit to the shop."""
    menu = await orders.ListProducts(orders_pb2.ListProductsRequest())
    for product in menu.products:
        print(f"for sale  {product.name}, {product.cents / 100:.2f}")

    order = await orders.Place(orders_pb2.PlaceRequest(product="tea"))
    print(f"placed    {order.order_id}, because of {order.audit_id}")
    print(f"paid      {order.payment.payment_id}, because of {order.payment.audit_id}")

    try:
        await payments.Refund(payments_pb2.RefundRequest(payment_id=order.payment.payment_id))
    except grpc.aio.AioRpcError as error:
        print(f"refund    {why(error)}")

    try:
        async for update in orders.Track(orders_pb2.TrackRequest(order_id=order.order_id)):
            print(f"tracking  {update.status}", flush=True)
    except grpc.aio.AioRpcError as error:
        print(f"tracking  {why(error)}")


def why(error: grpc.aio.AioRpcError) -> str:
    """What a refused call says, with the reason and the ledger entry that programs act on."""
    refusal = from_rpc_error(error)
    if refusal is None:
        return f"{error.code().name}: {error.details()}"
    entry = refusal.metadata.get("audit_id", "")
    return f"{error.code().name} {refusal.reason.value}: {refusal.message} {entry}".rstrip()


async def main() -> None:
    """Connects to both services with one identity, and shops."""
    async with connect() as edge:
        attach = edge.client_interceptors()
        async with (
            grpc.aio.insecure_channel(ORDERS, interceptors=attach) as orders,
            grpc.aio.insecure_channel(PAYMENTS, interceptors=attach) as payments,
        ):
            await shop(orders_pb2_grpc.OrdersStub(orders), payments_pb2_grpc.PaymentsStub(payments))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except CaracalError as error:  # no profile, or one that is unfit: it says what to do
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass
