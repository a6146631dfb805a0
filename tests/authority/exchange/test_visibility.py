"""Zones that hide lineages: whatever a mandate shows, everybody behind it can still end it."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from caracal_grpc.authority.exchange.case import Issued
from caracal_grpc.authority.exchange.consumption import Use
from caracal_grpc.authority.revocation.feed import FeedDelta, FeedEvent, FeedSnapshot
from caracal_grpc.authority.sessions.start import SessionStart
from caracal_grpc.authority.state.places import REVOCATIONS, session_place
from caracal_grpc.core.ids import sibling
from caracal_grpc.core.limits import REVOCATION_TTL
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.verdict import Call, judge
from caracal_grpc.core.visibility import alias, is_alias
from caracal_grpc.crypto import mandates
from caracal_grpc.store.port import Delete, Key, Put
from tests.support.refusals import refused
from tests.support.relay import relay, relayed
from tests.support.rig import Rig
from tests.support.shop import ORDERS

MODES = ["hashed", "last"]


def hiding(mode: str) -> dict[str, Any]:
    """The relay in a zone that shows as much of its lineages."""
    return relay(settings={"chain_visibility": f"CHAIN_VISIBILITY_{mode.upper()}"})


@pytest.fixture(params=MODES)
async def veiled(rig: Rig, request: pytest.FixtureRequest) -> Rig:
    """An authority whose shop hides lineages, in either way."""
    await rig.apply(hiding(request.param))
    return rig


@dataclass
class Edge:
    """What an edge knows by its feed, and its verdict."""

    rig: Rig
    events: AsyncIterator[FeedEvent]
    revision: int = 0
    dead: set[str] = field(default_factory=set)
    snapshots: int = 0

    async def at(self, revision: int) -> Edge:
        """The edge, once it has applied `revision`."""
        while self.revision < revision:
            event = await anext(self.events)
            self.revision = event.revision
            if isinstance(event, FeedSnapshot):
                self.dead = set(event.revoked)
                self.snapshots += 1
            elif isinstance(event, FeedDelta):
                self.dead = (self.dead | set(event.revoked)) - set(event.released)
        return self

    def judge(self, token: str) -> Mandate:
        """The mandate as the edge reads it, if it is good for a call."""
        keys = self.rig.authority.feed.zone_keys("shop")
        mandate = mandates.read(token, keys.keys)
        call = Call("resource", mandate.resource, frozenset(), self.rig.clock.now())
        judge(mandate, keys.trust, call, self.dead)
        return mandate


@pytest.fixture
async def edge(rig: Rig) -> AsyncIterator[Edge]:
    """An edge of the shop, fed."""
    async with aclosing(rig.authority.feed.events("shop", "app_1")) as events:  # type: ignore[type-var]
        yield await Edge(rig, events).at(1)


async def kill(rig: Rig, anchor: str) -> int:
    """The revision at which an anchor is dead, whatever its kind."""
    put = rig.authority.revocations.put("app_1", "shop", anchor, "")
    return await rig.store.commit([put])


async def forget(rig: Rig, anchor: str) -> int:
    """The revision at which its revocation is forgotten."""
    return await rig.store.commit([Delete(Key("shop", REVOCATIONS, anchor))])


async def three_hops(rig: Rig) -> Issued:
    """A mandate of the third worker, for the agent, over two others."""
    landings = await relayed(rig, "first", "second", "third")
    return await rig.exchange("third", ORDERS, "orders:place", session=landings[-1].id)


async def on_behalf(rig: Rig) -> Issued:
    """A mandate of the orders service on behalf of the second worker, for the agent."""
    landings = await relayed(rig, "first", "second")
    shown = await rig.exchange("second", ORDERS, "orders:place", session=landings[-1].id)
    return await rig.exchange("orders", ORDERS, "orders:place", subject_token=shown.token)


LINEAGES = {"three hops": three_hops, "on behalf of": on_behalf}


def text_of(token: str) -> str:
    """All that a token says."""
    return "".join(base64.urlsafe_b64decode(part + "==").decode() for part in token.split(".")[:2])


def upstream(rig: Rig, mandate: Mandate) -> set[str]:
    """Every id of a lineage that is neither the subject's nor the holder's."""
    sessions = {each.id: each for each in rig.state.sessions("shop")}
    own = {name for name, each in sessions.items() if each.application == mandate.application}
    held = {mandate.application, mandate.chain[-1].delegation, *own}
    return set(mandate.anchors) - held - {mandate.subject, mandate.jti, mandate.kid}


@pytest.mark.parametrize("mode", ["full", *MODES])
@pytest.mark.parametrize("lineage", LINEAGES)
async def test_each_party_ends_it_at_every_edge(
    rig: Rig, edge: Edge, mode: str, lineage: str
) -> None:
    """By its own revocation alone; and when that is forgotten, nothing of it stays behind."""
    applied = await rig.apply(hiding(mode))
    issued = await LINEAGES[lineage](rig)
    assert issued.mandate.hops == 3
    (await edge.at(applied.revision)).judge(issued.token)
    for anchor in issued.mandate.anchors:
        await edge.at(await kill(rig, anchor))
        with refused(Reason.MANDATE_REVOKED):
            edge.judge(issued.token)
        await edge.at(await forget(rig, anchor))
        edge.judge(issued.token)
    assert edge.dead == set()


@pytest.mark.parametrize("lineage", LINEAGES)
async def test_nobody_upstream_is_in_the_token(veiled: Rig, lineage: str) -> None:
    """Neither an application, nor a session, nor a delegation; but the subject and the holder."""
    issued = await LINEAGES[lineage](veiled)
    shown, hidden = text_of(issued.token), upstream(veiled, issued.mandate)
    assert len(hidden) >= 5
    assert [name for name in hidden if name in shown] == []
    assert issued.mandate.subject in shown
    assert issued.mandate.application in shown
    assert len(issued.token) <= 2048


async def test_holder_is_shown_with_its_own_sessions(veiled: Rig) -> None:
    """Whoever acts for itself hides nothing, and whoever received authority nothing of its own."""
    start = SessionStart("shop", parent=veiled.standing("agent"))
    own = (await veiled.authority.sessions.start(await veiled.caller("agent"), start)).session
    text = text_of((await veiled.exchange("agent", ORDERS, session=own.id)).token)
    assert veiled.standing("agent") in text
    assert "h_" not in text
    (landing,) = await relayed(veiled, "first")
    start = SessionStart("shop", parent=landing.id)
    below = (await veiled.authority.sessions.start(await veiled.caller("first"), start)).session
    text = text_of((await veiled.exchange("first", ORDERS, session=below.id)).token)
    assert all(name in text for name in (landing.id, landing.delegation, below.id))
    assert veiled.standing("agent") not in text


@pytest.mark.parametrize("lineage", LINEAGES)
async def test_ledger_keeps_the_whole_truth(veiled: Rig, lineage: str) -> None:
    """The entry of a mandate names who the mandate does not."""
    issued = await LINEAGES[lineage](veiled)
    entry = await veiled.last()
    assert entry.jti == issued.mandate.jti
    assert entry.actor_chain == tuple(hop.application for hop in issued.mandate.chain)
    assert entry.hops == 3
    assert not any(map(is_alias, (entry.root_session, *entry.actor_chain)))


async def test_longest_lineage_that_hides_fits(rig: Rig) -> None:
    """An alias is shorter than an id, so that hiding never makes a mandate too large."""
    sizes = {}
    for mode in ("full", *MODES):
        await rig.apply(hiding(mode))
        sizes[mode] = len((await three_hops(rig)).token)
    assert sizes["last"] < sizes["hashed"] < sizes["full"] <= 2048


@pytest.mark.parametrize("hops", [1, 2])
async def test_lineage_goes_on_from_a_hidden_one(veiled: Rig, hops: int) -> None:
    """On behalf of its holder, each party is behind the next mandate as it was behind this."""
    landings = await relayed(veiled, *("first", "second")[:hops])
    holder = ("first", "second")[hops - 1]
    shown = await veiled.exchange(holder, ORDERS, "orders:place", session=landings[-1].id)
    after = await veiled.exchange("orders", ORDERS, "orders:place", subject_token=shown.token)
    assert after.mandate.chain[:-1] == shown.mandate.chain
    assert after.mandate.root_session == shown.mandate.root_session
    assert set(shown.mandate.anchors) - {shown.mandate.jti} <= set(after.mandate.anchors)


async def test_dead_party_of_a_hidden_lineage_ends_what_goes_on_from_it(veiled: Rig) -> None:
    """SUBJECT_TOKEN_INVALID, whoever of it was revoked."""
    landings = await relayed(veiled, "first", "second")
    shown = await veiled.exchange("second", ORDERS, "orders:place", session=landings[-1].id)
    for anchor in sorted(upstream(veiled, shown.mandate)):
        await veiled.state.reached(await kill(veiled, anchor))
        with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
            await veiled.exchange("orders", ORDERS, "orders:place", subject_token=shown.token)
        assert seen.metadata["cause"] == Reason.MANDATE_REVOKED.value
        await veiled.state.reached(await forget(veiled, anchor))
    await veiled.exchange("orders", ORDERS, "orders:place", subject_token=shown.token)


async def test_party_that_is_gone_from_the_store_ends_it(veiled: Rig) -> None:
    """An alias that stands for nobody is no lineage to go on from."""
    landings = await relayed(veiled, "first", "second")
    shown = await veiled.exchange("second", ORDERS, session=landings[-1].id)
    gone = Key("shop", "sessions", landings[0].id)
    await veiled.state.reached(await veiled.store.commit([Delete(gone)]))
    with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
        await veiled.exchange("orders", ORDERS, "orders:place", subject_token=shown.token)
    assert seen.metadata["cause"] == Reason.MANDATE_REVOKED.value


async def test_hidden_mandate_is_consumed_as_long_as_all_behind_it_live(veiled: Rig) -> None:
    """By the authority's own judgement, which knows who they are."""
    issued = await three_hops(veiled)
    guard = await veiled.caller("orders")
    use = Use("shop", issued.token, "req_1", "/shop.v1.Orders/Place")
    first = issued.mandate.chain[0].session
    await veiled.state.reached(await kill(veiled, first))
    with refused(Reason.MANDATE_REVOKED) as seen:
        await veiled.authority.consumption.consume(guard, use)
    assert seen.metadata["anchor"] == alias("shop", first), "the guard is not told whom either"
    await veiled.state.reached(await forget(veiled, first))
    await veiled.authority.consumption.consume(guard, use)


