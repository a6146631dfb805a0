"""The agent that buys: on behalf of whoever handed it the session, and within what was handed on.

CARACAL_PROFILE=shop-buyer.json python examples/agents/buyer.py ses_…
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import grpc.aio

from caracal_grpc.interceptors import CaracalError, acting_in, connect, from_rpc_error

SHOP = Path(__file__).parent.parent / "shop"
ORDERS = os.environ.get("SHOP_ORDERS", "127.0.0.1:7432")

sys.path.insert(0, str(SHOP))  # the shop's generated code
from shop.v1 import orders_pb2, orders_pb2_grpc  # noqa: E402


async def main(session: str) -> None:
    """Buys tea, and is refused to track it: that is another's part."""
    async with (
        connect() as edge,
        grpc.aio.insecure_channel(ORDERS, interceptors=edge.client_interceptors()) as channel,
    ):
        orders = orders_pb2_grpc.OrdersStub(channel)
        with acting_in(session):
            order = await orders.Place(orders_pb2.PlaceRequest(product="tea"))
            try:
                await orders.Track(orders_pb2.TrackRequest(order_id=order.order_id)).read()
            except grpc.aio.AioRpcError as error:
                refusal = from_rpc_error(error)
                print(f"refused {refusal.reason.value if refusal else error.code().name}")
        print(f"order {order.order_id}", flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1]))
    except CaracalError as error:  # no profile, or no authority: it says what to do
        sys.exit(str(error))
