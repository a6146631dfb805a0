"""The edges: guards for servers and mandates for channels, on asyncio and on threads.

async with connect(profile) as edge:
    server = grpc.aio.server(interceptors=[await edge.guard()])
    channel = grpc.aio.secure_channel(..., interceptors=edge.client_interceptors())
"""

from __future__ import annotations

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.acting import acting_on
from caracal_grpc.interceptors.context.current import (
    carried_metadata,
    current_mandate,
    current_request_id,
)
from caracal_grpc.interceptors.context.session import acting_in
from caracal_grpc.interceptors.edge.aio import Edge, connect
from caracal_grpc.interceptors.edge.sync import SyncEdge, connect_sync
from caracal_grpc.interceptors.guard.aio.guard import AioGuard
from caracal_grpc.interceptors.guard.sync.guard import SyncGuard
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.records.recording import Recording
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.sessions.approvals import PendingApproval, WaitForApprovals
from caracal_grpc.interceptors.sessions.facts import OpenSession
from caracal_grpc.interceptors.sessions.service_aio import ServiceSession
from caracal_grpc.interceptors.sessions.service_sync import SyncServiceSession
from caracal_grpc.interceptors.sessions.sessions_aio import Delegation
from caracal_grpc.interceptors.sessions.sessions_sync import SyncDelegation
from caracal_grpc.interceptors.status import from_rpc_error

__all__ = [
    "AioGuard",
    "CaracalError",
    "Delegation",
    "Edge",
    "Mandate",
    "OpenSession",
    "PendingApproval",
    "Profile",
    "Reason",
    "Recording",
    "Rules",
    "ServiceSession",
    "SyncDelegation",
    "SyncEdge",
    "SyncGuard",
    "SyncServiceSession",
    "WaitForApprovals",
    "acting_in",
    "acting_on",
    "carried_metadata",
    "connect",
    "connect_sync",
    "current_mandate",
    "current_request_id",
    "from_rpc_error",
]
