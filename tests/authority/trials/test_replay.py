"""Replay: what another policy would have decided, question by question, and nothing else."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.authority.policies.active import active_policy
from caracal_grpc.authority.trials.candidates import Candidate, Candidates
from caracal_grpc.authority.trials.replay import MAX_TOLD, MAX_WAITED, Progress, Replays
from caracal_grpc.core.decision import Decision
from caracal_grpc.core.entry import MAX_QUESTION, Entry
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.entries.stored import Stored
from caracal_grpc.policy.bundle import Bundle
from caracal_grpc.policy.port import Engine, Policy
from tests.authority.trials.traffic import (
    CANCEL,
    PLACE,
    corp,
    declared,
    of,
    operator,
    replayed,
    traffic,
)
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, rego

DENY_ALL = rego('{"decision": "deny"}')


@pytest.fixture
async def busy(any_rig: Rig) -> AsyncIterator[Rig]:
    """A zone that has made decisions of every kind."""
    async with corp(any_rig) as idp:
        outcomes = await traffic(any_rig, idp)
        assert {None, Reason.POLICY_DENIED, Reason.STEP_UP_REQUIRED} <= set(outcomes)
        yield any_rig


async def asked(rig: Rig) -> list[Entry]:
    """The recorded decisions that hold a question."""
    return [entry for entry in await rig.entries() if entry.question]


async def policy_of(rig: Rig) -> dict[str, Any]:
    """The policy that decided: as it was declared, with all issuers."""
    zone = declared()
    grants = zone["policy"]["grants"]
    user = {"application": "orders", "resource": ORDERS, "scopes": [PLACE], "users": ["corp/*"]}
    return {"grants": copy.deepcopy([*grants, user])}


async def test_the_version_that_decided_decides_the_same(busy: Rig) -> None:
    """Every question is asked again, and no answer differs; what holds none is skipped."""
    before = len(await busy.entries())
    version = active_policy(busy.state, "shop").active
    for candidate in (Candidate(version), of(await policy_of(busy))):
        *_, last = await replayed(busy, candidate)
        assert last.done
        assert (last.replayed, last.changed) == (len(await asked(busy)), 0)
        exchanges = [each for each in await busy.entries() if each.type == "exchange"]
        assert last.skipped == len(exchanges) - last.replayed > 0
    assert len(await busy.entries()) == before, "a replay records nothing"


async def test_a_changed_grant_changes_what_it_granted(busy: Rig) -> None:
    """Exactly the decisions that rested on it, each with what was and what would be."""
    policy = await policy_of(busy)
    taken = policy["grants"][0]
    assert (taken["application"], taken["scopes"]) == ("agent", [PLACE, CANCEL])
    taken["scopes"] = [PLACE]
    expected = {
        entry.id: (tuple(entry.granted_scopes), tuple(sorted({*entry.granted_scopes} - {CANCEL})))
        for entry in await asked(busy)
        if entry.application_name == "agent" and CANCEL in entry.granted_scopes
    }
    assert expected
    told = await replayed(busy, of(policy))
    found = {each.audit_id: each for progress in told for each in progress.differences}
    assert told[-1].changed == len(found)
    assert {name: (each.was.scopes, each.now.scopes) for name, each in found.items()} == expected
    for each in found.values():
        entry = next(entry for entry in await busy.entries() if entry.id == each.audit_id)
        assert (each.application_name, each.resource) == ("agent", ORDERS)
        assert (each.time_ms, each.requested_scopes) == (entry.time_ms, entry.requested_scopes)


@pytest.mark.parametrize(
    ("change", "was", "now"),
    [
        ({"ttl_seconds": 30}, ("allow", 0), ("allow", 30)),
        ({"step_up": [PLACE]}, ("allow", 0), ("step_up", 0)),
        ({"labels": ["day"]}, ("allow", 0), ("deny", 0)),
    ],
)
async def test_decision_and_cap_count_too(
    busy: Rig, change: dict[str, Any], was: tuple[str, int], now: tuple[str, int]
) -> None:
    """Not only the scopes."""
    policy = await policy_of(busy)
    policy["grants"] = [{"application": "fourth", "resource": ORDERS, "scopes": [PLACE], **change}]
    policy["grants"] += [
        grant for grant in (await policy_of(busy))["grants"] if grant["application"] != "fourth"
    ]
    told = await replayed(busy, of(policy))
    (found,) = [each for progress in told for each in progress.differences]
    assert (found.application_name, found.requested_scopes) == ("fourth", ())
    assert (found.was.decision, found.was.ttl_seconds) == was
    assert (found.now.decision, found.now.ttl_seconds) == now


async def test_a_candidate_that_fails_differs_by_that(busy: Rig) -> None:
    """Wherever something was decided before; it is told why."""
    told = await replayed(busy, of(rego('{"decision": "maybe"}')))
    found = [each for progress in told for each in progress.differences]
    assert len(found) == told[-1].changed == told[-1].replayed
    assert {each.now.decision for each in found} == {"failed"}
    assert all(each.now.failure for each in found)


async def test_the_recorded_version_need_not_be_there_any_more(busy: Rig) -> None:
    """What was answered is recorded, so other policies may have decided since, and be gone."""
    zone = declared()
    await busy.apply(zone | {"policy": DENY_ALL, "issuers": []})
    assert not (await replayed(busy, of(await policy_of(busy))))[-1].changed


async def test_a_window_bounds_what_is_asked(rig: Rig) -> None:
    """From as long ago as it says until now."""
    await rig.apply(declared())
    await rig.exchange("agent", ORDERS)
    await rig.advance(7_200)
    await rig.exchange("agent", ORDERS, PLACE)
    for window, count in ((60, 1), (7_100, 1), (7_300, 2), (0, 2)):
        (last,) = await replayed(rig, of(DENY_ALL), window)
        assert (last.replayed, last.changed) == (count, count)
    with refused(Reason.FIELD_INVALID):
        await replayed(rig, of(DENY_ALL), 59)


async def test_a_question_too_long_for_an_entry_is_skipped(rig: Rig) -> None:
    """It is not recorded at all, and neither is its answer."""
    await rig.apply(declared())
    context = {f"fact-{number}": "\U0001f6d2" * 256 for number in range(16)}
    await rig.exchange("agent", ORDERS, PLACE, context=context)
    assert ((await rig.last()).question, (await rig.last()).answer) == ("", "")
    (last,) = await replayed(rig, of(DENY_ALL))
    assert (last.replayed, last.skipped) == (0, 1)


async def test_questions_are_recorded_as_they_were_asked(busy: Rig) -> None:
    """Whole, within their bound, and with neither a token nor a secret."""
    secrets = [credential.secret for credential in busy.credentials.values()]
    for entry in await asked(busy):
        question = json.loads(entry.question)
        assert question["principal"]["id"] == entry.application
        assert question["zone"] == "shop"
        assert len(entry.question) <= MAX_QUESTION
        assert "eyJ" not in entry.question
        assert not any(secret in entry.question + entry.answer for secret in secrets)


async def test_two_run_at_once_and_an_ended_one_makes_room(rig: Rig) -> None:
    """LIMIT_EXCEEDED for the third, until one of them is closed."""
    await rig.apply(declared())
    for _ in range(MAX_TOLD + 1):
        await rig.exchange("agent", ORDERS)
    replays = rig.authority.trials.replays
    running = [replays.replay(operator(rig), "shop", of(DENY_ALL), 0) for _ in range(3)]
    for each in running[:2]:
        progress: Progress = await anext(each)
        assert not progress.done
        assert len(progress.differences) == MAX_TOLD
    with refused(Reason.LIMIT_EXCEEDED):
        await anext(running[2])
    await running[0].aclose()
    assert (await replayed(rig, of(DENY_ALL)))[-1].done
    await running[1].aclose()


async def test_a_replay_ends_with_its_replica(rig: Rig) -> None:
    """DRAINING, since it may take minutes."""
    await rig.apply(declared())
    for _ in range(MAX_TOLD + 1):
        await rig.exchange("agent", ORDERS)
    replays = rig.authority.trials.replays
    running = replays.replay(operator(rig), "shop", of(DENY_ALL), 0)
    await anext(running)
    replays.drain()
    with refused(Reason.DRAINING):
        await anext(running)


async def test_what_was_changed_in_the_ledger_is_not_asked(rig: Rig) -> None:
    """It is no decision that was made; `audit verify` tells more."""
    await rig.apply(declared())
    for _ in range(3):
        await rig.exchange("agent", ORDERS)
    trials = rig.authority.trials.replays
    replays = Replays(Forged(rig), rig.state, trials._candidates, rig.clock)  # type: ignore[arg-type]
    *_, last = [each async for each in replays.replay(operator(rig), "shop", of(DENY_ALL), 0)]
    assert (last.replayed, last.changed, last.skipped) == (2, 2, 1)


class Forged:
    """The ledger, in which the newest entry is not what was recorded."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.search = rig.ledger.search

    async def export(self, zone: str, start: int, end: int) -> AsyncIterator[Stored]:
        """The entries, the newest with another decision."""
        async for stored in self._rig.ledger.export(zone, start, end):
            forged = stored.canonical.replace(b'"decision":"allow"', b'"decision":"deny"')
            newest = stored.index == end - 1
            yield replace(stored, canonical=forged) if newest else stored


