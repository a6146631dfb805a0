"""A handler that serves a person, by what was passed on and after an approval."""

from __future__ import annotations

from typing import Any

import grpc

from caracal_grpc.core.mandate import Mandate
from caracal_grpc.interceptors import current_mandate
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.testing import User, guarded_server, refused

ORDERS = "resource://orders"
METHOD = "/shop.v1.Orders/Place"
RULES = Rules.from_mapping({METHOD: {"resource": ORDERS, "scopes": ["orders:place"]}})
ANN = User("https://id.example", "ann")
GOOD: dict[str, Any] = {"resource": ORDERS, "scopes": "orders:place"}


async def test_a_handler_sees_whom_it_serves_and_what_was_approved() -> None:
    """The person, the parties in between, and the approval; any of them can be revoked."""
    seen: list[Mandate] = []

    async def place(request: bytes, context: Any) -> bytes:
        seen.append(current_mandate())
        return request

    def add(server: Any) -> None:
        handlers = {"Place": grpc.unary_unary_rpc_method_handler(place)}
        generic = grpc.method_handlers_generic_handler("shop.v1.Orders", handlers)
        server.add_generic_rpc_handlers((generic,))

    async with guarded_server(add, rules=RULES) as server:
        sign = server.authority.mandate
        token = sign(**GOOD, user=ANN, chain=["desk", "helper"], approval="apr_1")
        call = server.channel(token).unary_unary(METHOD)
        await call(b"")
        (mandate,) = seen
        assert (mandate.user, mandate.subject, mandate.approval) == (ANN, ANN.id, "apr_1")
        assert [hop.application for hop in mandate.chain] == ["desk", "helper"]
        server.feed.revoke(mandate.chain[1].delegation)
        with refused("MANDATE_REVOKED"):
            await call(b"")
        await server.channel(sign(**GOOD, user=ANN, chain=["desk"])).unary_unary(METHOD)(b"")
        server.feed.revoke(ANN.id)
        with refused("MANDATE_REVOKED"):
            await server.channel(sign(**GOOD, user=ANN)).unary_unary(METHOD)(b"")
