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

from caracal_grpc.config import ServeSettings
from caracal_grpc.crypto.secret_file import write_secret_file
from caracal_grpc.interceptors import Profile, Rules, connect
from caracal_grpc.server import Server
from caracal_grpc.store.embedded import EmbeddedEtcd

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
            await _until_told({"profile": str(data / "operator.json"), "echo": address})
            await echo.stop(0)
            await server.stop()


async def services(profile: str) -> None:
    """The same echo twice in one process: guarded and bare."""
    async with connect(Profile.load(profile)) as edge:
        guarded, at = echo_server(await edge.guard(rules=RULES))
        await edge.ready(10)
        bare, bare_at = echo_server()
        await guarded.start()
        await bare.start()
        await _until_told({"guarded": at, "bare": bare_at})
        await guarded.stop(0)
        await bare.stop(0)


async def _until_told(ready: dict[str, str]) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(json.dumps(ready), flush=True)
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(authority() if sys.argv[1] == "authority" else services(sys.argv[2]))
