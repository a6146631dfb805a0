"""A service that is not told who is behind a call still refuses it once any of them is revoked."""

from __future__ import annotations

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.v1 import session_service_pb2, token_service_pb2
from tests.stories.support import Guarded, guarded
from tests.support.authority import Running, Starter, eventually, reason_of
from tests.support.relay import relay
from tests.support.shop import ORDERS


async def passed(caller: Running, *workers: str) -> token_service_pb2.ExchangeResponse:
    """A mandate of the last worker, on behalf of the agent over all others."""
    answer = await caller.exchange("agent", ORDERS, "orders:place")
    for worker in workers:
        answer = await caller.exchange(worker, ORDERS, "orders:place", subject_token=answer.mandate)
    return answer


async def standing(caller: Running, name: str) -> str:
    """The standing session of an application."""
    application = caller.credentials["shop", name].application_id
    request = session_service_pb2.SessionServiceListRequest(zone="shop", application_id=application)
    answer = await caller.stubs.sessions.List(request, metadata=await caller.operator())
    (found,) = (each.id for each in answer.sessions if each.standing)
    return str(found)


async def refuses(service: Guarded, token: str) -> None:
    """Returns when the guard refuses the mandate as revoked."""

    async def holds() -> bool:
        return await reason_of(service.place(token)) is Reason.MANDATE_REVOKED

    await eventually(holds)


@pytest.mark.parametrize("mode", ["HASHED", "LAST"])
async def test_every_edge_refuses_when_somebody_hidden_is_revoked(
    start_authority: Starter, mode: str
) -> None:
    """An application in the middle, and a session of another, each by its id alone."""
    caller = await start_authority()
    settings = {"chain_visibility": f"CHAIN_VISIBILITY_{mode}"}
    await caller.apply(relay(settings=settings))
    async with guarded(caller, "orders", max_staleness=10) as service:
        # 1. Three workers act for the agent, and the service lets them in.
        first = await passed(caller, "first", "second", "third")
        assert await service.place(first.mandate) == b"tea"
        # 2. The one in the middle is revoked: the guard, which cannot name it, refuses.
        middle = caller.credentials["shop", "second"].application_id
        await caller.revoke(middle)
        await refuses(service, first.mandate)
        # 3. Others go on without it, until the session of the first of them ends.
        other = await passed(caller, "first", "third")
        assert await service.place(other.mandate) == b"tea"
        await caller.revoke(await standing(caller, "first"))
        await refuses(service, other.mandate)
