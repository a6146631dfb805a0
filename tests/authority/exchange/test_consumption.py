"""Single use: of all that present a mandate, one is first, whatever replica it asks."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from caracal_grpc.authority.exchange.case import Issued
from caracal_grpc.authority.exchange.consumption import Consumed, Use
from caracal_grpc.authority.state import places
from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import mandates
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.crypto.signing_key import SigningKey
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.ledger.port import Filter
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.rig import BEAT, Rig, memory_store, open_rig, settle
from tests.support.shop import CARACAL, ORDERS, shop

IDS = SystemIds()
METHOD = "/shop.v1.OrderService/Place"
CROWD = 50


def use_of(token: str, request_id: str = "", zone: str = "shop") -> Use:
    """A call with `token`, another one each time unless `request_id` says which."""
    return Use(zone, token, request_id or IDS.new("req"), METHOD)


async def consume(rig: Rig, caller: Mandate, use: Use) -> Consumed:
    """What the authority answers a guard."""
    return await rig.authority.consumption.consume(caller, use)


async def shown(rig: Rig) -> Issued:
    """A mandate that a guard was shown."""
    return await rig.exchange("agent", ORDERS, "orders:place")


async def test_one_of_many_is_first(any_rig: Rig) -> None:
    """Fifty calls with one mandate at the same time: one is let in, the others are replays."""
    guard, token = await any_rig.caller("orders"), (await shown(any_rig)).token
    answers = await asyncio.gather(
        *(consume(any_rig, guard, use_of(token)) for _ in range(CROWD)), return_exceptions=True
    )
    first = [each for each in answers if isinstance(each, Consumed)]
    refusals = [getattr(each, "reason", each) for each in answers if each not in first]
    assert len(first) == 1
    assert refusals == [Reason.MANDATE_REPLAYED] * (CROWD - 1)
    entries = await any_rig.entries(query=Filter(type="mandate.consume"))
    decisions = [entry.decision for entry in entries]
    assert (decisions.count("done"), decisions.count("deny")) == (1, CROWD - 1)


async def test_every_mandate_has_its_own_use(any_rig: Rig) -> None:
    """Two of the same scopes for the same application are two."""
    guard = await any_rig.caller("orders")
    first, second = await shown(any_rig), await shown(any_rig)
    assert await consume(any_rig, guard, use_of(first.token))
    assert await consume(any_rig, guard, use_of(second.token))


async def test_same_request_is_the_same_use(any_rig: Rig) -> None:
    """A guard whose answer was lost asks again: the revision is that of the first, often."""
    guard, token = await any_rig.caller("orders"), (await shown(any_rig)).token
    use = use_of(token, IDS.new("req"))
    first = await consume(any_rig, guard, use)
    again = await asyncio.gather(*(consume(any_rig, guard, use) for _ in range(3)))
    assert {each.revision for each in again} == {first.revision}
    last = await any_rig.last()
    assert (last.decision, last.details["again"]) == ("done", True)
    with refused(Reason.MANDATE_REPLAYED):
        await consume(any_rig, guard, use_of(token))


async def test_request_id_of_another_guard_is_another_use(rig: Rig) -> None:
    """Who learns the id of a call cannot make it twice."""
    token, request_id = (await shown(rig)).token, IDS.new("req")
    await consume(rig, await rig.caller("orders"), use_of(token, request_id))
    with refused(Reason.MANDATE_REPLAYED):
        await consume(rig, await rig.caller("payments"), use_of(token, request_id))


async def test_use_is_recorded(rig: Rig) -> None:
    """Who asked, for which mandate, whose it is, and for what call."""
    guard, issued = await rig.caller("orders"), await shown(rig)
    use = use_of(issued.token)
    answer = await consume(rig, guard, use)
    entry = await rig.last()
    assert (entry.id, entry.type, entry.decision) == (answer.audit_id, "mandate.consume", "done")
    assert (entry.application, entry.jti) == (guard.application, issued.mandate.jti)
    assert (entry.resource, entry.request_id) == (ORDERS, use.request_id)
    assert entry.details == {
        "method": METHOD,
        "holder": rig.application("agent"),
        "mandate_audit_id": issued.mandate.audit_id,
    }


async def test_replay_is_recorded_with_the_use_before(rig: Rig) -> None:
    """The entry of the refusal, which the refusal names, says which use consumed it."""
    token = (await shown(rig)).token
    first, second = use_of(token), use_of(token)
    await consume(rig, await rig.caller("orders"), first)
    with refused(Reason.MANDATE_REPLAYED) as refusal:
        await consume(rig, await rig.caller("payments"), second)
    entry = await rig.last()
    assert refusal.metadata == {"audit_id": entry.id}
    assert (entry.type, entry.decision) == ("mandate.consume", "deny")
    assert (entry.reason, entry.request_id) == ("MANDATE_REPLAYED", second.request_id)
    assert entry.application == rig.application("payments")
    assert entry.details["consumed_by_application"] == rig.application("orders")
    assert entry.details["consumed_by_request_id"] == first.request_id


async def test_revoked_mandate_is_not_consumed(rig: Rig) -> None:
    """MANDATE_REVOKED, recorded under its id, and nothing is written."""
    guard, issued = await rig.caller("orders"), await shown(rig)
    assert rig.operator is not None
    await rig.authority.revocations.revoke(rig.operator, "shop", issued.mandate.jti, "")
    with refused(Reason.MANDATE_REVOKED) as refusal:
        await consume(rig, guard, use_of(issued.token))
    entry = await rig.last()
    assert (entry.decision, entry.reason, entry.jti) == (
        "deny",
        "MANDATE_REVOKED",
        issued.mandate.jti,
    )
    assert refusal.metadata["audit_id"] == entry.id
    assert (await rig.store.list("shop", places.CONSUMED)).records == ()


async def test_expired_mandate_is_not_consumed(rig: Rig) -> None:
    """But within the leeway that guards grant it is."""
    issued, late = await shown(rig), await shown(rig)
    await rig.advance(issued.mandate.expires_at - rig.clock.now() + LEEWAY - 1)
    guard = await rig.caller("orders")
    await consume(rig, guard, use_of(issued.token))
    await rig.advance(1)
    with refused(Reason.MANDATE_EXPIRED):
        await consume(rig, guard, use_of(late.token))


async def test_use_is_remembered_longer_than_any_guard_takes_the_mandate(rig: Rig) -> None:
    """Two leeways after its end, by the clock of a replica that is behind, it is a replay still."""
    issued, guard = await shown(rig), await rig.caller("orders")
    await consume(rig, guard, use_of(issued.token))
    place = places.consumed_place("shop", issued.mandate.jti)
    end = issued.mandate.expires_at
    rig.clock.advance(end + 3 * LEEWAY - 1 - rig.clock.now())
    assert await rig.store.get(place) is not None
    rig.clock.advance(2)
    assert await rig.store.get(place) is None


async def test_mandate_of_another_zone_is_not_consumed(rig: Rig) -> None:
    """ZONE_MISMATCH, for the key decides and not the name."""
    await rig.apply(shop(name="mall"))
    other = await rig.exchange("agent", ORDERS, "orders:place", zone="mall")
    with refused(Reason.ZONE_MISMATCH):
        await consume(rig, await rig.caller("orders"), use_of(other.token))


async def test_mandate_for_the_authority_is_not_consumed(rig: Rig) -> None:
    """USE_MISMATCH: no guard takes it."""
    own = await rig.exchange("agent", CARACAL, "caracal:sessions:read")
    with refused(Reason.USE_MISMATCH):
        await consume(rig, await rig.caller("orders"), use_of(own.token))


async def test_forged_mandate_is_not_consumed(rig: Rig) -> None:
    """Neither one that another key signed, nor one whose key nobody has."""
    guard, issued = await rig.caller("orders"), await shown(rig)
    forged = mandates.mint(SigningKey.generate(issued.mandate.kid), issued.mandate)
    with refused(Reason.MANDATE_SIGNATURE_INVALID):
        await consume(rig, guard, use_of(forged))
    strange = SigningKey.generate(IDS.new("key"))
    with refused(Reason.KEY_UNKNOWN):
        await consume(rig, guard, use_of(mandates.mint(strange, issued.mandate)))
    assert await consume(rig, guard, use_of(issued.token))


@pytest.mark.parametrize("garbage", ["", "x", "a.b.c", "é" * 9, "x" * 4097])
async def test_garbage_is_not_consumed(rig: Rig, garbage: str) -> None:
    """MANDATE_MALFORMED, recorded without a word of it."""
    guard = await rig.caller("orders")
    with refused(Reason.MANDATE_MALFORMED):
        await consume(rig, guard, use_of(garbage))
    entry = await rig.last()
    assert (entry.decision, entry.jti, entry.resource) == ("deny", "", "")
    assert entry.details == {"method": METHOD}


async def test_bound_mandate_is_consumed_by_who_has_not_its_key(rig: Rig) -> None:
    """The guard has seen the certificate, the authority has not."""
    bound = await rig.exchange("agent", ORDERS, "orders:place", binding="A" * 43)
    assert await consume(rig, await rig.caller("orders"), use_of(bound.token))


async def test_consumed_mandate_still_speaks_for_its_caller(rig: Rig) -> None:
    """The handler that it was used for calls on, on behalf of who called it."""
    issued = await shown(rig)
    await consume(rig, await rig.caller("orders"), use_of(issued.token))
    onward = await rig.exchange("orders", ORDERS, "orders:place", subject_token=issued.token)
    assert onward.mandate.subject == issued.mandate.subject


async def test_only_its_own_zone_consumes(rig: Rig) -> None:
    """ZONE_FORBIDDEN for others, before the mandate is looked at; the authority's own may."""
    await rig.apply(shop(name="mall"))
    token = (await shown(rig)).token
    with refused(Reason.ZONE_FORBIDDEN):
        await consume(rig, await rig.caller("orders", "mall"), use_of(token))
    assert rig.operator is not None
    with refused(Reason.OBJECT_NOT_FOUND):
        await consume(rig, rig.operator, use_of(token, zone="nowhere"))
    assert await consume(rig, rig.operator, use_of(token))