async def test_refusal_names_nobody_who_is_hidden(veiled: Rig) -> None:
    """Whoever goes on from a mandate hears that a session behind it ended, and not which."""
    first, second = await relayed(veiled, "first", "second")
    shown = await veiled.exchange("second", ORDERS, "orders:place", session=second.id)
    place = session_place("shop", first.id)
    ended = replace(first, terminated_at=int(veiled.clock.now()))
    await veiled.state.reached(await veiled.store.commit([Put(place, ended.to_value())]))
    with refused(Reason.SESSION_NOT_ACTIVE) as seen:
        await veiled.exchange("orders", ORDERS, subject_token=shown.token)
    assert seen.metadata["session"] == alias("shop", first.id)
    with refused(Reason.SESSION_NOT_ACTIVE) as seen:
        await veiled.exchange("orders", ORDERS, session=first.id)
    assert seen.metadata["session"] == first.id, "its own words are no secret"


async def test_what_is_answered_again_is_hidden_again(veiled: Rig) -> None:
    """A repeatable request that is answered from the store shows no more than at first."""
    landings = await relayed(veiled, "first", "second")
    how: dict[str, Any] = {"session": landings[-1].id, "request_id": "r1"}
    issued = await veiled.exchange("second", ORDERS, **how)
    veiled.authority.exchange._replay._kept.clear()
    again = await veiled.exchange("second", ORDERS, **how)
    assert again.token != issued.token
    assert text_of(again.token) == text_of(issued.token)


