"""The calls behind `sessions`, their answers as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caracal_grpc.cli.context import Target
from caracal_grpc.cli.options import ceiling_part
from caracal_grpc.core.limits import AUTHORITY_RESOURCE

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from caracal_grpc.cli.connection import Overrides

_PAGE: Final = 500
_ADMIN: Final = "caracal:sessions:admin"
_SERVICE: Final = "/caracal.v1.SessionService"
_SCOPES: Final = {
    "Get": "caracal:sessions:read",
    "List": "caracal:sessions:read",
    "Terminate": "caracal:sessions:terminate",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a new session; `ceiling` parts are `RESOURCE=SCOPE,SCOPE`."""

    parent: str
    labels: Sequence[str]
    ceiling: Sequence[str]
    ttl: int | None


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
    )
    if wanted.ttl is not None:
        request.ttl.FromSeconds(wanted.ttl)
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


async def _list(
    target: Target, application: str, limit: int, overrides: Overrides
) -> list[dict[str, Any]]:
    from caracal_grpc.cli.connection import CALL_TIMEOUT, connected
    from caracal_grpc.cli.view import view
    from caracal_grpc.v1.session_service_pb2 import SessionServiceListRequest
    from caracal_grpc.v1.session_service_pb2_grpc import SessionServiceStub

    found: list[dict[str, Any]] = []
    request = SessionServiceListRequest(zone=target.zone, application_id=application)
    async with connected(target, overrides) as channel:
        stub: Any = SessionServiceStub(channel)
        while len(found) < limit:
            request.page_size = min(_PAGE, limit - len(found))
            page = await stub.List(request, timeout=CALL_TIMEOUT)
            found.extend(view(each) for each in page.sessions)
            request.page_token = page.next_page_token
            if not request.page_token:
                break
    return found


def _ask(target: Target, method: str, request: Message, everyone: bool) -> dict[str, Any]:
    from caracal_grpc.cli.connection import ask
    from caracal_grpc.cli.view import view
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