async def test_exchanges_go_on_beside_it(rig: Rig) -> None:
    """A replay and exchanges take turns, though neither ever waits for anything but the ledger."""
    await rig.apply(declared())
    await asyncio.gather(*(rig.exchange("agent", ORDERS) for _ in range(300)))
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    ticking = asyncio.create_task(tick())
    *_, last = await replayed(rig, of(DENY_ALL))
    ticking.cancel()
    assert last.replayed == 300
    assert ticks > 5
    assert await rig.exchange("agent", ORDERS)


async def test_only_those_of_the_zone_or_operators(rig: Rig) -> None:
    """And a candidate has to be named, be there, and compile."""
    await rig.apply(declared())
    replays, caller = rig.authority.trials.replays, await rig.caller("agent")
    with refused(Reason.ZONE_FORBIDDEN):
        await anext(replays.replay(caller, "caracal", of(DENY_ALL), 0))
    with refused(Reason.OBJECT_NOT_FOUND):
        await anext(replays.replay(operator(rig), "nowhere", of(DENY_ALL), 0))
    with refused(Reason.OBJECT_NOT_FOUND):
        await replayed(rig, Candidate("sha256:0123456789abcdef"))
    broken = of({"modules": [{"name": "a.rego", "source": "no"}]})
    for bad in (Candidate(), broken):
        with refused(Reason.FIELD_INVALID):
            await replayed(rig, bad)
    for wrong in ("latest", "sha256:xyz"):
        with refused(Reason.FIELD_INVALID):
            Candidate(wrong)
    with refused(Reason.FIELD_INVALID):
        Candidate("sha256:0123456789abcdef", of(DENY_ALL).content)


