"""Using an approval: once, by the very request that it is for, and an answer lost loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.core.limits import DEFAULT_APPROVAL_TTL
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.crypto.system import SystemIds
from tests.authority.approvals.desk import (
    REFUND,
    guard,
    held,
    kept,
    reject,
    review,
    state_of,
    use,
)
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.rig import Rig, memory_store, open_rig, settle
from tests.support.shop import PAYMENTS

Two = tuple[Rig, Rig]


async def test_approved_request_gets_its_mandate(any_rig: Rig) -> None:
    """The mandate and its entry name the approval, which is used from then on."""
    rig = await guard(any_rig)
    approval = await held(rig)
    await review(rig, approval)
    issued = await use(rig, approval)
    assert issued.mandate.scopes == {REFUND}
    assert issued.mandate.approval == approval.id
    entry = await rig.last()
    assert (entry.type, entry.decision, entry.jti) == ("exchange", "allow", issued.mandate.jti)
    assert entry.details["approval"] == approval.id
    assert await state_of(rig, approval) == "consumed"
    assert (await kept(rig, approval)).consumed_at == rig.clock.now()


async def test_pending_approval_is_to_be_waited_for(rig: Rig) -> None:
    """STEP_UP_REQUIRED again, with the same approval, also while one of two reviews is there."""
    await guard(rig, reviews=2)
    approval = await held(rig)
    assert (await held(rig, approval=approval.id)).id == approval.id
    await review(rig, approval)
    assert (await held(rig, approval=approval.id)).id == approval.id
    assert (await rig.last()).details["approval"] == approval.id


async def rejected(rig: Rig, approval: Any) -> None:
    """A reviewer said no."""
    await reject(rig, approval)


async def expired(rig: Rig, approval: Any) -> None:
    """Its time ran out, though it was approved."""
    await review(rig, approval)
    await rig.advance(DEFAULT_APPROVAL_TTL)


async def consumed(rig: Rig, approval: Any) -> None:
    """It was used."""
    await review(rig, approval)
    await use(rig, approval)


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (rejected, Reason.APPROVAL_REJECTED),
        (expired, Reason.APPROVAL_EXPIRED),
        (consumed, Reason.APPROVAL_CONSUMED),
    ],
)
async def test_ended_approval_releases_nothing(
    any_rig: Rig, end: Callable[..., Any], reason: Reason
) -> None:
    """Each with the approval that it is about, recorded with it."""
    rig = await guard(any_rig)
    approval = await held(rig)
    await end(rig, approval)
    for more in ({}, {"request_id": "another"}):
        with refused(reason) as seen:
            await use(rig, approval, **more)
        entry = await rig.last()
        assert seen.metadata == {"approval_id": approval.id, "audit_id": entry.id}
        assert (entry.reason, entry.details["approval"]) == (reason.value, approval.id)


async def test_unknown_approval_is_none(rig: Rig) -> None:
    """The request is held as one that names none."""
    await guard(rig)
    approval = await held(rig)
    other = await held(rig, approval=SystemIds().new("apr"))
    assert other.id == approval.id


async def test_same_request_id_gets_the_same_mandate(any_rig: Rig) -> None:
    """However often; any other request finds the approval used."""
    rig = await guard(any_rig)
    approval = await held(rig)
    await review(rig, approval)
    first = await use(rig, approval, request_id="r1")
    again = await use(rig, approval, request_id="r1")
    assert again.mandate == first.mandate
    with refused(Reason.APPROVAL_CONSUMED):
        await use(rig, approval, request_id="r2")
    with refused(Reason.APPROVAL_CONSUMED):
        await use(rig, approval)


async def test_request_id_of_the_held_request_can_be_sent_again(rig: Rig) -> None:
    """A refusal takes no request id."""
    await guard(rig)
    approval = await held(rig, request_id="r1")
    await review(rig, approval)
    issued = await use(rig, approval, request_id="r1")
    assert issued.mandate.approval == approval.id


async def test_crash_before_the_entry_loses_nothing(two: Two) -> None:
    """The use holds; another replica answers the same request, with the mandate and its entry."""
    first, second = two
    approval = await held(await guard(first))
    await review(first, approval)
    await second.state.reached(first.state.revision)
    await first.ledger._writer.close()
    with refused(Reason.AUDIT_UNAVAILABLE):
        await use(first, approval, request_id="r1")
    assert await state_of(first, approval) == "consumed"
    issued = await use(second, approval, request_id="r1")
    assert issued.mandate.approval == approval.id
    entry = await second.last()
    assert (entry.id, entry.jti) == (issued.mandate.audit_id, issued.mandate.jti)
    with refused(Reason.APPROVAL_CONSUMED):
        await use(second, approval, request_id="r2")


async def test_restart_loses_nothing(tmp_path: Path, clock: FakeClock) -> None:
    """The replica that crashed answers the same request with the same mandate, recorded once."""
    store, kek = memory_store(clock), Kek.generate()
    async with open_rig(tmp_path, store, clock, kek=kek) as rig:
        await guard(await settle(rig))
        approval = await held(rig)
        await review(rig, approval)
        issued = await use(rig, approval, request_id="r1")
        credentials = rig.credentials
    async with open_rig(tmp_path, store, clock, kek=kek) as again:
        again.credentials = credentials
        assert (await use(again, approval, request_id="r1")).mandate == issued.mandate
        with refused(Reason.APPROVAL_CONSUMED):
            await use(again, approval, request_id="r2")
        jtis = [entry.jti for entry in await again.entries() if entry.decision == "allow"]
        assert jtis.count(issued.mandate.jti) == 1
    await store.close()


async def test_mandate_that_cannot_be_made_uses_nothing_up(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was approved can still be had when the authority can sign again."""
    await guard(rig)
    approval = await held(rig)
    await review(rig, approval)
    with monkeypatch.context() as patch:
        patch.setattr("caracal_grpc.crypto.jws.MAX_TOKEN_BYTES", 100)
        with refused(Reason.MANDATE_TOO_LARGE):
            await use(rig, approval)
    assert await state_of(rig, approval) == "approved"
    assert (await use(rig, approval)).mandate.approval == approval.id


async def test_approval_of_a_dead_party_is_of_no_use(rig: Rig) -> None:
    """What is revoked since asks in vain, and uses nothing up."""
    await guard(rig)
    approval = await held(rig)
    await review(rig, approval)
    assert rig.operator is not None
    await rig.authority.revocations.revoke(rig.operator, "shop", rig.standing("agent"), "")
    with refused(Reason.SESSION_NOT_ACTIVE):
        await rig.exchange("agent", PAYMENTS, REFUND, approval=approval.id)
    assert await state_of(rig, approval) == "approved"
