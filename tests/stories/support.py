"""What the stories are played with: an authority to kill, a guarded service, a ledger to check."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.interceptors import connect
from caracal_grpc.interceptors.client.channel import aio_channel
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.ledger.checks.export import Header, entry_line, header_line
from caracal_grpc.ledger.checks.verify import verify_file
from caracal_grpc.ledger.entries.stored import Stored
from caracal_grpc.v1 import audit_service_pb2
from tests.support.authority import Client, bearer
from tests.support.shop import ORDERS

ROOT = Path(__file__).parent.parent.parent
METHOD = "/shop.v1.Orders/Place"


@dataclass
class Child:
    """An authority in a process of its own, to be killed and started again."""

    values: dict[str, Any]
    process: asyncio.subprocess.Process | None = None
    address: str = ""

    async def start(self) -> str:
        """Starts it and returns its address."""
        settings = json.dumps(self.values, default=str)
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.stories.child",
            settings,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), 30)
        self.address = line.decode().strip()
        if not self.address:
            raise AssertionError((await self.process.communicate())[1].decode())
        return self.address

    async def ended(self) -> tuple[int, str]:
        """Its exit code and what it wrote to stderr, once it has ended."""
        assert self.process is not None
        _, errors = await asyncio.wait_for(self.process.communicate(), 30)
        assert self.process.returncode is not None
        return self.process.returncode, errors.decode()

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, and nothing answers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM."""
        assert self.process is not None
        self.process.terminate()

    async def stop(self) -> None:
        """Ends it if it still runs."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.communicate()


@asynccontextmanager
async def child(values: dict[str, Any]) -> AsyncIterator[Child]:
    """A started authority in its own process."""
    process = Child(values)
    try:
        await process.start()
        yield process
    finally:
        await process.stop()


@asynccontextmanager
async def client(process: Child, known: Client | None = None) -> AsyncIterator[Client]:
    """A client of the process, with the credentials of one that `known` has."""
    saved = Profile.load(process.values["bootstrap_profile"])
    profile = replace(saved, authority=process.address)
    async with aio_channel(profile) as channel:
        opened = Client(profile, channel)
        if known is not None:
            opened.credentials |= known.credentials
        yield opened


async def whole_ledger(caller: Client, zone: str = "shop") -> list[Any]:
    """Every entry of a zone, over the wire."""
    found: list[Any] = []
    token, metadata = "", await caller.operator()
    while True:
        request = audit_service_pb2.SearchRequest(zone=zone, page_size=1000, page_token=token)
        page = await caller.stubs.audit.Search(request, metadata=metadata)
        found += page.entries
        token = page.next_page_token
        if not token:
            return found


async def require_verified(caller: Client, zone: str = "shop") -> list[Any]:
    """Every entry of a zone; fails unless they are what the signed checkpoint covers."""
    request = audit_service_pb2.GetCheckpointRequest(zone=zone)
    metadata = await caller.operator()
    answer = await caller.stubs.audit.GetCheckpoint(request, metadata=metadata)
    checkpoint = answer.checkpoint
    entries = (await whole_ledger(caller, zone))[: checkpoint.size]
    origin = checkpoint.verifier_key.partition("+")[0]
    header = Header(zone, origin, checkpoint.verifier_key, checkpoint.note)
    stored = [Stored(each.index, each.canonical, each.leaf_hash) for each in entries]
    report = verify_file(
        [header_line(header), *map(entry_line, stored)],
        verifier_key=checkpoint.verifier_key,
        verify=verify_ed25519,
    )
    assert report.findings == (), report.findings
    return entries


@dataclass
class Guarded:
    """A service behind a guard. `ran` has, for each run of its handler, how many seconds old the
    guard's knowledge was.
    """

    address: str
    edge: Any
    channel: grpc.aio.Channel
    ran: list[float] = field(default_factory=list)

    async def place(self, token: str) -> bytes:
        """One call with a mandate."""
        answer: bytes = await self.channel.unary_unary(METHOD)(b"tea", metadata=bearer(token))
        return answer


def profile_of(caller: Client, name: str, authority: str = "") -> Profile:
    """The profile of an application of the shop, of the authority of `caller` unless told."""
    credential = caller.credentials["shop", name]
    return replace(
        caller.profile,
        authority=authority or caller.profile.authority,
        zone="shop",
        issuer="https://a.example/zones/shop",
        application_id=credential.application_id,
        client_secret=credential.client_secret,
        application_name=name,
    )


@asynccontextmanager
async def guarded(caller: Client, name: str, max_staleness: float) -> AsyncIterator[Guarded]:
    """The orders service, guarded with the profile of the application `name`."""
    profile = profile_of(caller, name)
    rules = Rules.from_mapping({METHOD: {"resource": ORDERS, "scopes": ["orders:place"]}})
    ran: list[float] = []

    async def place(request: bytes, context: Any) -> bytes:
        ran.append(edge._feed.view.age())
        return request

    async with connect(profile, max_staleness=max_staleness, rules=rules) as edge:
        server = grpc.aio.server(interceptors=[await edge.guard()])
        handlers = {"Place": grpc.unary_unary_rpc_method_handler(place)}
        generic = grpc.method_handlers_generic_handler("shop.v1.Orders", handlers)
        server.add_generic_rpc_handlers((generic,))
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        await edge.ready()
        async with grpc.aio.insecure_channel(address) as channel:
            yield Guarded(address, edge, channel, ran)
        await server.stop(None)