class Tired:
    """An engine whose policies are not there for a while after every third question."""

    def __init__(self, engine: Engine, wait: float) -> None:
        self._engine = engine
        self._wait = wait
        self._asked = 0
        self._policy: Policy | None = None

    version = "sha256:0123456789abcdef"

    async def compile(self, bundle: Bundle) -> Any:
        """Itself, over the real one."""
        self._policy = await self._engine.compile(bundle)
        return self

    async def decide(self, question: str) -> Decision:
        """What the policy answers, if it is there."""
        assert self._policy is not None
        self._asked += 1
        if self._asked % 3 == 0:
            raise CaracalError(Reason.POLICY_FAILED, "it gets time again", retry_after=self._wait)
        return await self._policy.decide(question)

    async def close(self) -> None:
        """Frees the policy."""
        assert self._policy is not None
        await self._policy.close()


def tired(rig: Rig, wait: float) -> Replays:
    """Replays of such policies."""
    engine: Any = Tired(rig.authority.catalogue._engine, wait)
    versions = rig.authority.catalogue._versions
    candidates = Candidates(rig.state, versions, engine)
    return Replays(rig.ledger, rig.state, candidates, rig.clock)


async def test_who_is_not_there_for_a_while_is_asked_again(busy: Rig) -> None:
    """That it did not answer then is no answer of its own: nothing differs, nothing is left out."""
    candidate = of(await policy_of(busy))
    told = tired(busy, 0.001).replay(operator(busy), "shop", candidate, 0)
    last = [progress async for progress in told][-1]
    assert (last.replayed, last.changed) == (len(await asked(busy)), 0)


async def test_who_is_not_there_for_long_ends_the_replay(busy: Rig) -> None:
    """POLICY_FAILED, rather than an account of what was never asked."""
    told = tired(busy, MAX_WAITED + 1).replay(operator(busy), "shop", of(DENY_ALL), 0)
    with refused(Reason.POLICY_FAILED):
        [progress async for progress in told]
