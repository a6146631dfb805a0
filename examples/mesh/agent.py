"""An agent that shops through Envoys: at Orders by gRPC, at the CRM by HTTP.

    CARACAL_PROFILE=.shop/shop-agent.json python examples/mesh/agent.py

Its channel obtains and attaches a mandate for each call. For plain HTTP it asks for one by name. It
never sees the key of the CRM.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import sys
from pathlib import Path

import grpc.aio

from caracal_grpc.interceptors import CaracalError, Edge, connect, from_rpc_error

sys.path.insert(0, str(Path(__file__).parents[1] / "shop"))  # its generated code is the shop's
from shop.v1 import orders_pb2, orders_pb2_grpc

ORDERS = os.environ.get("SHOP_ORDERS", "127.0.0.1:7432")
GATEWAY = os.environ.get("SHOP_GATEWAY", "127.0.0.1:7435")


async def shop(edge: Edge, orders: orders_pb2_grpc.OrdersStub) -> None:
    """Buys tea, then reads a contact, and tries to delete it."""
    order = await orders.Place(orders_pb2.PlaceRequest(product="tea"))
    print(f"placed    {order.order_id}, because of {order.audit_id}")
    print(f"paid      {order.payment.payment_id}, because of {order.payment.audit_id}")

    mandate = await edge.exchange("resource://crm", ["crm:read"])
    for method in ("GET", "DELETE"):
        status, told = await asyncio.to_thread(ask, method, "/contacts/c-1", mandate)
        print(f"{method:9} {status} {told.get('reason') or told}")


def ask(method: str, path: str, mandate: str) -> tuple[int, dict[str, str]]:
    """One request to the CRM, by the name that the gateway knows it by."""
    connection = http.client.HTTPConnection(GATEWAY, timeout=15)
    headers = {"Host": "crm.gateway", "Authorization": f"Bearer {mandate}"}
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    if response.status == http.client.SERVICE_UNAVAILABLE:  # nobody could be asked
        raise ConnectionError(f"{method} {response.status} {body.decode()}".rstrip())
    return response.status, json.loads(body)


async def main() -> None:
    """Connects with one identity, and shops."""
    async with connect() as edge:
        attach = edge.client_interceptors()
        async with grpc.aio.insecure_channel(ORDERS, interceptors=attach) as channel:
            await shop(edge, orders_pb2_grpc.OrdersStub(channel))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except grpc.aio.AioRpcError as error:
        refusal = from_rpc_error(error)
        sys.exit(f"{error.code().name}: {refusal.message if refusal else error.details()}")
    except CaracalError as error:  # no profile, or one that is unfit: it says what to do
        sys.exit(str(error))
    except ConnectionError as error:  # the gateway is not there, or cannot judge
        sys.exit(f"the gateway: {error}")
