"""Two replicas over one etcd: what is passed on is refused, or dies with what it came from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from caracal_grpc.authority.delegations.delegation import DelegationRequest
from caracal_grpc.authority.delegations.delegations import DelegationChange
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from tests.support.refusals import refused
from tests.support.relay import PLACE, delegate, landing, reach, relay
from tests.support.rig import Rig
from tests.support.shop import ORDERS

ROUNDS = 8
Two = tuple[Rig, Rig]
Kill = Callable[[Rig, str, str], Awaitable[Any]]


async def end_session(rig: Rig, session: str, _: str) -> Any:
    """Ends the session above."""
    caller = await rig.caller("first")
    return await rig.authority.sessions.terminate(caller, "shop", session, "a race")


async def end_delegation(rig: Rig, _: str, delegation: str) -> Any:
    """Revokes the delegation that made the session above."""
    caller = await rig.caller("agent")
    return await rig.authority.delegations.revoke(caller, "shop", delegation, "a race")


@pytest.mark.parametrize("kill", [end_session, end_delegation])
async def test_delegated_against_ended(two: Two, kill: Kill) -> None:
    """Either it is refused because the session above is over, or it is dead with that session."""
    one, other = two
    await one.apply(relay())
    for turn in range(ROUNDS):
        above = await landing(one, "agent", "first", PLACE)
        await other.state.reached(one.state.revision)
        rigs = (one, other) if turn % 2 else (other, one)
        made, killed = await asyncio.gather(
            delegate(rigs[0], "first", "second", PLACE, session=above.id),
            kill(rigs[1], above.id, above.delegation),
            return_exceptions=True,
        )
        assert not isinstance(killed, BaseException), killed
        if isinstance(made, BaseException):
            assert isinstance(made, CaracalError), made
            assert made.reason is Reason.SESSION_NOT_ACTIVE
            continue
        for rig in two:
            await rig.state.reached(max(made.revision, killed.revision))
            with refused(Reason.SESSION_NOT_ACTIVE):
                session = made.delegation.landing.id
                await rig.exchange("second", ORDERS, session=session)


async def test_passed_on_by_both_replicas_at_once(two: Two) -> None:
    """Branches of one session do not hold each other up."""
    await two[0].apply(relay())
    above = await landing(two[0], "agent", "first", PLACE)
    await two[1].state.reached(two[0].state.revision)
    made: list[DelegationChange] = await asyncio.gather(
        *(delegate(two[turn % 2], "first", "second", PLACE, session=above.id) for turn in range(20))
    )
    assert len({each.delegation.id for each in made}) == 20
    await two[1].state.reached(max(each.revision for each in made))
    for each in made:
        await two[1].exchange("second", ORDERS, session=each.delegation.landing.id)


async def test_replica_that_lags_passes_nothing_on(two: Two) -> None:
    """It has not heard of the end of the session above: the write itself fails, and it learns."""
    one, other = two
    await one.apply(relay())
    above = await landing(one, "agent", "first", PLACE)
    await other.state.reached(one.state.revision)
    caller = await other.caller("first")
    await other.mirror.close()
    await end_session(one, above.id, "")
    request = DelegationRequest("shop", "second", reach(PLACE), 60, session=above.id)
    passing = asyncio.create_task(other.authority.delegations.delegate(caller, request))
    await asyncio.sleep(0)
    await other.mirror.start()
    with refused(Reason.SESSION_NOT_ACTIVE) as seen:
        await passing
    assert seen.metadata["session"] == above.id
    assert not [each for each in one.state.sessions("shop") if each.parent == above.id]
