"""A service without any code of ours, behind a real Envoy that asks a real mesh process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.store import etcd_launcher
from tests.support.authority import bearer, eventually
from tests.support.envoy import Configuration, Envoy, envoy
from tests.support.raw_http import Answered, Headers, exchange
from tests.support.shop import ORDERS
from tests.support.web import Answer, Request, WebServer

SERVICE = "shop.v1.Orders"
PLACE = f"/{SERVICE}/Place"
CANCEL = f"/{SERVICE}/Cancel"
ONCE = f"/{SERVICE}/Once"
LIST = f"/{SERVICE}/List"
SUM = f"/{SERVICE}/Sum"
TALK = f"/{SERVICE}/Talk"
FOLLOW = f"/{SERVICE}/Follow"
PING = f"/{SERVICE}/Ping"

_PLACING = {"resource": ORDERS, "scopes": ["orders:place"]}
INBOUND: dict[str, Any] = {
    "methods": {
        **dict.fromkeys((PLACE, LIST, SUM, TALK, FOLLOW), _PLACING),
        CANCEL: {"resource": ORDERS, "scopes": ["orders:track"]},
        ONCE: {**_PLACING, "single_use": True},
        PING: {"public": True, "public_reason": "a test"},
    },
    "routes": [
        {"path": "/orders/{order_id}", "methods": ["GET", "POST"], **_PLACING},
        {"path": "/orders/{order_id}:track", "resource": ORDERS, "scopes": ["orders:track"]},
        {"path": "/about", "public": True, "public_reason": "a test"},
    ],
}
"""Placing is what the agent of the shop may; tracking is what nobody granted it."""

_LAUNCHER = Path(etcd_launcher.__file__)
_ROOT = Path(__file__).parent.parent.parent
_PATIENCE = 60.0


@dataclass
class Seen:
    """A request as the service got it."""

    method: str
    metadata: tuple[tuple[str, str | bytes], ...]
    remaining: float | None
    """Seconds that it was given."""

    def all(self, name: str) -> list[str | bytes]:
        """Every value of a header."""
        return [value for each, value in self.metadata if each == name]

    @property
    def names(self) -> set[str]:
        """The names of its headers."""
        return {name for name, _ in self.metadata}


@dataclass
class PlainService:
    """A gRPC service as anybody writes one. It remembers what reached it."""

    address: str = ""
    seen: list[Seen] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    """The methods of the streams that have ended."""

    def handlers(self) -> grpc.GenericRpcHandler:
        """Its methods, over bytes as they come."""
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        methods = {name: unary(self._same) for name in ("Place", "Cancel", "Once", "Ping")}
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                **methods,
                "List": stream(self._list),
                "Follow": stream(self._follow),
                "Sum": grpc.stream_unary_rpc_method_handler(self._sum),
                "Talk": grpc.stream_stream_rpc_method_handler(self._talk),
            },
        )

    def _see(self, method: str, context: Any) -> None:
        metadata = tuple(context.invocation_metadata())
        self.seen.append(Seen(method, metadata, context.time_remaining()))

    async def _same(self, request: bytes, context: Any) -> bytes:
        self._see("unary", context)
        return request

    async def _list(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        self._see(LIST, context)
        for each in request:
            yield bytes([each])

    async def _follow(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        self._see(FOLLOW, context)
        try:
            yield request
            await asyncio.Event().wait()
        finally:
            self.ended.append(FOLLOW)

    async def _sum(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        self._see(SUM, context)
        return b"".join([each async for each in requests])

    async def _talk(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        self._see(TALK, context)
        async for each in requests:
            yield each


@asynccontextmanager
async def plain_service() -> AsyncIterator[PlainService]:
    """The service on loopback, in plaintext."""
    service = PlainService()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((service.handlers(),))
    service.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield service
    finally:
        await server.stop(None)


class PlainWeb(WebServer):
    """An HTTP service that answers everything with what was asked, and begins a session."""

    def answer(self, request: Request) -> Answer:
        """200, with the path in it."""
        session = {"Set-Cookie": "session=of-the-service; HttpOnly"}
        return Answer(json.dumps({"path": request.path}).encode(), headers=session)


@dataclass
class MeshProcess:
    """`caracal-grpc mesh serve` in a process of its own, to be killed and frozen."""

    file: Path
    address: str = ""
    process: asyncio.subprocess.Process | None = None

    @property
    def log(self) -> str:
        """What it has said."""
        return self.file.with_suffix(".log").read_text()

    async def start(self) -> None:
        """Starts it, and returns when it answers, though it may refuse everything as yet."""
        arguments = ("-m", "caracal_grpc", "mesh", "serve", str(self.file), "--json")
        with self.file.with_suffix(".log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, str(_LAUNCHER), str(os.getpid()), sys.executable),
                *arguments,
                cwd=_ROOT,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert self.process.stdout is not None
        async with asyncio.timeout(_PATIENCE):
            line = await self.process.stdout.readline()
        assert line, self.log
        self.address = json.loads(line)["mesh"]

    async def judges(self) -> None:
        """Returns once it says that it judges."""

        async def serving() -> bool:
            async with grpc.aio.insecure_channel(self.address) as channel:
                stub = health_pb2_grpc.HealthStub(channel)
                answer = await stub.Check(health_pb2.HealthCheckRequest())
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

        await eventually(serving, timeout=_PATIENCE)

    async def kill(self) -> None:
        """SIGKILL, and nothing is left of it when this returns."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def freeze(self) -> None:
        """SIGSTOP: connections stay open, and nothing answers once this returns."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        stat = Path(f"/proc/{self.process.pid}/stat")
        async with asyncio.timeout(10):
            while stat.read_text().rpartition(")")[2].split()[0] != "T":
                await asyncio.sleep(0.005)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Its exit code after a signal."""
        assert self.process is not None
        self.process.send_signal(number)
        async with asyncio.timeout(30):
            return await self.process.wait()

    async def stop(self) -> None:
        """Ends it if it still runs."""
        if self.process is not None and self.process.returncode is None:
            await self.kill()


