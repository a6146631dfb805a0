"""What edges report: each decision one entry, once, within bounds."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.authority.audit.edge_decisions import MAX_WAITING, Report
from caracal_grpc.authority.state.bucket import Bucket, Buckets
from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.limits import MAX_DECISIONS
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.ledger.port import Filter
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS

IDS = SystemIds()
METHOD = "/orders.v1.Orders/Place"
DECISIONS = Filter(type="edge.decision")


def decision(**changes: Any) -> EdgeDecision:
    """One that can be recorded: a call without a mandate, refused."""
    values = {"reason": "MANDATE_MISSING", "method": METHOD, "resource": ORDERS, **changes}
    return EdgeDecision(**{"id": IDS.new("aud"), "time_ms": 1_789_999_999_500, **values})


def shown(mandate: Mandate, **changes: Any) -> EdgeDecision:
    """One about a call that carried `mandate`."""
    facts = {
        "jti": mandate.jti,
        "application_id": mandate.application,
        "subject": mandate.subject,
        "session_id": mandate.session,
        "mandate_audit_id": mandate.audit_id,
    }
    return decision(**{**facts, **changes})


async def report(rig: Rig, *decisions: EdgeDecision, name: str = "orders", **more: Any) -> int:
    """What the edge of an application is answered."""
    caller = await rig.caller(name)
    told = Report("shop", decisions, **more)
    return await rig.authority.edge_decisions.record(caller, told)


async def reported(rig: Rig) -> list[Entry]:
    """The entries that edges reported."""
    return await rig.entries(query=DECISIONS)


async def test_decision_becomes_an_entry(rig: Rig) -> None:
    """With who called, what for, why not, and whose word it is."""
    mandate = (await rig.exchange("agent", ORDERS, "orders:place")).mandate
    told = shown(mandate, reason="SCOPE_INSUFFICIENT", request_id="r-1")
    assert await report(rig, told, dropped=3, sampling_rate=0.25) == 1
    (entry,) = await reported(rig)
    assert (entry.id, entry.decision, entry.reason) == (told.id, "deny", "SCOPE_INSUFFICIENT")
    assert (entry.application, entry.subject) == (mandate.application, mandate.subject)
    assert (entry.resource, entry.session, entry.jti) == (ORDERS, mandate.session, mandate.jti)
    assert (entry.request_id, entry.time_ms) == ("r-1", int(rig.clock.now() * 1000))
    assert entry.details == {
        "edge": rig.application("orders"),
        "method": METHOD,
        "decided_at": told.time_ms,
        "mandate_audit_id": mandate.audit_id,
        "dropped": 3,
        "sampling_rate": "0.25",
    }


async def test_call_that_was_let_in_has_no_reason(rig: Rig) -> None:
    """And what was dropped is said once a report, by its first decision."""
    assert await report(rig, decision(reason=""), decision(), dropped=7) == 2
    first, second = await reported(rig)
    assert (first.decision, first.reason, first.details["dropped"]) == ("allow", "", 7)
    assert (second.decision, "dropped" in second.details) == ("deny", False)


async def test_what_is_sent_again_is_recorded_once(rig: Rig) -> None:
    """In the same report or in another one, by a second edge, at the same time."""
    told = [decision() for _ in range(20)]
    assert await report(rig, *told[:15], told[0]) == 15
    again = await asyncio.gather(
        report(rig, *told), report(rig, *told), report(rig, *told, name="agent")
    )
    assert sum(again) == 5
    assert [entry.id for entry in await reported(rig)] == [each.id for each in told]


async def test_entry_of_another_matter_is_not_overwritten(rig: Rig) -> None:
    """Its id counts as recorded before."""
    mandate = (await rig.exchange("agent", ORDERS)).mandate
    assert await report(rig, decision(id=mandate.audit_id)) == 0
    found = await rig.entries(query=Filter(audit_id=mandate.audit_id))
    assert [(entry.type, entry.jti) for entry in found] == [("exchange", mandate.jti)]


BAD: list[tuple[str, dict[str, Any]]] = [
    ("id", {"id": "aud_x"}),
    ("id", {"id": "mnd_01h455vb4pex5vsknk084sn02q"}),
    ("time", {"time_ms": 0}),
    ("time", {"time_ms": -1}),
    ("time", {"time_ms": 253_402_300_800_000}),
    ("reason", {"reason": "BECAUSE"}),
    ("method", {"method": ""}),
    ("method", {"method": "/a\nb"}),
    ("method", {"method": "/" + "a" * 512}),
    ("resource", {"resource": "r" * 513}),
    ("jti", {"jti": "eyJhbGciOiJFUzI1NiJ9.e30.c2ln"}),
    ("application_id", {"application_id": "agent"}),
    ("subject", {"subject": "a\x00"}),
    ("session_id", {"session_id": "app_01h455vb4pex5vsknk084sn02q"}),
    ("request_id", {"request_id": "é"}),
    ("request_id", {"request_id": "r" * 129}),
    ("mandate_audit_id", {"mandate_audit_id": "x"}),
]


@pytest.mark.parametrize(
    ("field", "changes"), BAD, ids=[f"{f}-{n}" for n, (f, _) in enumerate(BAD)]
)
async def test_bad_decision_keeps_its_report_out(
    rig: Rig, field: str, changes: dict[str, Any]
) -> None:
    """It is named, and none of the others is recorded either."""
    with refused(Reason.FIELD_INVALID) as seen:
        await report(rig, decision(), decision(), decision(), decision(**changes))
    assert seen.fields == [f"decisions[3].{field}"]
    assert await reported(rig) == []


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("dropped", {"dropped": -1}),
        ("sampling_rate", {"sampling_rate": 1.5}),
        ("sampling_rate", {"sampling_rate": -0.1}),
        ("sampling_rate", {"sampling_rate": float("nan")}),
    ],
)
async def test_bad_report_is_refused(rig: Rig, field: str, more: dict[str, Any]) -> None:
    """FIELD_INVALID."""
    with refused(Reason.FIELD_INVALID) as seen:
        await report(rig, decision(), **more)
    assert seen.fields == [field]
    assert await reported(rig) == []


@pytest.mark.parametrize("count", [0, MAX_DECISIONS + 1])
async def test_report_has_a_size(rig: Rig, count: int) -> None:
    """1 to 500 decisions."""
    with refused(Reason.FIELD_INVALID) as seen:
        await report(rig, *[decision()] * count)
    assert seen.fields == ["decisions"]


async def test_largest_report_fits(rig: Rig) -> None:
    """500 decisions, every text as long as it may be."""
    text = "ß" * 512
    told = [decision(method=text, subject=text, resource=text) for _ in range(MAX_DECISIONS)]
    assert await report(rig, *told) == MAX_DECISIONS
    assert len(await reported(rig)) == MAX_DECISIONS


async def test_nobody_reports_for_another_zone(rig: Rig) -> None:
    """Not even the operator: what edges say is said by those who have them."""
    told = Report("shop", (decision(),))
    assert rig.operator is not None
    with refused(Reason.ZONE_FORBIDDEN):
        await rig.authority.edge_decisions.record(rig.operator, told)
    caller = await rig.caller("orders")
    with refused(Reason.ZONE_FORBIDDEN):
        await rig.authority.edge_decisions.record(caller, replace(told, zone="caracal"))
    gone = replace(caller, zone="gone")
    with refused(Reason.OBJECT_NOT_FOUND):
        await rig.authority.edge_decisions.record(gone, replace(told, zone="gone"))
    assert await reported(rig) == []


async def test_one_edge_cannot_fill_the_ledger(rig: Rig) -> None:
    """RATE_LIMITED with when to come back; the edges of others are not held up by it."""
    buckets = Buckets(lambda: Bucket(rig.clock, 2, 4, "too many"))
    rig.authority.edge_decisions._buckets = buckets
    told = [decision() for _ in range(7)]
    assert await report(rig, *told[:3]) == 3
    with refused(Reason.RATE_LIMITED) as seen:
        await report(rig, *told[3:6])
    assert seen.error.retry_after == 1.0
    assert await report(rig, told[6], name="agent") == 1
    await rig.advance(1)
    assert await report(rig, *told[3:6]) == 3


def test_buckets_are_bounded() -> None:
    """The one that was not used longest is forgotten first."""
    clock = FakeClock()
    buckets = Buckets(lambda: Bucket(clock, 1, 1, "too many"), size=2)
    for name in ("a", "b", "a"):
        clock.advance(1)
        buckets.take(name)
    buckets.take("c")
    with refused(Reason.RATE_LIMITED):
        buckets.take("a")
    buckets.take("b")


async def test_reports_that_wait_are_bounded(rig: Rig) -> None:
    """One is written at a time; beyond a bound edges are told to come back, and can."""
    caller = await rig.caller("orders")
    edges = rig.authority.edge_decisions
    told = [decision() for _ in range(MAX_WAITING + 5)]
    async with edges._writing:
        tasks = [asyncio.ensure_future(edges.record(caller, Report("shop", (d,)))) for d in told]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        assert len(done) == 5
    results = await asyncio.gather(*tasks, return_exceptions=True)
    late = [each for each in results if isinstance(each, Exception)]
    assert {getattr(each, "reason", None) for each in late} == {Reason.AUDIT_UNAVAILABLE}
    assert results.count(1) == MAX_WAITING
    assert await report(rig, *told) == 5


async def test_caller_that_leaves_lets_nobody_pass(rig: Rig) -> None:
    """Its report is written to the end before the next one begins."""
    told = [decision() for _ in range(30)]
    caller = await rig.caller("orders")
    first = asyncio.create_task(
        rig.authority.edge_decisions.record(caller, Report("shop", tuple(told[:-1])))
    )
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    assert await report(rig, told[-1]) == 1
    assert [entry.id for entry in await reported(rig)] == [each.id for each in told]


async def test_decision_is_explained(rig: Rig) -> None:
    """By its id; its mandate is explained by its own entry still, and by nothing of the edge's."""
    mandate = (await rig.exchange("agent", ORDERS, "orders:place")).mandate
    refusal = shown(mandate, reason="MANDATE_REVOKED")
    letting_in = shown(mandate, reason="")
    await report(rig, letting_in, refusal, decision(resource=""), dropped=2, sampling_rate=0.5)
    assert rig.operator is not None
    explaining = rig.authority.explaining
    found = await explaining.explain(rig.operator, "shop", audit_id=refusal.id)
    assert [step.by for step in found.steps] == ["request", "mandate", "edge", "outcome"]
    assert METHOD in found.steps[0].text
    assert mandate.audit_id in found.steps[1].text
    assert rig.application("orders") in found.steps[2].text
    assert "2026-09-21T14:13:19.500+00:00" in found.steps[2].text
    assert found.steps[-1].text == "refused: MANDATE_REVOKED"
    allowed = await explaining.explain(rig.operator, "shop", audit_id=letting_in.id)
    assert allowed.steps[-1].text == "let in"
    assert "drop 2" in allowed.steps[-2].text
    assert (allowed.grants, allowed.alive, allowed.dead_by) == (False, False, "")
    granted = await explaining.explain(rig.operator, "shop", jti=mandate.jti)
    assert (granted.entry.id, granted.entry.type) == (mandate.audit_id, "exchange")
    assert granted.grants