async def test_edges_hear_of_aliases_while_a_hidden_mandate_may_live(rig: Rig, edge: Edge) -> None:
    """From the moment that a zone hides, with all that is dead, until well after it shows again."""
    dead = rig.standing("payments")
    revision = await kill(rig, dead)
    assert (await edge.at(revision)).dead == {dead}
    hidden = await rig.apply(hiding("hashed"))
    before = edge.snapshots
    assert (await edge.at(hidden.revision)).dead == {dead, alias("shop", dead)}
    assert edge.snapshots > before
    shown = await rig.apply(hiding("full"))
    another = rig.standing("bounded")
    await edge.at(shown.revision)
    await edge.at(await kill(rig, another))
    assert edge.dead == {name for each in (dead, another) for name in (each, alias("shop", each))}
    await rig.advance(REVOCATION_TTL)  # which is when the store forgets them by itself
    third = rig.standing("orders")
    await edge.at(await kill(rig, third))
    assert edge.dead == {third}, "what was told with its alias is forgotten with it"


async def test_mandates_have_no_aliases_to_tell(veiled: Rig, edge: Edge) -> None:
    """Nobody hides the id of a mandate, so a million revoked ones are not two million."""
    issued = await veiled.exchange("agent", ORDERS)
    await edge.at(await kill(veiled, issued.mandate.jti))
    assert edge.dead == {issued.mandate.jti}


async def test_aliases_come_and_go_with_what_they_stand_for(veiled: Rig) -> None:
    """No zone that shows its lineages is kept, and no alias outlives its session."""
    aliases = veiled.authority._aliases
    (session,) = await relayed(veiled, "first")
    delegation = sibling("del", session.id)
    for name in (session.id, delegation, veiled.application("first")):
        assert aliases.find("shop", alias("shop", name)) == name
    operator = veiled.application("operator", "caracal")
    assert aliases.find("caracal", alias("caracal", operator)) is None
    gone = Key("shop", "sessions", session.id)
    await veiled.state.reached(await veiled.store.commit([Delete(gone)]))
    assert aliases.find("shop", alias("shop", session.id)) is None
    assert aliases.find("shop", alias("shop", delegation)) is None


async def test_switch_changes_nothing_for_what_was_issued(rig: Rig, edge: Edge) -> None:
    """A mandate that was issued while the zone hid is good, and ended, after it shows again."""
    await rig.apply(hiding("last"))
    issued = await three_hops(rig)
    shown = await rig.apply(hiding("full"))
    (await edge.at(shown.revision)).judge(issued.token)
    after = await rig.exchange("orders", ORDERS, "orders:place", subject_token=issued.token)
    assert after.mandate.chain[:-1] == issued.mandate.chain
    await edge.at(await kill(rig, issued.mandate.chain[0].session))
    with refused(Reason.MANDATE_REVOKED):
        edge.judge(issued.token)
