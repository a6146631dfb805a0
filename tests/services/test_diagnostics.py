"""DiagnosticsService: what the authority knows of its own health, over the wire."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.v1 import diagnostics_pb2
from caracal_grpc.v1.diagnostics_service_pb2 import DiagnosticsServiceDiagnoseRequest
from tests.support.authority import Running, reason_of
from tests.support.shop import CARACAL, shop

OK = diagnostics_pb2.CHECK_STATUS_OK


async def diagnosed(authority: Running, zone: str = "", metadata: Any = None) -> Any:
    """What the operator is told, or who calls with `metadata`."""
    return await authority.stubs.diagnostics.Diagnose(
        DiagnosticsServiceDiagnoseRequest(zone=zone),
        metadata=metadata or await authority.operator(),
    )


async def test_every_section_is_told(authority: Running) -> None:
    """With the replica, its release and its time; nothing has failed."""
    told = await diagnosed(authority, "shop")
    sections = list(dict.fromkeys(each.section for each in told.checks))
    assert sections == ["authority", "etcd", "ledger", "feed", "policy", "keys", "tls"]
    assert diagnostics_pb2.CHECK_STATUS_FAILED not in {each.status for each in told.checks}
    assert all(each.advice == "" for each in told.checks if each.status == OK)
    assert told.replica.startswith("rep_")
    assert told.release
    assert told.time.seconds > 1_700_000_000


async def test_it_is_for_who_may_read_it(authority: Running) -> None:
    """A scope that an application of a zone may be granted, for that zone alone."""
    assert (
        await reason_of(diagnosed(authority, "shop", await authority.caller("agent")))
        is Reason.SCOPE_INSUFFICIENT
    )
    changed = shop()
    changed["policy"]["grants"].append(
        {"application": "orders", "resource": CARACAL, "scopes": ["caracal:diagnostics:read"]}
    )
    await authority.apply(changed)
    metadata = await authority.caller("orders")
    assert (await diagnosed(authority, "", metadata)).checks
    assert await reason_of(diagnosed(authority, "caracal", metadata)) is Reason.ZONE_FORBIDDEN


@pytest.mark.parametrize(
    ("zone", "reason"), [("No", Reason.FIELD_INVALID), ("nowhere", Reason.OBJECT_NOT_FOUND)]
)
async def test_a_zone_that_is_none_is_refused(
    zone: str, reason: Reason, authority: Running
) -> None:
    """By its form, or since it is not there."""
    assert await reason_of(diagnosed(authority, zone)) is reason


async def test_too_many_are_limited(authority: Running) -> None:
    """Of one application at once: each looks at everything."""
    await authority.operator()
    calls = (reason_of(diagnosed(authority)) for _ in range(60))
    assert set(await asyncio.gather(*calls)) == {None, Reason.RATE_LIMITED}
