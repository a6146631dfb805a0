"""The agent that tracks: its stream ends at once when what it was handed is taken back.

CARACAL_PROFILE=shop-courier.json python examples/agents/courier.py ses_… order-…
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


async def main(session: str, order: str) -> None:
    """Follows the order until it is told to stop, or cut."""
    async with (
        connect() as edge,
        grpc.aio.insecure_channel(ORDERS, interceptors=edge.client_interceptors()) as channel,
    ):
        orders = orders_pb2_grpc.OrdersStub(channel)
        try:
            with acting_in(session):
                async for update in orders.Track(orders_pb2.TrackRequest(order_id=order)):
                    print(f"status {update.status}", flush=True)
        except grpc.aio.AioRpcError as error:
            refusal = from_rpc_error(error)
            print(f"end {refusal.reason.value if refusal else error.code().name}", flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:3]))
    except CaracalError as error:  # no profile, or no authority: it says what to do
        sys.exit(str(error))
