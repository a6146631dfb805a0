"""Approving what policy held, as a person of the shop."""

from __future__ import annotations

from typing import Any

from caracal_grpc.v1 import approval_service_pb2
from tests.support.authority import Client
from tests.support.shop import CARACAL

ANN: dict[str, Any] = {"name": "ann"}
"""An application of the shop that may approve, by the grant of `APPROVING`."""

APPROVING: dict[str, Any] = {
    "application": "ann",
    "resource": CARACAL,
    "scopes": ["caracal:approvals:read", "caracal:approvals:decide"],
}


async def approve(authority: Client, approval: str) -> None:
    """Approves it, as `ANN`."""
    metadata = await authority.caller("ann")
    asked = approval_service_pb2.ApprovalServiceGetRequest(zone="shop", id=approval)
    found = (await authority.stubs.approvals.Get(asked, metadata=metadata)).approval
    request = approval_service_pb2.ApproveRequest(
        zone="shop", id=approval, binding=found.binding, reason="fine"
    )
    await authority.stubs.approvals.Approve(request, metadata=metadata)
