"""The methods of its authority that an edge calls by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from caracal_grpc.core.limits import MAX_SESSION_TTL
from caracal_grpc.v1 import (
    approval_service_pb2_grpc,
    delegation_service_pb2_grpc,
    session_service_pb2_grpc,
    token_service_pb2_grpc,
    upstream_service_pb2_grpc,
)


class Method(NamedTuple):
    """One method: its stub, its name, and the scope that it takes.

    One that may be sent again is, when its answer is lost, up to `attempts` times in all. `ttl` is
    the life of its mandate, in seconds, where that must be long: a stream is cut at its end.
    """

    stub: Callable[[Any], Any]
    name: str
    scope: str
    attempts: int = 1
    ttl: int | None = None


_SESSIONS: Final = session_service_pb2_grpc.SessionServiceStub
_DELEGATIONS: Final = delegation_service_pb2_grpc.DelegationServiceStub
_TOKENS: Final = token_service_pb2_grpc.TokenServiceStub
_APPROVALS: Final = approval_service_pb2_grpc.ApprovalServiceStub
_UPSTREAMS: Final = upstream_service_pb2_grpc.UpstreamServiceStub

START: Final = Method(_SESSIONS, "Start", "caracal:sessions:start")
TAKE_OVER: Final = Method(_SESSIONS, "TakeOver", "caracal:sessions:start")
HEARTBEAT: Final = Method(_SESSIONS, "Heartbeat", "caracal:sessions:start")
TERMINATE: Final = Method(_SESSIONS, "Terminate", "caracal:sessions:terminate", 3)
DELEGATE: Final = Method(_DELEGATIONS, "Delegate", "caracal:delegations:create")
REVOKE: Final = Method(_DELEGATIONS, "Revoke", "caracal:delegations:revoke", 3)
WAIT: Final = Method(_APPROVALS, "Wait", "caracal:approvals:read", ttl=MAX_SESSION_TTL)

CONSUME: Final = Method(_TOKENS, "Consume", "caracal:mandates:consume", 3)
RELEASE: Final = Method(_UPSTREAMS, "Release", "caracal:upstreams:use", 3)

METHODS: Final = (CONSUME, RELEASE, START, TAKE_OVER, HEARTBEAT, TERMINATE, DELEGATE, REVOKE, WAIT)
