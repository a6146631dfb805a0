"""The calls behind `delegation`, their answers as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caracal_grpc.cli.context import Target
from caracal_grpc.cli.terminal.options import ceiling_part
from caracal_grpc.core.limits import AUTHORITY_RESOURCE

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from caracal_grpc.cli.connection import Overrides

_ADMIN: Final = "caracal:sessions:admin"
_SERVICE: Final = "/caracal.v1.DelegationService"
_SCOPES: Final = {
    "Get": "caracal:delegations:read",
    "List": "caracal:delegations:read",
    "Impact": "caracal:delegations:read",
    "Revoke": "caracal:delegations:revoke",
}
_FALLEN_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a new delegation; `ceiling` parts are `RESOURCE=SCOPE,SCOPE`."""

    receiver: str
    ceiling: Sequence[str]
    ttl: int
    session: str
    max_hops: int | None


def delegate(target: Target, wanted: Wanted) -> dict[str, Any]:
    """The delegation that was made, the revision and its ledger entry."""
    from caracal_grpc.v1.application_pb2 import Ceiling
    from caracal_grpc.v1.delegation_service_pb2 import DelegateRequest

    parts = [ceiling_part(text) for text in wanted.ceiling]
    request = DelegateRequest(
        zone=target.zone,
        session_id=wanted.session,
        receiver=wanted.receiver,
        ceiling=[Ceiling(resource=name, scopes=scopes) for name, scopes in parts],
        max_hops=wanted.max_hops,
    )
    request.ttl.FromSeconds(wanted.ttl)
    return _ask(target, "Delegate", request, everyone=False)


def list_delegations(
    target: Target, application: str, limit: int, everyone: bool
) -> list[dict[str, Any]]:
    """At most `limit` delegations, page by page."""
    from caracal_grpc.v1.delegation_service_pb2 import DelegationServiceListRequest

    request = DelegationServiceListRequest(zone=target.zone, application_id=application)
    return _read(target, "List", request, "delegations", limit, everyone)


def get_delegation(target: Target, delegation: str, everyone: bool) -> dict[str, Any]:
    """One delegation."""
    from caracal_grpc.v1.delegation_service_pb2 import DelegationServiceGetRequest

    request = DelegationServiceGetRequest(zone=target.zone, id=delegation)
    found: dict[str, Any] = _ask(target, "Get", request, everyone)["delegation"]
    return found


def revoke_delegation(
    target: Target, delegation: str, reason: str, everyone: bool
) -> dict[str, Any]:
    """The delegation that was revoked, the revision and the ledger entry."""
    from caracal_grpc.v1.delegation_service_pb2 import DelegationServiceRevokeRequest

    request = DelegationServiceRevokeRequest(zone=target.zone, id=delegation, reason=reason)
    return _ask(target, "Revoke", request, everyone)


def impact(target: Target, name: str, limit: int, everyone: bool) -> list[dict[str, Any]]:
    """At most `limit` of what would fall, page by page."""
    from caracal_grpc.v1.delegation_service_pb2 import DelegationServiceImpactRequest

    request = DelegationServiceImpactRequest(zone=target.zone, id=name)
    return _read(target, "Impact", request, "fallen", limit, everyone, _FALLEN_PAGE)


def rules(target: Target, everyone: bool) -> dict[str, dict[str, Any]]:
    """Who looks at the delegations of others asks for that scope too; in another zone all are."""
    if not everyone and target.zone == target.profile.zone:
        return {}
    return {
        f"{_SERVICE}/{method}": {"resource": AUTHORITY_RESOURCE, "scopes": [scope, _ADMIN]}
        for method, scope in _SCOPES.items()
    }


def _read(
    target: Target,
    method: str,
    request: Message,
    field: str,
    limit: int,
    everyone: bool,
    most: int = 500,
) -> list[dict[str, Any]]:
    from caracal_grpc.cli.connection import connected, run
    from caracal_grpc.cli.terminal.pages import read_pages
    from caracal_grpc.v1.delegation_service_pb2_grpc import DelegationServiceStub

    async def read(overrides: Overrides) -> list[dict[str, Any]]:
        async with connected(target, overrides) as channel:
            stub: Any = DelegationServiceStub(channel)
            return await read_pages(getattr(stub, method), request, field, limit, most)

    return run(target, read(rules(target, everyone)))


def _ask(target: Target, method: str, request: Message, everyone: bool) -> dict[str, Any]:
    from caracal_grpc.cli.connection import ask
    from caracal_grpc.cli.terminal.view import view
    from caracal_grpc.v1.delegation_service_pb2_grpc import DelegationServiceStub

    return view(ask(target, DelegationServiceStub, method, request, rules(target, everyone)))
