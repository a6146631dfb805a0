"""AuditService.Record on the wire: what an edge says, checked and recorded."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.v1 import audit_pb2, audit_service_pb2
from tests.support.authority import Running, reason_of
from tests.support.refusals import refused
from tests.support.shop import ORDERS, rego, shop

ALLOW, DENY = audit_pb2.AUDIT_DECISION_ALLOW, audit_pb2.AUDIT_DECISION_DENY
IDS = SystemIds()


def told(**changes: Any) -> audit_service_pb2.EdgeDecision:
    """One decision as an edge sends it."""
    values: dict[str, Any] = {
        "id": IDS.new("aud"),
        "time": Timestamp(seconds=1_790_000_000),
        "decision": DENY,
        "reason": "MANDATE_MISSING",
        "method": "/orders.v1.Orders/Place",
        "resource": ORDERS,
    }
    return audit_service_pb2.EdgeDecision(**(values | changes))


async def record(authority: Running, *decisions: Any, name: str = "orders", **more: Any) -> Any:
    """What the edge of an application is answered."""
    request = audit_service_pb2.RecordRequest(
        **{"zone": "shop", "decisions": decisions, **more}  # type: ignore[arg-type]
    )
    return await authority.stubs.audit.Record(request, metadata=await authority.caller(name))


async def test_decisions_are_recorded_once(authority: Running) -> None:
    """Every application may report; the answer says how many are new."""
    first, second = told(), told(decision=ALLOW, reason="")
    assert (await record(authority, first, sampling_rate=1.0)).recorded == 1
    assert (await record(authority, first, second, dropped=4, name="payments")).recorded == 1
    request = audit_service_pb2.SearchRequest(zone="shop", type="edge.decision")
    found = await authority.stubs.audit.Search(request, metadata=await authority.operator())
    assert [each.id for each in found.entries] == [first.id, second.id]
    assert [each.decision for each in found.entries] == [DENY, ALLOW]
    assert [each.resource for each in found.entries] == [ORDERS, ORDERS]
    allowed = audit_service_pb2.ExplainRequest(zone="shop", audit_id=second.id)
    answer = await authority.stubs.audit.Explain(allowed, metadata=await authority.operator())
    assert not answer.HasField("mandate")
    assert (answer.alive, answer.dead_by) == (False, "")


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("decision", {"decision": ALLOW}),
        ("decision", {"reason": ""}),
        ("decision", {"decision": audit_pb2.AUDIT_DECISION_DONE}),
        ("decision", {"decision": audit_pb2.AUDIT_DECISION_UNSPECIFIED}),
        ("decision", {"decision": 99}),
        ("time", {"time": None}),
        ("time", {"time": Timestamp(seconds=-5)}),
        ("time", {"time": Timestamp(seconds=2**62)}),
        ("reason", {"reason": "ERROR_REASON_POLICY_DENIED"}),
        ("method", {"method": "m" * 513}),
    ],
)
async def test_malformed_decision_is_named(
    authority: Running, field: str, changes: dict[str, Any]
) -> None:
    """FIELD_INVALID, and nothing of the report is recorded."""
    good = told()
    with refused(Reason.FIELD_INVALID) as seen:
        await record(authority, good, told(**changes))
    assert seen.fields == [f"decisions[1].{field}"]
    assert (await record(authority, good)).recorded == 1


async def test_report_is_bounded(authority: Running) -> None:
    """1 to 500 decisions, a count and a share."""
    for more in (
        {"decisions": []},
        {"decisions": [told()] * 501},
        {"decisions": [told()], "dropped": -1},
        {"decisions": [told()], "sampling_rate": 2.0},
        {"decisions": [told()], "zone": "No Zone"},
    ):
        assert await reason_of(record(authority, **more)) is Reason.FIELD_INVALID


async def test_only_the_own_zone(authority: Running) -> None:
    """ZONE_FORBIDDEN, for the operator, too."""
    await authority.apply(shop(name="annex"))
    assert await reason_of(record(authority, told(), zone="annex")) is Reason.ZONE_FORBIDDEN
    request = audit_service_pb2.RecordRequest(zone="shop", decisions=[told()])
    operator = await authority.operator()
    call = authority.stubs.audit.Record(request, metadata=operator)
    assert await reason_of(call) is Reason.ZONE_FORBIDDEN


async def test_zone_with_modules_of_its_own_must_grant_it(authority: Running) -> None:
    """Its policy decides who may report, as all else."""
    await authority.apply(shop(name="strict", policy=rego('{"decision": "deny", "reasons": []}')))
    with refused(Reason.POLICY_DENIED):
        await authority.caller("orders", zone="strict")
