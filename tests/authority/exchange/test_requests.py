"""Repeatable exchanges across replicas, restarts and crashes: one request, one mandate."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.authority.state.places import REQUESTS
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.limits import REQUEST_WINDOW
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.ledger.port import unavailable
from caracal_grpc.store import refusal
from caracal_grpc.store.memory import MemoryStore
from caracal_grpc.store.port import Change, Expect
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.rig import Rig, memory_store, open_rig, settle
from tests.support.shop import ORDERS, shop

Two = tuple[Rig, Rig]


async def granted(rig: Rig, request_id: str = "r1") -> list[Entry]:
    """What the ledger of a replica says was granted to a request."""
    entries = [entry for entry in await rig.entries() if entry.request_id == request_id]
    return [entry for entry in entries if entry.decision == "allow"]


async def test_another_replica_answers_with_the_same_mandate(two: Two) -> None:
    """The same id and the same claims; its own ledger has the same entry before it answers."""
    first, second = two
    issued = await first.exchange("agent", ORDERS, request_id="r1")
    again = await second.exchange("agent", ORDERS, request_id="r1")
    assert again.mandate == issued.mandate
    entries = [await granted(rig) for rig in two]
    assert [[entry.id for entry in each] for each in entries] == [[issued.mandate.audit_id]] * 2
    assert entries[0] == entries[1]


async def test_fifty_at_once_at_two_replicas_share_one_mandate(two: Two) -> None:
    """Whichever wins; no ledger speaks of a mandate that nobody got."""
    answers = await asyncio.gather(
        *(two[n % 2].exchange("agent", ORDERS, request_id="r1") for n in range(50))
    )
    assert len({issued.mandate.jti for issued in answers}) == 1
    for rig in two:
        assert [entry.jti for entry in await granted(rig)] == [answers[0].mandate.jti]


async def test_request_id_is_not_reused_at_another_replica(two: Two) -> None:
    """CONFLICT, recorded, whatever the second request would have got."""
    await two[0].exchange("agent", ORDERS, request_id="r1")
    for scopes in ("orders:place",), ("orders:track",):
        with refused(Reason.CONFLICT) as seen:
            await two[1].exchange("agent", ORDERS, *scopes, request_id="r1")
        entry = await two[1].last()
        assert (entry.reason, entry.id) == ("CONFLICT", seen.metadata["audit_id"])


async def test_dead_mandate_is_decided_anew_once_for_all_replicas(two: Two) -> None:
    """Whoever is asked first decides, and the others answer with that."""
    first, second = two
    issued = await first.exchange("agent", ORDERS, request_id="r1")
    revoked = await first.authority.revocations.revoke(
        first.operator, "shop", issued.mandate.jti, ""
    )
    await second.state.reached(revoked.revision)
    anew = await second.exchange("agent", ORDERS, request_id="r1")
    assert anew.mandate.jti != issued.mandate.jti
    assert (await first.exchange("agent", ORDERS, request_id="r1")).mandate == anew.mandate
    assert [entry.jti for entry in await granted(first)] == [issued.mandate.jti, anew.mandate.jti]


async def test_many_that_find_a_dead_mandate_get_one_new_one(two: Two) -> None:
    """The record is taken over by one write."""
    issued = await two[0].exchange("agent", ORDERS, request_id="r1", ttl=5)
    await two[0].advance(6)
    await two[1].fresh()
    answers = await asyncio.gather(
        *(two[n % 2].exchange("agent", ORDERS, request_id="r1", ttl=5) for n in range(20))
    )
    assert len({each.mandate.jti for each in answers} | {issued.mandate.jti}) == 2


async def test_what_policy_says_by_now_does_not_change_the_answer(two: Two) -> None:
    """The request was granted: an application that asks again gets its answer, not a new one."""
    issued = await two[0].exchange("agent", ORDERS, request_id="r1")
    applied = await two[0].apply(shop(policy={"grants": []}))
    await two[1].state.reached(applied.revision)
    assert (await two[1].exchange("agent", ORDERS, request_id="r1")).mandate == issued.mandate
    with refused(Reason.POLICY_DENIED):
        await two[1].exchange("agent", ORDERS, request_id="r2")


async def test_answer_is_signed_by_the_key_that_signed_first(two: Two) -> None:
    """Also after a rotation, while that key still verifies."""
    first, second = two
    issued = await first.exchange("agent", ORDERS, request_id="r1")
    key = await first.authority.keys.rotate(first.operator, "shop")
    await first.advance(REQUEST_WINDOW / 2)
    await second.fresh()
    await second.state.reached(key.revision)
    assert second.keyring.signing_key("shop").kid != issued.mandate.kid
    again = await second.exchange("agent", ORDERS, request_id="r1")
    assert again.mandate.kid == issued.mandate.kid
    assert again.mandate == issued.mandate


async def test_window_ends_for_every_replica(two: Two) -> None:
    """After it the id stands for nothing, though the store may still keep what it stood for."""
    await two[0].exchange("agent", ORDERS, request_id="r1")
    await two[0].advance(REQUEST_WINDOW)
    await two[1].fresh()
    await two[1].exchange("agent", ORDERS, "orders:place", request_id="r1")


async def test_restarted_replica_answers_with_the_same_mandate(
    tmp_path: Path, clock: FakeClock
) -> None:
    """From the store, with the one entry that its ledger has already."""
    store, kek = memory_store(clock), Kek.generate()
    async with open_rig(tmp_path, store, clock, kek=kek) as rig:
        known = (await settle(rig)).credentials
        issued = await rig.exchange("agent", ORDERS, request_id="r1")
    async with open_rig(tmp_path, store, clock, kek=kek) as rig:
        rig.credentials = known
        again = await rig.exchange("agent", ORDERS, request_id="r1")
        assert again.mandate == issued.mandate
        assert [entry.jti for entry in await granted(rig)] == [issued.mandate.jti]
    await store.close()


async def test_nothing_that_grants_anything_is_kept(rig: Rig) -> None:
    """Neither the token, nor a secret, nor the subject token that was shown."""
    subject = await rig.exchange("agent", ORDERS, "orders:place")
    issued = await rig.exchange("orders", ORDERS, request_id="r1", subject_token=subject.token)
    (record,) = (await rig.store.list("shop", REQUESTS)).records
    kept = json.dumps(dict(record.value))
    secret = rig.credentials["shop", "orders"].secret
    for part in (*issued.token.split("."), *subject.token.split("."), secret):
        assert part not in kept
    assert rig.state.records("shop", REQUESTS) == {}, "it is mirrored"


class LosingLedger:
    """The ledger of `rig`, which cannot record the next grant."""

    def __init__(self, rig: Rig) -> None:
        self._ledger, self._lost = rig.ledger, False

    async def append_all(self, entries: Sequence[Entry]) -> int:
        """Fails once."""
        if not self._lost:
            self._lost = True
            raise unavailable("the disk is full")
        return await self._ledger.append_all(entries)


@pytest.mark.parametrize("asked_next", [0, 1])
async def test_mandate_that_was_held_and_not_recorded_is_recorded_before_it_is_answered(
    two: Two, asked_next: int
) -> None:
    """By whichever replica answers, under the id that the mandate names."""
    two[0].authority.exchange._recorder._ledger = LosingLedger(two[0])  # type: ignore[assignment]
    with refused(Reason.AUDIT_UNAVAILABLE):
        await two[0].exchange("agent", ORDERS, request_id="r1")
    (record,) = (await two[0].store.list("shop", REQUESTS)).records
    answered = two[asked_next]
    issued = await answered.exchange("agent", ORDERS, request_id="r1")
    assert issued.mandate.jti == record.value["claims"]["jti"]
    (entry,) = await granted(answered)
    assert (entry.id, entry.jti) == (issued.mandate.audit_id, issued.mandate.jti)


class LosingStore:
    """The store of `rig`, which makes the next commit and loses the answer, or is gone for good."""

    def __init__(self, rig: Rig, *, gone: bool) -> None:
        self._store, self._gone, self._lost = rig.store, gone, False

    async def get(self, key: Any) -> Any:
        """Reads, while it is there."""
        if self._gone:
            raise refusal.unavailable("the store is gone")
        return await self._store.get(key)

    async def commit(self, changes: Sequence[Change], expects: Sequence[Expect] = ()) -> int:
        """Commits, and may not tell."""
        if self._gone:
            raise refusal.unavailable("the store is gone")
        revision = await self._store.commit(changes, expects)
        if not self._lost:
            self._lost = True
            raise refusal.unavailable("the answer is lost")
        return revision


def lose(rig: Rig, *, gone: bool) -> None:
    """Makes the store fail for repeatable requests."""
    rig.authority.exchange._requests._store = LosingStore(rig, gone=gone)  # type: ignore[assignment]


async def test_answer_of_the_store_that_is_lost_loses_nothing(rig: Rig) -> None:
    """STORE_UNAVAILABLE, under an entry of its own; asked again, what was held is answered."""
    lose(rig, gone=False)
    with refused(Reason.STORE_UNAVAILABLE) as seen:
        await rig.exchange("agent", ORDERS, request_id="r1")
    issued = await rig.exchange("agent", ORDERS, request_id="r1")
    assert issued.mandate.audit_id != seen.metadata["audit_id"]
    asked = [entry for entry in await rig.entries() if entry.type == "exchange"]
    entries = {entry.id: entry.decision for entry in asked}
    assert entries == {seen.metadata["audit_id"]: "deny", issued.mandate.audit_id: "allow"}


async def test_only_repeatable_requests_need_the_store(rig: Rig) -> None:
    """STORE_UNAVAILABLE for those; the others are answered as long as the view is fresh."""
    lose(rig, gone=True)
    with refused(Reason.STORE_UNAVAILABLE):
        await rig.exchange("agent", ORDERS, request_id="r1")
    assert (await rig.exchange("agent", ORDERS)).mandate.resource == ORDERS


async def test_commit_that_others_keep_winning_ends(rig: Rig) -> None:
    """STORE_UNAVAILABLE after a bounded number of tries, never a mandate that does not hold."""

    class Contended(MemoryStore):
        async def commit(self, changes: Any, expects: Any = ()) -> int:
            raise refusal.conflict()

    rig.authority.exchange._requests._store = Contended(rig.clock)
    with refused(Reason.STORE_UNAVAILABLE):
        await rig.exchange("agent", ORDERS, request_id="r1")
    assert await granted(rig) == []
