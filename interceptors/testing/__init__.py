"""For a service team's own tests: no authority, no etcd, and whatever test framework it uses.

A `ThrowawayAuthority` signs mandates with a key that it made itself, and its `clock` lets them
expire; a `CannedFeed` revokes them on command; `guarded_server` (or `guarded_server_sync`) serves
the team's service on loopback, behind the guard that it has in production, which trusts that key
and nothing else. What the guard decided, as the ledger would have it, is in `server.decisions`.

    async def test_placing_an_order_takes_its_scope() -> None:
        async with guarded_server(partial(add_OrdersServicer_to_server, Orders())) as server:
            mandate = server.authority.mandate(resource="resource://orders", scopes="orders:track")
            with refused("SCOPE_INSUFFICIENT"):
                await OrdersStub(server.channel(mandate)).Place(PlaceRequest(product="tea"))

None of it belongs into a running service: whoever has the process has the key.
"""

from __future__ import annotations

from caracal_grpc.core.mandate import Hop
from caracal_grpc.core.user import User
from caracal_grpc.interceptors.testing.authority import Claims, ThrowawayAuthority
from caracal_grpc.interceptors.testing.bearing import bearing
from caracal_grpc.interceptors.testing.clock import CannedClock
from caracal_grpc.interceptors.testing.consumption import CannedConsumption
from caracal_grpc.interceptors.testing.feed import CannedFeed
from caracal_grpc.interceptors.testing.parts import Refusal
from caracal_grpc.interceptors.testing.refusals import Refused, refusal_of, refused
from caracal_grpc.interceptors.testing.rules import assert_rules
from caracal_grpc.interceptors.testing.server_aio import GuardedServer, guarded_server
from caracal_grpc.interceptors.testing.server_sync import SyncGuardedServer, guarded_server_sync

__all__ = [
    "CannedClock",
    "CannedConsumption",
    "CannedFeed",
    "Claims",
    "GuardedServer",
    "Hop",
    "Refusal",
    "Refused",
    "SyncGuardedServer",
    "ThrowawayAuthority",
    "User",
    "assert_rules",
    "bearing",
    "guarded_server",
    "guarded_server_sync",
    "refusal_of",
    "refused",
]
