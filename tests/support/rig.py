"""The authority in this process: every use case, real ledger and policy engine, time by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from caracal_grpc.authority.authority import Authority
from caracal_grpc.authority.exchange.case import ExchangeRequest, Issued
from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.keys.signers import Signers
from caracal_grpc.authority.state.places import UNMIRRORED
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.zones.change import Credential
from caracal_grpc.authority.zones.zones import Applied
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import AUTHORITY_RESOURCE
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.crypto.key_encryption import Keks
from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.ledger.port import EVERYTHING, Filter
from caracal_grpc.ledger.sql import SqlLedger
from caracal_grpc.outbound.egress import LOOPBACK
from caracal_grpc.outbound.http import HttpOutbound
from caracal_grpc.policy.engines import engine
from caracal_grpc.policy.port import Engine
from caracal_grpc.services import zone_parse
from caracal_grpc.store.memory import MemoryStore
from caracal_grpc.store.mirror import Mirror
from caracal_grpc.store.port import Store
from tests.support.clock import FakeClock
from tests.support.shop import shop, zone_message

MAX_STALENESS = 5.0
BEAT = 0.02
OPERATOR_SCOPES = ["caracal:zones:write", "caracal:zones:read", "caracal:sessions:admin"]


@dataclass
class Rig:
    """One replica of the authority, and the short words in which tests speak to it."""

    clock: FakeClock
    store: Store
    mirror: Mirror
    state: State
    keyring: Keyring
    ledger: SqlLedger
    authority: Authority
    credentials: dict[tuple[str, str], Credential] = field(default_factory=dict)
    operator: Mandate | None = None

    async def apply(self, zone: dict[str, Any], *, prune: bool = True, **how: Any) -> Applied:
        """Declares the whole of a zone, or with `prune=False` a part, and keeps the credentials.

        Whoever does it is the operator, once there is one.
        """
        declared = await zone_parse.parse(zone_message(zone))
        applied = await self.authority.zones.apply(self.operator, declared, prune=prune, **how)
        for credential in applied.credentials:
            self.credentials[zone["name"], credential.application.name] = credential
        return applied

    def request(self, name: str, resource: str, *scopes: str, **more: Any) -> ExchangeRequest:
        """An exchange of the application `name`; `more` are fields of the request."""
        zone = more.pop("zone", "shop")
        credential = self.credentials[zone, name]
        request = ExchangeRequest(
            zone, credential.application.id, credential.secret, resource, frozenset(scopes)
        )
        return replace(request, **more)

    async def exchange(self, name: str, resource: str, *scopes: str, **more: Any) -> Issued:
        """What the application `name` is granted."""
        request = self.request(name, resource, *scopes, **more)
        return await self.authority.exchange.issue(request)

    async def caller(self, name: str, zone: str = "shop") -> Mandate:
        """The mandate with which the application calls the authority itself."""
        return (await self.exchange(name, AUTHORITY_RESOURCE, zone=zone)).mandate

    def application(self, name: str, zone: str = "shop") -> str:
        """The id of an application."""
        return self.credentials[zone, name].application.id

    def standing(self, name: str, zone: str = "shop") -> str:
        """The standing session of an application."""
        found = self.state.application(zone, self.application(name, zone))
        assert found is not None
        return found.standing_session

    async def entries(self, zone: str = "shop", query: Filter = EVERYTHING) -> list[Entry]:
        """What the ledger holds of a zone, oldest first; every entry as it was recorded."""
        page = await self.ledger.search(zone, query, page_size=1000)
        assert all(stored.intact for stored in page.entries)
        return [stored.entry for stored in page.entries if stored.entry is not None]

    async def last(self, zone: str = "shop") -> Entry:
        """The newest entry."""
        return (await self.entries(zone))[-1]

    async def advance(self, seconds: float) -> None:
        """Lets time pass; the store goes on proving that it is there."""
        self.clock.advance(seconds)
        await self.fresh()

    async def loaded(self) -> None:
        """Returns when every replica has said that it has loaded what decides in each zone."""
        assert self.operator is not None
        status = self.authority.activations.status
        async with asyncio.timeout(10):
            for zone in self.state.zones():
                while {each.state for each in status(self.operator, zone.name).loads} - {"loaded"}:
                    await asyncio.sleep(BEAT / 2)

    async def fresh(self) -> None:
        """Returns when the view of the store is proven current."""
        async with asyncio.timeout(5):
            while self.state.age() > 1:
                await asyncio.sleep(BEAT / 2)


def memory_store(clock: FakeClock) -> MemoryStore:
    """A store in memory that beats often."""
    return MemoryStore(clock, beat_interval=BEAT)


@asynccontextmanager
async def open_rig(
    folder: Path,
    store: Store,
    clock: FakeClock,
    *,
    kek: Kek | None = None,
    keks: Keks | None = None,
    ledger: str = "ledger",
    policies: Engine | None = None,
) -> AsyncIterator[Rig]:
    """A replica over `store`, its ledger in `folder`. The store stays open."""
    async with AsyncExitStack() as closing:
        mirror = Mirror(store, clock, without=UNMIRRORED)
        closing.push_async_callback(mirror.close)
        await mirror.start()
        state = State(mirror, clock, MAX_STALENESS)
        closing.callback(state.close)
        keyring = Keyring(state, keks or Keks(kek or Kek.generate()), clock)
        closing.push_async_callback(keyring.close)
        await keyring.start()
        books = await SqlLedger.open(
            folder / f"{ledger}.db", Signers(state, keyring), verify_ed25519
        )
        closing.push_async_callback(books.close)
        rules = policies or engine(monotonic=clock.monotonic)
        closing.push_async_callback(rules.close)
        outbound = HttpOutbound(LOOPBACK)
        closing.push_async_callback(outbound.close)
        authority = Authority(
            store,
            state,
            keyring,
            books,
            rules,
            clock,
            SystemIds(),
            "https://a.example/",
            outbound,
        )
        closing.push_async_callback(authority.close)
        await authority.start()
        rig = Rig(clock, store, mirror, state, keyring, books, authority)
        await rig.fresh()
        yield rig


@contextmanager
def ledger_down(rig: Rig) -> Iterator[None]:
    """A ledger that takes no entry."""

    async def fail(_: Any) -> None:
        raise CaracalError(Reason.AUDIT_UNAVAILABLE, "the disk is full")

    with patch.multiple(rig.ledger, append=fail, append_all=fail):
        yield


async def settle(rig: Rig) -> Rig:
    """The authority's own zone with its operator, and the shop."""
    grant = {"application": "operator", "resource": AUTHORITY_RESOURCE, "scopes": OPERATOR_SCOPES}
    own = {"name": "caracal", "applications": [{"name": "operator"}], "policy": {"grants": [grant]}}
    await rig.apply(own)
    rig.operator = await rig.caller("operator", "caracal")
    await rig.apply(shop())
    await rig.loaded()
    return rig
