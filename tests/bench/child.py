"""The measured processes, `python -m tests.bench.child`: one line of JSON when they are up."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from caracal_grpc.crypto.secret_file import write_secret_file
from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.interceptors import Profile, Rules, connect
from caracal_grpc.interceptors.feed.view import View
from caracal_grpc.interceptors.guard.aio.guard import AioGuard
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.testing import ThrowawayAuthority
from caracal_grpc.server import Server
from caracal_grpc.settings.serve import ServeSettings
from caracal_grpc.store.embedded import EmbeddedEtcd
from tests.bench.anchors import FOREVER, view_of

ECHO = "/bench.v1.Echo/Say"
TICK = "/bench.v1.Echo/Tick"
RULES = Rules.from_mapping(
    {
        ECHO: {"resource": "resource://echo", "scopes": ["echo:say"]},
        TICK: {"resource": "resource://echo", "scopes": ["echo:say"]},
    }
)


async def _say(request: bytes, context: Any) -> bytes:
    return request


async def _tick(request: bytes, context: Any) -> Any:
    yield request
    await asyncio.Event().wait()


def echo_server(*interceptors: grpc.aio.ServerInterceptor) -> tuple[grpc.aio.Server, str]:
    """A server of bytes, with or without a guard, and its address."""
    server = grpc.aio.server(interceptors=list(interceptors))
    handlers = {
        "Say": grpc.unary_unary_rpc_method_handler(_say),
        "Tick": grpc.unary_stream_rpc_method_handler(_tick),
    }
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("bench.v1.Echo", handlers),)
    )
    return server, f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"


async def authority() -> None:
    """An authority over a real etcd, and beside it, in the same process, a bare echo."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        write_secret_file(data / "kek", secrets.token_hex(32))
        async with EmbeddedEtcd(data / "etcd") as etcd:
            settings = ServeSettings.load(
                {
                    "listen": "127.0.0.1:0",
                    "public_url": "https://bench.example",
                    "etcd_endpoints": [etcd.endpoint],
                    "kek_file": data / "kek",
                    "ledger": data / "ledger.db",
                    "bootstrap_profile": data / "operator.json",
                }
            )
            server = Server(settings)
            await server.start()
            echo, address = echo_server()
            await echo.start()
            ready = {"profile": str(data / "operator.json"), "echo": address}
            await _until_told({**ready, "etcd": etcd.endpoint})
            await echo.stop(0)
            await server.stop()


async def replica(profile: str, etcd: str) -> None:
    """Another authority over the same etcd; `profile` lies beside what the first one keeps."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(
            ServeSettings.load(
                {
                    "listen": "127.0.0.1:0",
                    "public_url": "https://bench.example",
                    "etcd_endpoints": [etcd],
                    "kek_file": Path(profile).parent / "kek",
                    "ledger": Path(folder) / "ledger.db",
                    "bootstrap_profile": profile,
                }
            )
        )
        await _until_told({"address": await server.start()})
        await server.stop()


class Idle(grpc.aio.ServerInterceptor):
    """An interceptor that does nothing: what having one costs by itself."""

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        """The handler as it is."""
        return await continuation(details)


async def services(profile: str) -> None:
    """The same echo three times in one process: guarded, bare, and with an idle interceptor."""
    async with connect(Profile.load(profile)) as edge:
        guard = await edge.guard(rules=RULES)
        await edge.ready(10)
        servers = {
            "guarded": echo_server(guard),
            "bare": echo_server(),
            "idle": echo_server(Idle()),
        }
        for server, _ in servers.values():
            await server.start()
        await _until_told({name: address for name, (_, address) in servers.items()})
        for server, _ in servers.values():
            await server.stop(0)


async def checks(profile: str) -> None:
    """In one process a Check of ours, one that allows everything, and a service to put behind."""
    # What answers Envoy needs its stubs, which nothing else here does.
    from envoy.service.auth.v3 import external_auth_pb2, external_auth_pb2_grpc

    from caracal_grpc.mesh.server import MeshServer
    from caracal_grpc.settings.mesh import MeshSettings

    class Everything(external_auth_pb2_grpc.AuthorizationServicer):
        async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
            ok = external_auth_pb2.OkHttpResponse()
            return external_auth_pb2.CheckResponse(ok_response=ok)

    methods = {ECHO: {"resource": "resource://echo", "scopes": ["echo:say"]}}
    document = {"profile": profile, "listen": "127.0.0.1:0", "inbound": {"methods": methods}}
    ours = MeshServer(MeshSettings.load(document, Path()))
    everything = grpc.aio.server()
    external_auth_pb2_grpc.add_AuthorizationServicer_to_server(Everything(), everything)
    address = f"127.0.0.1:{everything.add_insecure_port('127.0.0.1:0')}"
    echo, service = echo_server()
    await everything.start()
    await echo.start()
    await _until_told({"ours": await ours.start(), "everything": address, "service": service})
    for server in (everything, echo):
        await server.stop(0)
    await ours.stop()


async def crowded(count: str) -> None:
    """The guarded echo twice in one process: beside `count` live revocations, and beside none."""
    authority = ThrowawayAuthority("bench")
    token = authority.mandate(resource="resource://echo", scopes="echo:say", ttl=900)
    guards = [_guard(view_of(authority, each)) for each in (int(count), 0)]
    servers = [echo_server(guard) for guard in guards]
    for server, _ in servers:
        await server.start()
    await _until_told({"many": servers[0][1], "none": servers[1][1], "token": token})
    for guard, (server, _) in zip(guards, servers, strict=True):
        await server.stop(0)
        await guard.close()


def _guard(view: View) -> AioGuard:
    clock = SystemClock()
    verifier = Verifier(view, clock=clock, max_staleness=FOREVER)
    return AioGuard(view, RULES, verifier, clock=clock)


async def _until_told(ready: dict[str, str]) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(json.dumps(ready), flush=True)
    await stop.wait()


if __name__ == "__main__":
    runs = {
        "authority": authority,
        "replica": replica,
        "services": services,
        "checks": checks,
        "crowded": crowded,
    }
    asyncio.run(runs[sys.argv[1]](*sys.argv[2:]))
