"""A diagnosis: every check, at once, and none that can hold up or hide another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from caracal_grpc.authority.diagnosis import diagnosis
from caracal_grpc.authority.diagnosis.check import Finding, Question, fine
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from tests.authority.diagnosis.patient import FAILED, OK, asked, found, operator, statuses
from tests.support.refusals import refused
from tests.support.rig import Rig

SECTIONS = ["authority", "etcd", "ledger", "feed", "policy", "keys", "tls"]


def question(name: str, look: Callable[[Any], Awaitable[Finding]]) -> Question[Any]:
    """One that is asked instead of all."""
    return Question("test", name, look, "do this")


async def well(_: Any) -> Finding:
    """As it should be."""
    return fine("well")


async def test_all_is_well_in_a_fresh_authority(any_rig: Rig) -> None:
    """Each check says so, but for a release of etcd that may lose writes."""
    findings = await found(any_rig)
    assert statuses(findings).keys() <= {"etcd.release"}
    assert all(each.detail for each in findings.values())
    assert [each for each in findings.values() if each.advice and each.status is OK] == []


async def test_answers_are_in_the_order_of_sections(rig: Rig) -> None:
    """With the replica, its release and its time."""
    told = await rig.authority.diagnostics.diagnose(operator(rig), "shop")
    assert list(dict.fromkeys(each.section for each in told.checks)) == SECTIONS
    assert told.replica == rig.authority._replicas.own
    assert told.release
    assert told.time == rig.clock.now()


async def test_no_zone_is_that_of_the_caller(rig: Rig) -> None:
    """The entry that the check of the ledger leaves is in it."""
    await rig.authority.diagnostics.diagnose(await rig.caller("agent"), "")
    entry = await rig.last("shop")
    assert (entry.type, entry.decision) == ("diagnosis", "done")
    assert entry.application == rig.application("agent")


async def test_another_zone_is_for_operators(rig: Rig) -> None:
    """And one that does not exist is not found."""
    diagnostics = rig.authority.diagnostics
    with refused(Reason.ZONE_FORBIDDEN):
        await diagnostics.diagnose(await rig.caller("agent"), "caracal")
    with refused(Reason.OBJECT_NOT_FOUND):
        await diagnostics.diagnose(operator(rig), "nowhere")


async def test_a_look_that_hangs_holds_up_nobody(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are told, and it is said to hang."""
    monkeypatch.setattr(diagnosis, "PATIENCE", 0.05)

    async def hangs(_: Any) -> Finding:
        await asyncio.Event().wait()
        return fine("never")

    findings = await asked(rig, question("hangs", hangs), question("well", well))
    assert findings["test.hangs"].status is FAILED
    assert findings["test.hangs"].detail == "no answer within 0.05 s"
    assert findings["test.hangs"].advice == "do this"
    assert findings["test.well"].status is OK


async def test_a_look_that_raises_is_a_failure_with_advice(rig: Rig) -> None:
    """A refusal tells its text; of anything else the kind alone is told, since texts may leak."""

    async def refuses(_: Any) -> Finding:
        raise CaracalError(Reason.STORE_UNAVAILABLE, "the store is away")

    async def breaks(_: Any) -> Finding:
        raise ValueError("a secret")

    findings = await asked(
        rig, question("refuses", refuses), question("breaks", breaks), question("well", well)
    )
    assert findings["test.refuses"].detail == "the store is away (STORE_UNAVAILABLE)"
    assert findings["test.breaks"].detail == "cannot be looked at: ValueError"
    assert {findings[f"test.{name}"].advice for name in ("refuses", "breaks")} == {"do this"}
    assert findings["test.well"].status is OK
