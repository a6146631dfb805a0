"""The calls behind `approval`, their answers as plain values."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from caracal_grpc.cli.context import Target
from caracal_grpc.cli.errors import CliError, ExitCode, usage
from caracal_grpc.core.limits import AUTHORITY_RESOURCE

if TYPE_CHECKING:
    from google.protobuf.message import Message

_DECIDE: Final = "caracal:approvals:decide"
_SERVICE: Final = "/caracal.v1.ApprovalService"
_READING: Final = ("Get", "List", "Wait")

STATES: Final = ("pending", "approved", "rejected", "expired", "consumed")

Told = Callable[[dict[str, Any]], None]
"""Takes an approval as it was told."""


def list_approvals(target: Target, state: str, limit: int, everyone: bool) -> list[dict[str, Any]]:
    """At most `limit` approvals, page by page; in `state` unless that is empty."""
    from caracal_grpc.cli.connection import connected, run
    from caracal_grpc.cli.terminal.pages import read_pages
    from caracal_grpc.v1.approval_service_pb2 import ApprovalServiceListRequest
    from caracal_grpc.v1.approval_service_pb2_grpc import ApprovalServiceStub

    if state and state not in STATES:
        raise usage(f"--state must be one of {', '.join(STATES)}")
    wanted = f"APPROVAL_STATE_{state.upper() or 'UNSPECIFIED'}"
    request = ApprovalServiceListRequest(zone=target.zone, state=wanted)

    async def read() -> list[dict[str, Any]]:
        async with connected(target, _rules(target, everyone)) as channel:
            stub: Any = ApprovalServiceStub(channel)
            return await read_pages(stub.List, request, "approvals", limit)

    return run(target, read())


def get_approval(target: Target, approval: str, everyone: bool) -> dict[str, Any]:
    """One approval."""
    from caracal_grpc.v1.approval_service_pb2 import ApprovalServiceGetRequest

    request = ApprovalServiceGetRequest(zone=target.zone, id=approval)
    found: dict[str, Any] = _ask(target, "Get", request, everyone=everyone)["approval"]
    return found


def wait_for(
    target: Target, approval: str, timeout: float | None, everyone: bool, told: Told
) -> dict[str, Any]:
    """The approval when it is no longer pending; `told` hears of it before, too.

    Raises `CliError` when `timeout` seconds go by before.
    """
    from caracal_grpc.cli.connection import run

    return run(target, _wait(target, approval, timeout, everyone, told))


def approve(target: Target, approval: str, binding: str, reason: str) -> dict[str, Any]:
    """The approval after it and the ledger entry."""
    from caracal_grpc.v1.approval_service_pb2 import ApproveRequest

    request = ApproveRequest(zone=target.zone, id=approval, binding=binding, reason=reason)
    return _ask(target, "Approve", request)


def reject(target: Target, approval: str, binding: str, reason: str) -> dict[str, Any]:
    """The approval after it and the ledger entry."""
    from caracal_grpc.v1.approval_service_pb2 import RejectRequest

    request = RejectRequest(zone=target.zone, id=approval, binding=binding, reason=reason)
    return _ask(target, "Reject", request)


def release(target: Target, approval: str, proof: str) -> dict[str, Any]:
    """The approval after it and the ledger entry."""
    from caracal_grpc.v1.approval_service_pb2 import ReleaseRequest

    request = ReleaseRequest(zone=target.zone, id=approval, proof=proof)
    return _ask(target, "Release", request)


async def _wait(
    target: Target, approval: str, timeout: float | None, everyone: bool, told: Told
) -> dict[str, Any]:
    from caracal_grpc.cli.connection import connected
    from caracal_grpc.cli.terminal.view import view
    from caracal_grpc.v1.approval_service_pb2 import ApprovalServiceWaitRequest
    from caracal_grpc.v1.approval_service_pb2_grpc import ApprovalServiceStub

    request = ApprovalServiceWaitRequest(zone=target.zone, id=approval)
    found: dict[str, Any] = {"id": approval, "state": "pending"}
    try:
        async with asyncio.timeout(timeout), connected(target, _rules(target, everyone)) as channel:
            stub: Any = ApprovalServiceStub(channel)
            async for response in stub.Wait(request):
                found = view(response.approval)
                told(found)
    except TimeoutError as exc:
        text = f"approval {approval} is {found['state']} after {timeout:g} s; wait again"
        raise CliError(ExitCode.TIMEOUT, text) from exc
    return found


def _ask(
    target: Target, method: str, request: Message, *, everyone: bool = False
) -> dict[str, Any]:
    from caracal_grpc.cli.connection import ask
    from caracal_grpc.cli.terminal.view import view
    from caracal_grpc.v1.approval_service_pb2_grpc import ApprovalServiceStub

    return view(ask(target, ApprovalServiceStub, method, request, _rules(target, everyone)))


def _rules(target: Target, everyone: bool) -> dict[str, dict[str, Any]]:
    """Who looks at the approvals of others asks for that scope too; in another zone all are."""
    if not everyone and target.zone == target.profile.zone:
        return {}
    scopes = ["caracal:approvals:read", _DECIDE]
    return {
        f"{_SERVICE}/{method}": {"resource": AUTHORITY_RESOURCE, "scopes": scopes}
        for method in _READING
    }
