"""Repeatable exchanges: one request id, one mandate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from caracal_grpc.core.entry import Entry
from caracal_grpc.core.limits import REQUEST_WINDOW
from caracal_grpc.core.reason import Reason
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS, shop


async def test_same_request_same_mandate(rig: Rig) -> None:
    """Asked again, the same mandate comes back, and one entry is all there is."""
    first = await rig.exchange("agent", ORDERS, request_id="r1")
    again = await rig.exchange("agent", ORDERS, request_id="r1")
    assert again.token == first.token
    grants = [entry for entry in await rig.entries() if entry.request_id == "r1"]
    assert [entry.jti for entry in grants] == [first.mandate.jti]


async def test_concurrent_requests_share_one_mandate(rig: Rig) -> None:
    """Fifty at once are decided once."""
    all_issued = await asyncio.gather(
        *(rig.exchange("agent", ORDERS, request_id="r1") for _ in range(50))
    )
    assert len({issued.token for issued in all_issued}) == 1
    assert len([entry for entry in await rig.entries() if entry.request_id == "r1"]) == 1


async def test_caller_that_gives_up_leaves_the_answer_to_the_others(rig: Rig) -> None:
    """Cancelling the first caller fails nobody else."""
    first = asyncio.create_task(rig.exchange("agent", ORDERS, request_id="r1"))
    second = asyncio.create_task(rig.exchange("agent", ORDERS, request_id="r1"))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).mandate.resource == ORDERS
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_request_id_is_not_reused_for_another_request(rig: Rig) -> None:
    """CONFLICT, recorded, when the same id asks for something else."""
    await rig.exchange("agent", ORDERS, request_id="r1")
    with refused(Reason.CONFLICT) as seen:
        await rig.exchange("agent", ORDERS, "orders:place", request_id="r1")
    entry = await rig.last()
    assert (entry.reason, entry.id) == ("CONFLICT", seen.metadata["audit_id"])


async def test_request_ids_of_applications_do_not_meet(rig: Rig) -> None:
    """Two applications may choose the same id."""
    mine = await rig.exchange("agent", ORDERS, "orders:place", request_id="r1")
    theirs = await rig.exchange("bounded", ORDERS, "orders:place", request_id="r1")
    assert mine.mandate.application != theirs.mandate.application


async def test_secret_is_asked_for_each_time(rig: Rig) -> None:
    """Knowing a request id gives nobody the mandate."""
    await rig.exchange("agent", ORDERS, request_id="r1")
    with refused(Reason.CLIENT_AUTH_FAILED):
        await rig.exchange("agent", ORDERS, request_id="r1", secret="guess")


async def test_refusal_is_not_remembered(rig: Rig) -> None:
    """What was refused is decided anew."""
    with refused(Reason.POLICY_DENIED):
        await rig.exchange("agent", PAYMENTS, "payments:charge", request_id="r1")
    zone = shop()
    zone["policy"]["grants"].append(
        {"application": "agent", "resource": PAYMENTS, "scopes": ["payments:charge"]}
    )
    await rig.apply(zone)
    await rig.exchange("agent", PAYMENTS, "payments:charge", request_id="r1")


async def test_dead_mandate_is_not_given_again(rig: Rig) -> None:
    """After its revocation the same request is decided anew, and that answer is kept."""
    first = await rig.exchange("agent", ORDERS, request_id="r1")
    await rig.authority.revocations.revoke(rig.operator, "shop", first.mandate.jti, "")
    after = await asyncio.gather(
        *(rig.exchange("agent", ORDERS, request_id="r1") for _ in range(5))
    )
    assert {issued.mandate.jti for issued in after} == {after[0].mandate.jti}
    assert after[0].mandate.jti != first.mandate.jti


class DeadlyLedger:
    """The ledger of `rig`, in which the first grant of `r1` is dead as soon as it is recorded."""

    def __init__(self, rig: Rig, anchor: Callable[[Entry], str]) -> None:
        self._rig, self._anchor, self._spent = rig, anchor, False

    async def append(self, entry: Entry) -> Any:
        """Records."""
        return await self._rig.ledger.append(entry)

    async def append_all(self, entries: Sequence[Entry]) -> Any:
        """Records, then revokes."""
        appended = await self._rig.ledger.append_all(entries)
        entry = entries[0]
        if not self._spent and entry.request_id == "r1":
            self._spent = True
            operator, anchor = self._rig.operator, self._anchor(entry)
            await self._rig.authority.revocations.revoke(operator, "shop", anchor, "")
        return appended


def kill_at_birth(rig: Rig, anchor: Callable[[Entry], str]) -> None:
    """Revokes `anchor` of the first grant of `r1` before it is answered."""
    rig.authority.exchange._recorder._ledger = DeadlyLedger(rig, anchor)


async def test_second_decision_has_an_entry_of_its_own(rig: Rig) -> None:
    """A mandate that died before it was answered is replaced, and both are in the ledger."""
    kill_at_birth(rig, lambda entry: entry.jti)
    issued = await rig.exchange("agent", ORDERS, request_id="r1")
    entries = [entry for entry in await rig.entries() if entry.request_id == "r1"]
    assert [entry.jti for entry in entries][1:] == [issued.mandate.jti]
    assert entries[0].id != entries[1].id == issued.mandate.audit_id
    assert rig.authority.exchange._replay._capacity._count == 1


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("session", Reason.SESSION_NOT_ACTIVE), ("application", Reason.CLIENT_AUTH_FAILED)],
)
async def test_second_decision_may_be_a_refusal(rig: Rig, kind: str, reason: Reason) -> None:
    """Session and application are asked for anew, and the refusal is recorded as one."""
    kill_at_birth(rig, lambda entry: getattr(entry, kind))
    with refused(reason) as seen:
        await rig.exchange("agent", ORDERS, request_id="r1")
    entry = await rig.last()
    assert (entry.id, entry.reason) == (seen.metadata["audit_id"], reason.value)
    decisions = [entry.decision for entry in await rig.entries() if entry.request_id == "r1"]
    assert decisions == ["allow", "deny"]


async def test_expired_mandate_is_not_given_again(rig: Rig) -> None:
    """An answer is never dead on arrival."""
    first = await rig.exchange("agent", ORDERS, request_id="r1", ttl=5)
    await rig.advance(6)
    again = await rig.exchange("agent", ORDERS, request_id="r1", ttl=5)
    assert again.mandate.jti != first.mandate.jti


async def test_window_ends(rig: Rig) -> None:
    """After the window the id may be used anew."""
    await rig.exchange("agent", ORDERS, request_id="r1")
    await rig.advance(REQUEST_WINDOW)
    await rig.exchange("agent", ORDERS, "orders:place", request_id="r1")


async def test_memory_of_requests_is_bounded(rig: Rig) -> None:
    """LIMIT_EXCEEDED, saying when to come back, and never a forgotten answer."""
    rig.authority.exchange._replay._capacity.total = 2
    first = await rig.exchange("agent", ORDERS, request_id="r1")
    await rig.exchange("agent", ORDERS, request_id="r2")
    with refused(Reason.LIMIT_EXCEEDED) as seen:
        await rig.exchange("agent", ORDERS, request_id="r3")
    assert seen.error is not None
    assert seen.error.retry_after
    assert (await rig.exchange("agent", ORDERS, request_id="r1")).token == first.token


async def test_one_application_cannot_take_the_memory_from_others(rig: Rig) -> None:
    """LIMIT_EXCEEDED, recorded, for the one at its share; what ends or is refused makes room."""
    rig.authority.exchange._replay._capacity.share = 1
    with refused(Reason.POLICY_DENIED):
        await rig.exchange("agent", PAYMENTS, "payments:charge", request_id="r0")
    await rig.exchange("agent", ORDERS, request_id="r1")
    with refused(Reason.LIMIT_EXCEEDED) as seen:
        await rig.exchange("agent", ORDERS, request_id="r2")
    entry = await rig.last()
    assert (entry.reason, entry.id) == ("LIMIT_EXCEEDED", seen.metadata["audit_id"])
    await rig.exchange("bounded", ORDERS, request_id="r2")
    await rig.advance(REQUEST_WINDOW)
    await rig.exchange("agent", ORDERS, request_id="r2")
