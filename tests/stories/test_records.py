"""What edges decide while their authority is dead is in the ledger when it lives again, once."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import Recording
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.v1 import audit_pb2, audit_service_pb2
from tests.interceptors.records.edges import Guarding, guarding
from tests.stories.support import child, client, profile_of, require_verified
from tests.support.authority import Client, Running, bearer, eventually, reason_of, serve_values
from tests.support.etcd import EtcdProcess
from tests.support.shop import ORDERS, PAYMENTS, shop

METHOD = "/echo.v1.Echo/UnaryUnary"
RULES = Rules.from_mapping({METHOD: {"resource": ORDERS, "scopes": ["orders:place"]}})
DENY = audit_pb2.AUDIT_DECISION_DENY

pytestmark = pytest.mark.parametrize("kind", ["aio", "sync"])


async def decided(caller: Client) -> list[Any]:
    """What edges reported so far."""
    request = audit_service_pb2.SearchRequest(zone="shop", type="edge.decision", page_size=1000)
    answer = await caller.stubs.audit.Search(request, metadata=await caller.operator())
    return list(answer.entries)


async def until_recorded(caller: Client, count: int) -> list[Any]:
    """What edges reported, once it is that many."""

    async def there() -> bool:
        return len(await decided(caller)) >= count

    await eventually(there)
    return await decided(caller)


async def ready(edge: Guarding) -> None:
    """Returns when the guards can judge."""
    waiting = edge.edge.ready
    if inspect.iscoroutinefunction(waiting):
        await waiting(20)
    else:
        await asyncio.to_thread(waiting, 20)


async def say(edge: Guarding, token: str | None = None, request_id: str = "r") -> Reason | None:
    """One call; why it was refused."""
    metadata = (*(bearer(token) if token else ()), ("x-request-id", request_id))
    call = edge.stubs["UnaryUnary"](StringValue(value="tea"), metadata=metadata, timeout=10)
    return await reason_of(call)


async def test_refusals_of_each_kind_are_in_the_ledger(kind: str, authority: Running) -> None:
    """With reason, mandate and request id, and by whose word; explained by their ids."""
    granted = await authority.exchange("agent", ORDERS, "orders:place")
    weak = await authority.exchange("agent", ORDERS, "orders:cancel")
    other = await authority.exchange("orders", PAYMENTS, "payments:charge")
    profile = profile_of(authority, "orders")
    async with guarding(kind, profile, rules=RULES, record=Recording(sampling_rate=1.0)) as edge:
        await ready(edge)
        assert await say(edge, granted.mandate, "r-1") is None
        assert await say(edge, None, "r-2") is Reason.MANDATE_MISSING
        assert await say(edge, weak.mandate, "r-3") is Reason.SCOPE_INSUFFICIENT
        assert await say(edge, other.mandate, "r-4") is Reason.AUDIENCE_MISMATCH
        await authority.revoke(granted.jti)

        async def dead() -> bool:
            return await say(edge, granted.mandate, "r-5") is Reason.MANDATE_REVOKED

        await eventually(dead)
        entries = await until_recorded(authority, 5)
    found = {each.request_id: (each.reason, each.jti) for each in entries}
    assert found["r-1"] == ("", granted.jti)
    assert found["r-2"] == ("MANDATE_MISSING", "")
    assert found["r-3"] == ("SCOPE_INSUFFICIENT", weak.jti)
    assert found["r-4"] == ("AUDIENCE_MISMATCH", other.jti)
    by_reason = {each.reason: each for each in entries}
    revoked = by_reason["MANDATE_REVOKED"]
    assert (revoked.decision, revoked.jti, revoked.resource) == (DENY, granted.jti, ORDERS)
    assert json.loads(revoked.canonical)["details"]["edge"] == profile.application_id
    request = audit_service_pb2.ExplainRequest(zone="shop", audit_id=revoked.id)
    answer = await authority.stubs.audit.Explain(request, metadata=await authority.operator())
    assert answer.steps[-1].text == "refused: MANDATE_REVOKED"
    assert not answer.HasField("mandate")
    request = audit_service_pb2.ExplainRequest(zone="shop", jti=granted.jti)
    answer = await authority.stubs.audit.Explain(request, metadata=await authority.operator())
    assert (answer.entry.type, answer.entry.id) == ("exchange", granted.audit_id)
    everything = str([each.canonical for each in entries])
    assert not any(part in everything for part in weak.mandate.split("."))


@asynccontextmanager
async def killable(folder: Path, etcd: EtcdProcess) -> AsyncIterator[tuple[Any, Client]]:
    """An authority in a process of its own, with the shop declared."""
    async with AsyncExitStack() as closing:
        process = await closing.enter_async_context(child(serve_values(folder, etcd)))
        process.values["listen"] = process.address
        caller = await closing.enter_async_context(client(process))
        await caller.apply(shop())
        yield process, caller


async def stale(edge: Guarding, token: str) -> None:
    """Returns when the guard refuses for want of its authority."""

    async def refuses() -> bool:
        return await say(edge, token) is Reason.AUTHORITY_STALE

    await eventually(refuses)


async def test_nothing_is_lost_or_doubled_when_the_authority_dies(
    kind: str, tmp_path: Path, etcd: EtcdProcess
) -> None:
    """1. Refusals are recorded. 2. The authority is killed: they wait, in memory and file. 3. The
    edge is restarted, and goes on. 4. The authority is back: all is in its ledger, each once.
    """
    spill = tmp_path / "spill"
    recording = Recording(sampling_rate=1.0, buffer=40, spill=spill)
    async with killable(tmp_path, etcd) as (process, caller):
        profile: Profile = profile_of(caller, "orders")
        token = (await caller.exchange("agent", ORDERS, "orders:place")).mandate
        how: dict[str, Any] = {"rules": RULES, "record": recording, "max_staleness": 1.0}
        async with guarding(kind, profile, **how) as edge:
            await ready(edge)
            assert await say(edge, token, "first") is None
            await until_recorded(caller, 1)
            process.kill()
            await process.ended()
            await stale(edge, token)
            for number in range(60):
                await say(edge, None, f"one-{number}")
                await asyncio.sleep(0.01)

            async def spilled() -> bool:
                return spill.stat().st_size > 0

            await eventually(spilled)
            assert edge.edge.dropped == 0
        kept = spill.read_text().splitlines()
        assert {f"one-{number}" for number in range(60)} <= _request_ids(kept)
        assert token.split(".")[2] not in spill.read_text()
        async with guarding(kind, profile, **how) as edge:
            for number in range(25):
                await say(edge, None, f"two-{number}")
            await process.start()
            await ready(edge)
            assert await say(edge, token, "last") is None

            async def delivered() -> bool:
                return spill.stat().st_size == 0 and edge.outbox.waiting == 0

            await eventually(delivered)
            assert edge.edge.dropped == 0
        async with client(process, caller) as back:
            entries = [e for e in await require_verified(back) if e.type == "edge.decision"]
    names = [each.request_id for each in entries]
    expected = [f"one-{n}" for n in range(60)] + [f"two-{n}" for n in range(25)]
    assert [name for name in names if "-" in name] == expected, "in their order, each once"
    assert (names.count("first"), names.count("last")) == (1, 1)
    assert {json.loads(line)["id"] for line in kept} <= {each.id for each in entries}


def _request_ids(lines: list[str]) -> set[str]:
    return {json.loads(line)["request_id"] for line in lines}
