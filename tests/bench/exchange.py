"""An exchange, with client authentication, policy, durable audit and signature, against an echo."""

from __future__ import annotations

import grpc.aio

from caracal_grpc.v1 import token_service_pb2
from tests.bench.child import ECHO
from tests.bench.load import in_turn
from tests.bench.row import Row, median
from tests.bench.scale import Scale
from tests.bench.world import ZONE, World


def request(world: World) -> token_service_pb2.ExchangeRequest:
    """The caller's exchange for the echo."""
    return token_service_pb2.ExchangeRequest(
        zone=ZONE,
        client=token_service_pb2.ClientAuthentication(
            application_id=world.caller.application_id, client_secret=world.caller.client_secret
        ),
        resource="resource://echo",
        scopes=["echo:say"],
    )


async def measure(world: World, scale: Scale) -> list[Row]:
    """Throughput of exchanges over throughput of a bare echo in the same process, 64 callers."""
    asked = request(world)
    async with (
        grpc.aio.insecure_channel(world.caller.authority) as authority,
        grpc.aio.insecure_channel(world.echo) as echo,
    ):
        exchange = authority.unary_unary(
            "/caracal.v1.TokenService/Exchange",
            request_serializer=token_service_pb2.ExchangeRequest.SerializeToString,
            response_deserializer=token_service_pb2.ExchangeResponse.FromString,
        )
        say = echo.unary_unary(ECHO)
        payload = asked.SerializeToString()
        exchanges, echoes = await in_turn(
            lambda: exchange(asked),
            lambda: say(payload),
            seconds=scale.seconds,
            callers=64,
            rounds=scale.rounds,
        )
        rate, bare = median([x.rate for x in exchanges]), median([x.rate for x in echoes])
        ratio = median([x.rate / y.rate for x, y in zip(exchanges, echoes, strict=True)])
    detail = f"{rate:,.0f}/s against {bare:,.0f}/s of a bare echo, 64 callers"
    return [Row("exchange / bare echo, throughput", ratio, "x", 0.35, "at least", detail)]
