"""The calls behind `session`, their answers as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from caracal_grpc.cli.context import Target
from caracal_grpc.cli.terminal.options import ceiling_part
from caracal_grpc.core.limits import AUTHORITY_RESOURCE

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from caracal_grpc.cli.connection import Overrides

_ADMIN: Final = "caracal:sessions:admin"
_SERVICE: Final = "/caracal.v1.SessionService"
_SCOPES: Final = {
    "Get": "caracal:sessions:read",
    "List": "caracal:sessions:read",
    "Terminate": "caracal:sessions:terminate",
    "Suspend": "caracal:sessions:terminate",
    "Resume": "caracal:sessions:terminate",
}


class Kind(StrEnum):
    """What ends a session by itself."""

    TASK = "task"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a new session; `ceiling` parts are `RESOURCE=SCOPE,SCOPE`, times seconds."""

    parent: str
    labels: Sequence[str]
    ceiling: Sequence[str]
    ttl: int | None
    kind: Kind = Kind.TASK
    lease: int | None = None
    id_token: str = field(default="", repr=False)


def list_sessions(
    target: Target, application: str, limit: int, everyone: bool
) -> list[dict[str, Any]]:
    """At most `limit` sessions, page by page."""
    from caracal_grpc.cli.connection import run

    return run(target, _list(target, application, limit, _rules(target, everyone)))


def start_session(target: Target, wanted: Wanted) -> dict[str, Any]:
    """The session that was started, the revision and its ledger entry."""
    from caracal_grpc.v1.application_pb2 import Ceiling
    from caracal_grpc.v1.session_service_pb2 import SessionServiceStartRequest

    parts = [ceiling_part(text) for text in wanted.ceiling]
    request = SessionServiceStartRequest(
        zone=target.zone,
        parent_id=wanted.parent,
        labels=wanted.labels,
        ceiling=[Ceiling(resource=name, scopes=scopes) for name, scopes in parts],
        kind=f"SESSION_KIND_{wanted.kind.name}",
        id_token=wanted.id_token,
    )
    if wanted.ttl is not None:
        request.ttl.FromSeconds(wanted.ttl)
    if wanted.lease is not None:
        request.lease.FromSeconds(wanted.lease)
    return _ask(target, "Start", request, everyone=False)


def get_session(target: Target, session: str, everyone: bool) -> dict[str, Any]:
    """One session."""
    from caracal_grpc.v1.session_service_pb2 import SessionServiceGetRequest

    request = SessionServiceGetRequest(zone=target.zone, id=session)
    found: dict[str, Any] = _ask(target, "Get", request, everyone)["session"]
    return found


def terminate_session(target: Target, session: str, reason: str, everyone: bool) -> dict[str, Any]:
    """The session that was ended, the revision and the ledger entry."""
    from caracal_grpc.v1.session_service_pb2 import SessionServiceTerminateRequest

    request = SessionServiceTerminateRequest(zone=target.zone, id=session, reason=reason)
    return _ask(target, "Terminate", request, everyone)


def suspend_session(target: Target, session: str, reason: str, everyone: bool) -> dict[str, Any]:
    """The session that was suspended, the revision and the ledger entry."""
    from caracal_grpc.v1.session_service_pb2 import SessionServiceSuspendRequest

    request = SessionServiceSuspendRequest(zone=target.zone, id=session, reason=reason)
    return _ask(target, "Suspend", request, everyone)


def resume_session(target: Target, session: str, reason: str, everyone: bool) -> dict[str, Any]:
    """The session that was resumed, the revision and the ledger entry."""
    from caracal_grpc.v1.session_service_pb2 import SessionServiceResumeRequest

    request = SessionServiceResumeRequest(zone=target.zone, id=session, reason=reason)
    return _ask(target, "Resume", request, everyone)


def heartbeat(target: Target, session: str, generation: int) -> dict[str, Any]:
    """The lease, renewed."""
    from caracal_grpc.v1.session_service_pb2 import SessionServiceHeartbeatRequest

    request = SessionServiceHeartbeatRequest(zone=target.zone, id=session, generation=generation)
    return _ask(target, "Heartbeat", request, everyone=False)


def take_over(target: Target, session: str) -> dict[str, Any]:
    """The session with its lease in the next generation, the revision and the ledger entry."""
    from caracal_grpc.v1.session_service_pb2 import SessionServiceTakeOverRequest

    request = SessionServiceTakeOverRequest(zone=target.zone, id=session)
    return _ask(target, "TakeOver", request, everyone=False)


async def _list(
    target: Target, application: str, limit: int, overrides: Overrides
) -> list[dict[str, Any]]:
    from caracal_grpc.cli.connection import connected
    from caracal_grpc.cli.terminal.pages import read_pages
    from caracal_grpc.v1.session_service_pb2 import SessionServiceListRequest
    from caracal_grpc.v1.session_service_pb2_grpc import SessionServiceStub

    request = SessionServiceListRequest(zone=target.zone, application_id=application)
    async with connected(target, overrides) as channel:
        stub: Any = SessionServiceStub(channel)
        return await read_pages(stub.List, request, "sessions", limit)


def _ask(target: Target, method: str, request: Message, everyone: bool) -> dict[str, Any]:
    from caracal_grpc.cli.connection import ask
    from caracal_grpc.cli.terminal.view import view
    from caracal_grpc.v1.session_service_pb2_grpc import SessionServiceStub

    return view(ask(target, SessionServiceStub, method, request, _rules(target, everyone)))


def _rules(target: Target, everyone: bool) -> dict[str, dict[str, Any]]:
    """Who looks at the sessions of others asks for that scope too; in another zone all are."""
    if not everyone and target.zone == target.profile.zone:
        return {}
    return {
        f"{_SERVICE}/{method}": {"resource": AUTHORITY_RESOURCE, "scopes": [scope, _ADMIN]}
        for method, scope in _SCOPES.items()
    }
