"""The real authority as the model sees it: an answer to each question, and an edge that judges."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from caracal_grpc.authority.revocation.feed import FeedHeartbeat, FeedSnapshot
from caracal_grpc.authority.state.bucket import Bucket, Buckets
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.rule import Rule
from caracal_grpc.core.user import User
from caracal_grpc.interceptors.feed.feed_view import FeedView
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.services import revocation as on_the_wire
from tests.authority.sessions.desk import KnownUsers
from tests.model import reference
from tests.support.clock import FakeClock
from tests.support.rig import Rig, memory_store, open_rig, settle

WORKERS = ("anna", "bert", reference.BOUNDED, reference.WITHOUT_MAIL)
REVIEWER = "boss"
USERS = ("kim", "lee")

T = TypeVar("T")


def declared(zone: str, visibility: str) -> dict[str, Any]:
    """A zone in which every worker may do all on behalf of all, but for what the model says."""
    grants = [
        {"application": name, "resource": resource, "scopes": sorted(scopes), "subjects": ["*"]}
        for name in WORKERS
        for resource, scopes in reference.SCOPES.items()
        if (name, resource) != (reference.WITHOUT_MAIL, reference.MAIL)
    ]
    for grant in grants:
        if grant["resource"] == reference.DOCS:
            grant["step_up"] = [reference.DROP]
    decide = ["caracal:approvals:decide"]
    grants.append({"application": REVIEWER, "resource": "resource://caracal", "scopes": decide})
    applications: list[dict[str, Any]] = [{"name": name} for name in (*WORKERS, REVIEWER)]
    applications[WORKERS.index(reference.BOUNDED)]["ceiling"] = [
        {"resource": name, "scopes": sorted(scopes)}
        for name, scopes in reference.OWN_CEILING.items()
    ]
    return {
        "name": zone,
        "applications": applications,
        "resources": [
            {
                "name": name,
                "scopes": sorted(scopes),
                "max_ttl_seconds": reference.LONGEST[name],
            }
            for name, scopes in reference.SCOPES.items()
        ],
        "policy": {"grants": grants},
        "settings": {
            "max_hops": reference.MOST_HOPS,
            "chain_visibility": f"CHAIN_VISIBILITY_{visibility}",
        },
    }


@dataclass
class Edge:
    """What a guard knows of the zone, from the messages of the feed as they travel."""

    rig: Rig
    zone: str
    view: FeedView = field(init=False)
    _asked: asyncio.Event = field(default_factory=asyncio.Event)
    _reading: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        issuer = f"https://a.example/zones/{self.zone}"
        self.view = FeedView(zone=self.zone, issuer=issuer, clock=self.rig.clock)

    async def start(self) -> None:
        """Begins to follow."""
        self.view.begin()
        self._reading = asyncio.create_task(self._read())
        await self.caught_up()

    async def close(self) -> None:
        """Ends."""
        assert self._reading is not None
        self._reading.cancel()
        with suppress(asyncio.CancelledError):
            await self._reading

    async def caught_up(self) -> None:
        """Returns when it has applied all that the authority knows now."""
        feed = self.rig.authority.feed
        self._asked.clear()
        async with asyncio.timeout(10):
            while not self._asked.is_set():
                feed.want(self.zone, 0)
                feed.want(self.zone, 1 << 62)
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await self._asked.wait()
        feed.want(self.zone, 0)

    async def _read(self) -> None:
        async with aclosing(self.rig.authority.feed.events(self.zone, "app_edge")) as events:
            async for event in events:
                if isinstance(event, FeedSnapshot) and event.begins:
                    begun = self.rig.authority.feed.beat(0)
                    self.view.apply(on_the_wire._heartbeat(begun, event.begins))
                for message in on_the_wire._messages(event):
                    self.view.apply(message)
                if isinstance(event, FeedHeartbeat) and event.acknowledge:
                    self._asked.set()


@dataclass
class Stage:
    """One replica, and a loop of its own that runs only while it is asked something."""

    runner: asyncio.Runner
    rig: Rig
    zones: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`."""
        return self.runner.run(work)

    def asked(self, work: Awaitable[T]) -> T | CaracalError:
        """What is answered: a value or a refusal."""

        async def answer() -> T | CaracalError:
            try:
                return await work
            except CaracalError as refusal:
                return refusal

        return self.run(answer())

    def open(self, visibility: str) -> Edge:
        """A new zone, and an edge of it."""
        zone = f"zone-{next(self.zones)}"
        self.run(self.rig.apply(declared(zone, visibility)))
        edge = Edge(self.rig, zone)
        self.run(edge.start())
        return edge

    def verdicts(self, edge: Edge, token: str, resource: str, scopes: frozenset[str]) -> set[str]:
        """What is said to a mandate by a guard, and by the authority when it is shown to it: one
        reason, or nothing when it passes.
        """
        rule = Rule("/model.Service/Call", resource, scopes)
        guard = Verifier(edge.view, clock=self.rig.clock)
        shown = self.rig.authority.consumption._presented
        return {
            _said(lambda: guard.verify(token, rule)),
            _said(lambda: shown.judge(shown.read(token), edge.zone, bound=False)),
        }


def _said(judged: Callable[[], object]) -> str:
    try:
        judged()
    except CaracalError as refusal:
        return refusal.reason.value
    return ""


def known_user(name: str) -> User:
    """The person of that name."""
    return User("https://login.example", name)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Rig]:
    """An authority over memory that knows the users by their tokens."""
    clock = FakeClock()
    async with AsyncExitStack() as closing:
        store = memory_store(clock)
        closing.push_async_callback(store.close)
        rig = await settle(await closing.enter_async_context(open_rig(folder, store, clock)))
        known = {f"token-of-{name}": known_user(name) for name in USERS}
        rig.authority.sessions._users = KnownUsers(known)  # type: ignore[assignment]
        rig.authority.clients._failures = Buckets(lambda: Bucket(clock, 1e9, 1e9, ""))
        yield rig
