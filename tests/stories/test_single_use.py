"""The authority is killed while guards consume, and no mandate is ever used twice."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import connect, current_mandate, from_rpc_error
from caracal_grpc.interceptors.rules.rules import Rules
from tests.stories.support import METHOD, child, client, require_verified
from tests.support.authority import Client, bearer, eventually, serve_values
from tests.support.etcd import EtcdProcess
from tests.support.shop import ORDERS, shop

ONCE = Rules.from_mapping(
    {METHOD: {"resource": ORDERS, "scopes": ["orders:place"], "single_use": True}}
)
MANDATES = 60


@dataclass
class Till:
    """A service that takes a mandate once; `ran` has those that its handler ran under."""

    channel: grpc.aio.Channel
    ran: list[str] = field(default_factory=list)

    async def pay(self, token: str) -> Reason | None:
        """Presents a mandate until somebody can say; why it was refused, `None` if it was not."""
        while True:
            try:
                await self.channel.unary_unary(METHOD)(b"", metadata=bearer(token))
            except grpc.aio.AioRpcError as error:
                refusal = from_rpc_error(error)
                assert refusal is not None
                if refusal.reason is not Reason.AUTHORITY_STALE:
                    return refusal.reason
                await asyncio.sleep(0.2)
            else:
                return None


@asynccontextmanager
async def till(caller: Client, name: str) -> AsyncIterator[Till]:
    """A service with the profile of the application `name`."""
    credential = caller.credentials["shop", name]
    profile = replace(
        caller.profile,
        zone="shop",
        issuer="https://a.example/zones/shop",
        application_id=credential.application_id,
        client_secret=credential.client_secret,
    )
    ran: list[str] = []

    async def place(request: bytes, _: Any) -> bytes:
        ran.append(current_mandate().jti)
        return request

    async with connect(profile, rules=ONCE) as edge:
        server = grpc.aio.server(interceptors=[await edge.guard()])
        handlers = {"Place": grpc.unary_unary_rpc_method_handler(place)}
        generic = grpc.method_handlers_generic_handler("shop.v1.Orders", handlers)
        server.add_generic_rpc_handlers((generic,))
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        await edge.ready()
        async with grpc.aio.insecure_channel(address) as channel:
            yield Till(channel, ran)
        await server.stop(None)


def free_address() -> str:
    """Where an authority can be found again after it was started again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


async def test_authority_killed_while_mandates_are_consumed(
    tmp_path: Path, etcd: EtcdProcess
) -> None:
    """At most one call to each mandate, each with its entry, and a ledger that verifies."""
    values = serve_values(tmp_path, etcd, listen=free_address())
    async with child(values) as authority, client(authority) as caller:
        # 1. Two services of one zone, and mandates that both will be shown.
        await caller.apply(shop())
        issued = [await caller.exchange("agent", ORDERS) for _ in range(MANDATES)]
        async with till(caller, "orders") as one, till(caller, "payments") as other:
            # 2. Each mandate is presented to both at the same time.
            paying = [
                asyncio.create_task(each.pay(mandate.mandate))
                for mandate in issued
                for each in (one, other)
            ]

            async def underway() -> bool:
                return bool(one.ran or other.ran)

            # 3. In the middle of it the authority is killed, and started again.
            await eventually(underway, pause=0.001)
            authority.kill()
            await authority.ended()
            await authority.start()
            async with asyncio.timeout(60):
                ended = await asyncio.gather(*paying)
            # 4. No mandate was good for two calls; who was refused was told why.
            runs = Counter(one.ran + other.ran)
            assert set(runs.values()) == {1}
            assert runs.keys() <= {mandate.jti for mandate in issued}
            assert set(ended) == {None, Reason.MANDATE_REPLAYED}
            assert ended.count(None) == len(runs)
        # 5. The ledger verifies, and has the use of every mandate under which a handler ran.
        async with client(authority, caller) as again:
            entries = await require_verified(again)
        done = {each.jti for each in entries if each.type == "mandate.consume" and not each.reason}
        assert runs.keys() <= done
