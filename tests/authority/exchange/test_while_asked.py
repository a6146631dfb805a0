"""What changes while policy is being asked: the answer to an old question grants nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from caracal_grpc.authority.exchange.case import Issued
from caracal_grpc.authority.exchange.decider import ROUNDS
from caracal_grpc.core.reason import Reason
from tests.support.clock import FakeClock
from tests.support.gated import GatedEngine
from tests.support.refusals import refused
from tests.support.rig import Rig, memory_store, open_rig, settle
from tests.support.shop import ORDERS, shop

PLACE, CANCEL = "orders:place", "orders:cancel"
Change = Callable[[Rig], Awaitable[object]]


@pytest.fixture
def gated() -> GatedEngine:
    """The engine, whose gates are open."""
    return GatedEngine()


@pytest.fixture
async def rig(tmp_path: Path, clock: FakeClock, gated: GatedEngine) -> AsyncIterator[Rig]:
    """An authority that asks it."""
    store = memory_store(clock)
    async with open_rig(tmp_path, store, clock, policies=gated) as opened:
        yield await settle(opened)
        gated.asking.open()
    await store.close()


async def asked(rig: Rig, gated: GatedEngine, *scopes: str) -> asyncio.Task[Issued]:
    """An exchange of the agent whose question is with policy, which keeps the answer back."""
    gated.asking.shut()
    before = gated.asking.came
    task = asyncio.create_task(rig.exchange("agent", ORDERS, *scopes))
    await gated.asking.reached(before + 1)
    return task


async def suspend(rig: Rig) -> None:
    """Suspends the agent's standing session."""
    assert rig.operator is not None
    await rig.authority.suspensions.suspend(rig.operator, "shop", rig.standing("agent"), "")


async def revoke(rig: Rig) -> None:
    """Revokes the agent."""
    assert rig.operator is not None
    await rig.authority.revocations.revoke(rig.operator, "shop", rig.application("agent"), "")


async def bound(rig: Rig) -> None:
    """Leaves the agent a ceiling without `orders:cancel`."""
    zone = shop()
    zone["applications"][0]["ceiling"] = [{"resource": ORDERS, "scopes": [PLACE]}]
    await rig.apply(zone)


async def replace(rig: Rig) -> None:
    """Puts another policy in the place of the one that is asked."""
    zone = shop()
    del zone["policy"]["grants"][0]
    await rig.apply(zone)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (suspend, Reason.SESSION_NOT_ACTIVE),
        (revoke, Reason.SESSION_NOT_ACTIVE),
        (bound, Reason.CEILING_EXCEEDED),
        (replace, Reason.POLICY_DENIED),
    ],
    ids=["suspended", "revoked", "bounded", "replaced"],
)
async def test_what_changes_meanwhile_has_its_say(
    rig: Rig, gated: GatedEngine, change: Change, reason: Reason
) -> None:
    """The exchange is refused for it, and the refusal is in the ledger."""
    exchange = await asked(rig, gated, PLACE, CANCEL)
    await change(rig)
    gated.asking.open()
    with refused(reason) as seen:
        await exchange
    entry = await rig.last()
    assert (entry.id, entry.reason, entry.jti) == (seen.metadata["audit_id"], reason.value, "")


async def test_what_is_left_is_granted(rig: Rig, gated: GatedEngine) -> None:
    """Who asks for whatever there is gets what there is by then, by the policy of then."""
    exchange = await asked(rig, gated)
    await bound(rig)
    gated.asking.open()
    mandate = (await exchange).mandate
    assert mandate.scopes == {PLACE}
    entry = await rig.last()
    assert entry.granted_scopes == (PLACE,)
    assert CANCEL not in entry.question


async def test_mandate_names_the_policy_that_decided(rig: Rig, gated: GatedEngine) -> None:
    """Not the one that was asked first."""
    first = (await rig.exchange("agent", ORDERS, PLACE)).mandate.policy_version
    exchange = await asked(rig, gated, PLACE)
    zone = shop()
    zone["policy"]["grants"][0]["ttl_seconds"] = 30
    await rig.apply(zone)
    gated.asking.open()
    mandate = (await exchange).mandate
    assert mandate.policy_version != first
    assert mandate.expires_at - mandate.issued_at == 30
    assert (await rig.last()).policy_version == mandate.policy_version


async def test_what_concerns_others_only_asks_nothing_anew(rig: Rig, gated: GatedEngine) -> None:
    """However much they change meanwhile."""
    exchange = await asked(rig, gated, PLACE)
    await rig.apply(shop(name="elsewhere"))
    came = gated.asking.came
    gated.asking.open()
    assert (await exchange).mandate.scopes == {PLACE}
    assert gated.asking.came == came


async def test_a_question_that_never_holds_still_is_given_up(rig: Rig, gated: GatedEngine) -> None:
    """STORE_UNAVAILABLE, to be tried again, after so many rounds."""
    before = gated.asking.came
    exchange = await asked(rig, gated, PLACE)
    for number in range(1, ROUNDS + 1):
        await gated.asking.reached(before + number)
        zone = shop()
        zone["applications"][0]["labels"] = [f"round-{number}"]
        await rig.apply(zone)
        gated.asking.open()
        gated.asking.shut()
        await asyncio.sleep(0)
    with refused(Reason.STORE_UNAVAILABLE) as seen:
        await exchange
    assert seen.error.retry_after
