"""The services of the mesh: Payments with its guard, Orders and a CRM without, behind Envoys."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import grpc.aio
import yaml
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from caracal_grpc.cli.connection import CALL_TIMEOUT
from caracal_grpc.cli.demo.mesh import needs
from caracal_grpc.cli.demo.mesh.envoy import envoy
from caracal_grpc.cli.demo.process import PATIENCE, failure, first_line, started
from caracal_grpc.cli.demo.stage import ANY_PORT, MAX_STALENESS, Opening, Places
from caracal_grpc.crypto.secret_file import write_secret_file
from caracal_grpc.v1 import upstream_service_pb2
from caracal_grpc.v1.upstream_pb2 import BearerToken, UpstreamCredential
from caracal_grpc.v1.upstream_service_pb2_grpc import UpstreamServiceStub

CRM: Final = "resource://crm"


async def meshed(opening: Opening) -> Places:
    """Starts all of it, each proxy with what answers it."""
    payments = await opening.serve(opening.goods.folder / "payments.py", {})
    orders = await _orders(opening, payments)
    crm = await _crm(opening)
    gateway = await _mesh(opening, "gateway")
    clusters = {"gateway": ANY_PORT, "caracal_check": gateway, "crm": crm}
    at = await _envoy(opening, "gateway", ("gateway.yaml",), clusters)
    return Places(orders, payments, at["gateway"], crm)


async def _orders(opening: Opening, payments: str) -> str:
    """The service that has no code of ours; its address is that of its sidecar."""
    folder = needs.script().parent
    mesh = await _mesh(opening, "orders")
    way_out = f"unix:{opening.folder / 'orders' / 'payments.sock'}"
    service = await opening.serve(folder / "orders.py", {"SHOP_PAYMENTS": way_out})
    addresses = {
        "inbound": ANY_PORT,
        "outbound": way_out,
        "caracal_check": mesh,
        "service_grpc": service,
        "payments_grpc": payments,
    }
    at = await _envoy(opening, "orders", ("sidecar.yaml", "outbound.yaml"), addresses)
    return at["inbound"]


async def _crm(opening: Opening) -> str:
    """An upstream with a key of its own, which the authority keeps sealed."""
    key = opening.folder / "crm.key"
    secret = secrets.token_hex(16)
    write_secret_file(key, secret)
    stub: Any = UpstreamServiceStub(opening.operator)
    credential = UpstreamCredential(name="crm", resource=CRM, bearer=BearerToken(token=secret))
    request = upstream_service_pb2.UpstreamServiceCreateRequest(
        zone=opening.zone, upstream=credential
    )
    await stub.Create(request, timeout=CALL_TIMEOUT)
    return await opening.serve(needs.script().with_name("crm.py"), {"CRM_KEY_FILE": str(key)})


async def _mesh(opening: Opening, name: str) -> str:
    """`mesh serve` for an application, on a socket in a folder of its own; where it answers."""
    folder = opening.folder / name
    folder.mkdir(0o700)
    address = f"unix:{folder / 'mesh.sock'}"
    settings = yaml.safe_load(needs.script().with_name(f"{name}.yaml").read_text())
    settings["profile"] = str(opening.profiles[name])
    settings |= {"listen": address, "max_staleness": MAX_STALENESS, "drain_seconds": 1}
    file, log = folder / "mesh.yaml", folder / "mesh.log"
    file.write_text(json.dumps(settings))  # which is YAML
    command = (sys.executable, "-m", "caracal_grpc", "mesh", "serve", str(file), "--json")
    process = await opening.stack.enter_async_context(started(command, {}, log))
    await first_line(process, f"mesh serve for {name}", log)
    await _judging(address, f"mesh serve for {name}", log)
    return address


async def _judging(address: str, name: str, log: Path) -> None:
    """Returns once it has heard from the authority, until when it refuses everything."""
    try:
        async with asyncio.timeout(PATIENCE), grpc.aio.insecure_channel(address) as channel:
            stub: Any = HealthStub(channel)
            async for told in stub.Watch(health_pb2.HealthCheckRequest()):
                if told.status == health_pb2.HealthCheckResponse.SERVING:
                    return
    except TimeoutError:
        raise failure(name, log) from None
    raise failure(name, log)


async def _envoy(
    opening: Opening, name: str, files: Sequence[str], addresses: Mapping[str, str]
) -> dict[str, str]:
    return await opening.stack.enter_async_context(envoy(opening.folder / name, files, addresses))
