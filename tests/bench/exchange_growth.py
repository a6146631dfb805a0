"""The exchange beside many applications and many live revocations: as fast as beside few."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from caracal_grpc.authority.authority import Authority
from caracal_grpc.authority.exchange.case import ExchangeRequest, Issued
from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.state.places import revocation_place
from caracal_grpc.authority.zones.declaration import Declaration, DeclaredApplication, Settings
from caracal_grpc.core.zone import Resource
from caracal_grpc.store.memory import MemoryStore
from caracal_grpc.store.port import Event, Record, Snapshot
from tests.bench.alone import alone
from tests.bench.anchors import anchor
from tests.bench.load import drive
from tests.bench.row import Row, median
from tests.bench.scale import Scale
from tests.support.clock import FakeClock
from tests.support.rig import BEAT, open_rig

FEW = 10
_CALLERS = 64
_ECHO = Resource("resource://echo", frozenset({"echo:say"}))
_ZONE = "bench"
_UNLIMITED = Settings(
    application_rate=100_000,
    application_burst=1_000_000,
    zone_rate=1_000_000,
    zone_burst=10_000_000,
)
"""The most that a zone may be told: what is measured is not the limit, and time stands still."""

Call = Callable[[], Awaitable[Issued]]


async def measure(scale: Scale) -> list[Row]:
    """Exchanges a second in a process of their own, without gRPC: what grows cannot hide in it."""
    applications, revocations = scale.applications, scale.revocations
    taken = await alone("exchange_growth", applications, revocations, scale.seconds, scale.rounds)
    return [
        _row(
            f"exchange beside {applications:,} applications with grants / beside {FEW}, throughput",
            taken["applications"],
        ),
        _row(
            f"exchange beside {revocations:,} live revocations / beside none, throughput",
            taken["revocations"],
        ),
    ]


def _row(name: str, taken: list[tuple[float, float]]) -> Row:
    detail = f"{median([x for x, _ in taken]):,.0f} a second, {_CALLERS} callers, without gRPC"
    return Row(name, median([x / y for x, y in taken]), "x", 0.9, "at least", detail)


class _RevokedStore(MemoryStore):
    """A store whose snapshots hold `revoked` besides: as it looks to a mirror, at no other cost."""

    revoked: tuple[Record, ...] = ()

    async def watch(self) -> AsyncGenerator[Event, None]:
        """The watch of the store, with those revocations in its snapshots."""
        async for event in super().watch():
            if isinstance(event, Snapshot):
                yield replace(event, records=(*event.records, *self.revoked))
            else:
                yield event


@asynccontextmanager
async def _authority(folder: Path, applications: int, revocations: int) -> AsyncIterator[Call]:
    """An authority with so much in it, and one exchange there of an application in the middle."""
    clock = FakeClock()  # it stands still: nothing here is about time
    store = _RevokedStore(clock, beat_interval=BEAT)
    value = {"anchor": "", "revoked_at": 0.0, "reason": "", "actor": ""}
    store.revoked = tuple(
        Record(revocation_place(_ZONE, anchor(number)), value, 1) for number in range(revocations)
    )
    async with open_rig(folder, store, clock, ledger=f"{applications}-{revocations}") as rig:
        request = await _applied(rig.authority, applications)
        yield lambda: rig.authority.exchange.issue(request)


async def _applied(authority: Authority, applications: int) -> ExchangeRequest:
    """The zone and its grants; the request is of the application in their middle."""
    names = [f"caller-{number}" for number in range(applications)]
    scopes = sorted(_ECHO.scopes)
    declared = Declaration(
        _ZONE,
        tuple(DeclaredApplication(name) for name in names),
        (_ECHO,),
        Content(
            tuple({"application": name, "resource": _ECHO.name, "scopes": scopes} for name in names)
        ),
        _UNLIMITED,
    )
    applied = await authority.zones.apply(None, declared)
    made = applied.credentials[len(names) // 2]
    return ExchangeRequest(_ZONE, made.application.id, made.secret, _ECHO.name, _ECHO.scopes)


async def exchanges(
    applications: int, revocations: int, seconds: float, rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """Exchanges a second beside much of one kind, and beside little, in turn."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sizes = {
            "few": (FEW, 0),
            "applications": (applications, 0),
            "revocations": (FEW, revocations),
        }
        calls = {
            name: await stack.enter_async_context(_authority(folder, *size))
            for name, size in sizes.items()
        }
        rates: dict[str, list[float]] = {name: [] for name in calls}
        for turn in range(rounds + 1):
            for name, call in calls.items():
                load = await drive(call, seconds if turn else seconds / 4, _CALLERS)
                rates[name].append(load.rate)
    few = rates.pop("few")[1:]  # the first turn warms up
    return {name: list(zip(much[1:], few, strict=True)) for name, much in rates.items()}


if __name__ == "__main__":
    _many, _seconds, _rounds = [int(each) for each in sys.argv[1:3]], sys.argv[3], sys.argv[4]
    print(json.dumps(asyncio.run(exchanges(*_many, float(_seconds), int(_rounds)))))
