"""Waiting for the approval of a request that policy holds."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import Any

import grpc.aio

from caracal_grpc.cli.connection import connected
from caracal_grpc.cli.context import Target
from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.cli.terminal.output import note
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.sessions.release_aio import decided
from caracal_grpc.interceptors.status import from_rpc_error
from caracal_grpc.v1.approval_pb2 import Approval, ApprovalState
from caracal_grpc.v1.approval_service_pb2 import ApprovalServiceWaitRequest
from caracal_grpc.v1.approval_service_pb2_grpc import ApprovalServiceStub


def approval_of(error: grpc.aio.AioRpcError) -> str:
    """The approval that a refused request is held for, `apr_…`; empty when it is not held."""
    refusal = from_rpc_error(error)
    if refusal is None or refusal.reason is not Reason.STEP_UP_REQUIRED:
        return ""
    return refusal.metadata.get("approval_id", "")


async def wait_decided(target: Target, approval: str, timeout: float) -> None:
    """Waits until `approval` is decided, at most `timeout` seconds, and tells what goes on.

    Raises `CliError` when it is not by then, or cannot be waited for.
    """
    note(f"policy asks for {approval} first; waiting for it, at most {timeout:g} s")
    request = ApprovalServiceWaitRequest(zone=target.zone, id=approval)
    async with connected(target) as channel:
        stub: Any = ApprovalServiceStub(channel)

        async def answers(left: float) -> AsyncGenerator[Any, None]:
            async for answer in stub.Wait(request, timeout=left):
                yield answer

        found = await decided(answers, time.monotonic() + timeout, _tell)
    if found is None:
        raise CliError(
            ExitCode.TIMEOUT,
            f"{approval} has not been decided; once it is approved, exchange again with "
            f"--approval {approval}",
        )


def _tell(approval: Approval) -> None:
    """One line for each state."""
    state = ApprovalState.Name(approval.state).removeprefix("APPROVAL_STATE_").lower()
    said = [f"{approval.id} is {state}"]
    if approval.proof_system:
        said.append(f"a proof of {approval.proof_system} releases it")
    if approval.reviews_needed:
        given = sum(vote.approved for vote in approval.votes)
        said.append(f"{given} of {approval.reviews_needed} approved")
    note("; ".join([*said, *(f"said: {vote.reason}" for vote in approval.votes if vote.reason)]))
