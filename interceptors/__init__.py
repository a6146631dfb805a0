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
from caracal_grpc.interceptors.edge.aio import Edge, connect
from caracal_grpc.interceptors.edge.sync import SyncEdge, connect_sync
from caracal_grpc.interceptors.guard.aio.guard import AioGuard
from caracal_grpc.interceptors.guard.sync.guard import SyncGuard
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.records.recording import Recording
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.status import from_rpc_error

__all__ = [
    "AioGuard",
    "CaracalError",
    "Edge",
    "Mandate",
    "Profile",
    "Reason",
    "Recording",
    "Rules",
    "SyncEdge",
    "SyncGuard",
    "acting_on",
    "carried_metadata",
    "connect",
    "connect_sync",
    "current_mandate",
    "current_request_id",
    "from_rpc_error",
]
