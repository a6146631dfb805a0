"""The agent of the demo: what it holds, and the two services as it meets them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc.aio

from caracal_grpc.cli.demo.shop import Shop
from caracal_grpc.interceptors.client.channel import aio_channel
from caracal_grpc.interceptors.client.exchange import exchange_request
from caracal_grpc.interceptors.client.tokens import Ask
from caracal_grpc.interceptors.edge.aio import Edge
from caracal_grpc.v1 import session_service_pb2
from caracal_grpc.v1.session_service_pb2_grpc import SessionServiceStub
from caracal_grpc.v1.token_service_pb2_grpc import TokenServiceStub

TIMEOUT: Final = 15.0
"""Seconds for any one call of the demo: none takes so long unless something is wrong."""

ORDERS: Final = "resource://orders"


@dataclass(frozen=True, slots=True)
class Agent:
    """An application of the zone. `orders` and `payments` are stubs whose calls carry its mandates;
    `bare` is a stub of Orders that attaches nothing, for mandates chosen by hand.
    """

    shop: Shop
    edge: Edge
    orders: Any
    payments: Any
    bare: Any
    tokens: Any
    sessions: Any
    address: str
    payments_address: str

    @classmethod
    @asynccontextmanager
    async def meeting(
        cls, edge: Edge, shop: Shop, orders: str, payments: str
    ) -> AsyncIterator[Agent]:
        """The agent with channels to both services and to the authority."""
        attach = edge.client_interceptors()
        async with AsyncExitStack() as stack:
            authority = await stack.enter_async_context(aio_channel(edge.profile))
            own = await stack.enter_async_context(_channel(edge.profile.authority, attach))
            yield cls(
                shop=shop,
                edge=edge,
                orders=shop.orders(await stack.enter_async_context(_channel(orders, attach))),
                payments=shop.payments(await stack.enter_async_context(_channel(payments, attach))),
                bare=shop.orders(await stack.enter_async_context(_channel(orders, ()))),
                tokens=TokenServiceStub(authority),
                sessions=SessionServiceStub(own),
                address=orders,
                payments_address=payments,
            )

    async def exchange(self, *scopes: str) -> Any:
        """A fresh mandate for Orders, out of no cache, as the authority answered it."""
        ask = Ask(ORDERS, frozenset(scopes))
        request = exchange_request(self.edge.profile, ask)
        return await self.tokens.Exchange(request, timeout=TIMEOUT)

    def place(self, mandate: str) -> Any:
        """A call that places an order under exactly this mandate."""
        metadata = (("authorization", f"Bearer {mandate}"),)
        return self.bare.Place(self.shop.place(), metadata=metadata, timeout=TIMEOUT)

    async def start_session(self) -> Any:
        """A session of its own, below its standing one: one run of the agent."""
        request = session_service_pb2.SessionServiceStartRequest(zone=self.edge.profile.zone)
        return await self.sessions.Start(request, timeout=TIMEOUT)

    @asynccontextmanager
    async def within(self, session: str) -> AsyncIterator[Any]:
        """A stub of Orders whose calls act in `session`."""
        attach = self.edge.client_interceptors(session=session)
        async with _channel(self.address, attach) as channel:
            yield self.shop.orders(channel)


def _channel(address: str, interceptors: Sequence[grpc.aio.ClientInterceptor]) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(address, interceptors=list(interceptors))
