"""What callers and health checks are told of a ledger that somebody has edited."""

from __future__ import annotations

from typing import Any

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from caracal_grpc.core.reason import Reason
from caracal_grpc.v1 import zone_service_pb2
from tests.services.test_audit_proofs import ask
from tests.support.authority import Running, Starter, eventually, reason_of
from tests.support.postgres import PostgresProcess
from tests.support.shop import CARACAL, ORDERS, shop
from tests.support.sweeps import edit_from_outside

STATES = health_pb2.HealthCheckResponse


async def status_of(authority: Running, name: str) -> int:
    """What the health service says of a name."""
    stub: Any = health_pb2_grpc.HealthStub(authority.channel)
    try:
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.NOT_FOUND
        return int(STATES.SERVICE_UNKNOWN)
    return int(answer.status)


async def test_a_tampered_ledger_makes_its_zone_not_ready(authority: Running) -> None:
    """A process beside the authority edits a row: that zone stops, and nothing else does."""
    found = authority.server._authority
    assert found is not None
    names = ("", "zones/shop", "zones/caracal", "caracal.v1.TokenService")

    async def serving() -> bool:
        return [await status_of(authority, each) for each in names] == [STATES.SERVING] * 4

    await eventually(serving)
    issued = await authority.exchange("agent", ORDERS)
    await found.proving.sweeping.turn()
    before = await ask(authority, "GetIntegrity")
    assert (before.ready, list(before.findings)) == (True, [])
    assert before.checked_size > 0
    assert before.checked_time.seconds > 1_700_000_000
    assert not (await ask(authority, "GetIntegrity", zone="caracal")).findings
    changed = edit_from_outside(
        authority.folder / "ledger.db",
        f"UPDATE entries SET event = replace(event, 'allow', 'deny') WHERE id='{issued.audit_id}'",
    )
    assert changed == 1
    await found.proving.sweeping.turn()
    told = await ask(authority, "GetIntegrity")
    (finding,) = told.findings
    assert (told.ready, finding.kind, finding.index) == (False, "changed", before.checked_size - 1)
    exchange = authority.exchange("agent", ORDERS)
    assert await reason_of(exchange) is Reason.AUDIT_UNAVAILABLE
    await authority.exchange("operator", CARACAL, zone="caracal")

    async def only_shop_stopped() -> bool:
        told = [await status_of(authority, each) for each in names]
        return told == [STATES.SERVING, STATES.NOT_SERVING, STATES.SERVING, STATES.SERVING]

    await eventually(only_shop_stopped)
    assert (await ask(authority, "GetIntegrity", zone="caracal")).ready


async def test_a_removed_zone_is_no_service(authority: Running) -> None:
    """Who watches it is told that it is gone."""

    async def is_now(status: int) -> bool:
        return await status_of(authority, "zones/shop") == status

    await eventually(lambda: is_now(STATES.SERVING))
    await authority.apply({"name": "shop"})
    request = zone_service_pb2.ZoneServiceDeleteRequest(zone="shop")
    await authority.stubs.zones.Delete(request, metadata=await authority.operator())
    await eventually(lambda: is_now(STATES.SERVICE_UNKNOWN))
    assert await status_of(authority, "zones/caracal") == STATES.SERVING


async def test_every_replica_finds_what_was_edited_on_a_server(
    start_authority: Starter, postgres: PostgresProcess, database: str
) -> None:
    """Both read the one ledger that they share, and neither records into the zone any more."""
    shared = {"ledger": postgres.url(database)}
    first = await start_authority(**shared)
    await first.apply(shop())
    second = await start_authority(**shared, etcd_prefix=first.server.settings.etcd_prefix)
    second.credentials.update(first.credentials)
    issued = await first.exchange("agent", ORDERS)
    await second.exchange("agent", ORDERS)
    replicas = [each.server._authority for each in (first, second)]
    for replica in replicas:
        assert replica is not None
        assert (await replica.proving.sweeping.sweep("shop")).ready
    event = "convert_to(replace(convert_from(event, 'UTF8'), 'allow', 'deny'), 'UTF8')"
    postgres.run(database, f"UPDATE entries SET event = {event} WHERE id = '{issued.audit_id}'")
    for replica, authority in zip(replicas, (first, second), strict=True):
        assert replica is not None
        await replica.proving.sweeping.sweep("shop")
        assert [each.kind for each in (await ask(authority, "GetIntegrity")).findings] == [
            "changed"
        ]
        exchange = authority.exchange("agent", ORDERS)
        assert await reason_of(exchange) is Reason.AUDIT_UNAVAILABLE