@dataclass
class Sidecar:
    """All of it, and the short words of tests for it."""

    service: PlainService
    web: PlainWeb
    mesh: MeshProcess
    envoy: Envoy
    channel: grpc.aio.Channel

    async def call(self, token: str = "", method: str = PLACE, *more: tuple[str, str]) -> bytes:
        """A unary call by a real client of gRPC; empty for no mandate."""
        metadata = (*(bearer(token) if token else ()), *more)
        call = self.channel.unary_unary(method)
        answer: bytes = await call(b"tea", metadata=metadata, timeout=_PATIENCE)
        return answer

    async def http(
        self, token: str, method: str, target: str, headers: Headers = (), body: bytes = b""
    ) -> Answered:
        """A request over plain HTTP; empty for no mandate."""
        shown = (("Authorization", f"Bearer {token}"), *headers) if token else headers
        return await exchange(self.envoy.address(), method, target, shown, body)

    async def eventually_passes(self, token: str) -> None:
        """Returns once a call with it is answered."""

        async def passes() -> bool:
            try:
                return await self.call(token) == b"tea"
            except grpc.aio.AioRpcError:
                return False

        await eventually(passes)

    @property
    def reached(self) -> int:
        """How many requests have reached either service."""
        return len(self.service.seen) + len(self.web.requests)

    async def require_closed(self) -> None:
        """Fails when anything has ever been let through because nobody could be asked."""
        stats = await self.envoy.stats()
        assert stats.get("failure_mode_allowed", 0) == 0
        assert stats.get("disabled", 0) == 0


def write_mesh(folder: Path, profile: Profile, **changes: Any) -> Path:
    """`mesh.yaml` with a unix socket, and its profile, in a folder of its own."""
    folder.mkdir(exist_ok=True)
    file, saved = folder / "mesh.yaml", folder / "profile.json"
    saved.unlink(missing_ok=True)
    profile.save(saved)
    settings = {
        "profile": saved.name,
        "listen": f"unix:{folder}/run/mesh.sock",
        "drain_seconds": 1,
        "inbound": INBOUND,
    }
    file.write_text(json.dumps(settings | changes, indent=2))  # which is YAML, without aliases
    return file


@asynccontextmanager
async def mesh_process(file: Path) -> AsyncIterator[MeshProcess]:
    """A started mesh process."""
    made = MeshProcess(file)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


@asynccontextmanager
async def sidecar(
    folder: Path,
    profile: Profile,
    *,
    configuration: Configuration | None = None,
    check: Callable[[str], Awaitable[str]] | None = None,
    patience: float = _PATIENCE,
    ready: bool = True,
    **settings: Any,
) -> AsyncIterator[Sidecar]:
    """The two services behind the sidecar of the examples, unless another is given.

    `check` says where Envoy asks, by where the mesh process answers. It is waited for to judge, if
    `ready`; `settings` are changed in `mesh.yaml`.
    """
    async with AsyncExitStack() as closing:
        service = await closing.enter_async_context(plain_service())
        web = PlainWeb()
        await web.start()
        closing.push_async_callback(web.stop)
        file = write_mesh(folder / "mesh", profile, **settings)
        mesh = await closing.enter_async_context(mesh_process(file))
        configuration = (configuration or Configuration("sidecar.yaml")).patience(patience)
        asked = await check(mesh.address) if check is not None else mesh.address
        configuration.cluster("caracal_check", asked)
        configuration.cluster("service_grpc", service.address)
        configuration.cluster("service_http", f"127.0.0.1:{web.port}")
        proxy = await closing.enter_async_context(envoy(folder / "envoy", configuration))
        channel = grpc.aio.insecure_channel(proxy.address())
        await closing.enter_async_context(channel)
        if ready:
            await mesh.judges()
        made = Sidecar(service, web, mesh, proxy, channel)
        yield made
        await made.require_closed()