async def test_nothing_is_consumed_from_a_stale_view(rig: Rig) -> None:
    """Who does not know what is revoked lets nothing in."""
    guard, token = await rig.caller("orders"), (await shown(rig)).token
    await rig.mirror.close()
    rig.clock.advance(60)
    with refused(Reason.AUTHORITY_STALE):
        await consume(rig, guard, use_of(token))
    assert (await rig.store.list("shop", places.CONSUMED)).records == ()


async def test_nothing_is_answered_that_is_not_recorded(rig: Rig) -> None:
    """AUDIT_UNAVAILABLE, after which the mandate is used up, but for the same request."""
    guard, token = await rig.caller("orders"), (await shown(rig)).token
    await rig.ledger._writer.close()
    with refused(Reason.AUDIT_UNAVAILABLE):
        await consume(rig, guard, use_of(token))
    assert len((await rig.store.list("shop", places.CONSUMED)).records) == 1


async def test_token_is_kept_nowhere(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in an entry nor in the store, a log line or what is printed of the use."""
    caplog.set_level(logging.DEBUG)
    guard, token = await rig.caller("orders"), (await shown(rig)).token
    use = use_of(token)
    await consume(rig, guard, use)
    with refused(Reason.MANDATE_REPLAYED):
        await consume(rig, guard, replace(use, request_id=IDS.new("req")))
    kept = [str(entry) for entry in await rig.entries()]
    kept += [str(record) for record in (await rig.store.list()).records]
    kept += [caplog.text, repr(use)]
    signature = token.rpartition(".")[2]
    assert [text for text in kept if signature in text] == []


async def test_uses_are_in_no_memory(rig: Rig) -> None:
    """A million a day are the store's affair: the mirror holds none, and edges hear of none."""
    guard = await rig.caller("orders")
    feed = rig.authority.feed.events("shop", guard.application)
    first = [await anext(feed), await anext(feed)]
    assert len(first) == 2
    heard: list[object] = []
    rig.mirror.subscribe(lambda _, changed: heard.extend(changed))
    consumed = await consume(rig, guard, use_of((await shown(rig)).token))
    await rig.state.reached(consumed.revision)
    await asyncio.sleep(2 * BEAT)
    assert rig.state.records("shop", places.CONSUMED) == {}
    assert heard == []
    (subscriber,) = rig.authority.feed._subscribers.values()
    assert subscriber.queue.empty()
    await feed.aclose()  # type: ignore[attr-defined]


async def test_consumed_at_one_replica_is_consumed_at_all(two: tuple[Rig, Rig]) -> None:
    """Whichever is asked next, and however soon."""
    first, second = two
    guard, token = await first.caller("orders"), (await shown(first)).token
    use = use_of(token)
    answer = await consume(first, guard, use)
    with refused(Reason.MANDATE_REPLAYED):
        await consume(second, guard, use_of(token))
    again = await consume(second, guard, use)
    assert again.revision == answer.revision


async def test_one_of_many_is_first_at_two_replicas(two: tuple[Rig, Rig]) -> None:
    """Half of the crowd at each."""
    guard, token = await two[0].caller("orders"), (await shown(two[0])).token
    answers = await asyncio.gather(
        *(consume(two[number % 2], guard, use_of(token)) for number in range(CROWD)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, Consumed) for each in answers) == 1


async def test_use_outlives_the_replica_that_let_it_in(tmp_path: Path, clock: FakeClock) -> None:
    """One that is started again, or anew, knows what was used before."""
    store, kek = memory_store(clock), Kek.generate()
    async with open_rig(tmp_path, store, clock, kek=kek) as rig:
        await settle(rig)
        guard, token = await rig.caller("orders"), (await shown(rig)).token
        await consume(rig, guard, use_of(token))
    async with open_rig(tmp_path, store, clock, kek=kek) as again:
        with refused(Reason.MANDATE_REPLAYED):
            await consume(again, guard, use_of(token))
    await store.close()
