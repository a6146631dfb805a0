"""DelegationService: pass authority on, and see and revoke what was passed on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.delegations.delegation import Delegation, DelegationRequest
from caracal_grpc.authority.delegations.delegations import DelegationChange, Delegations
from caracal_grpc.authority.state.fallen import Fallen
from caracal_grpc.core import limits
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import (
    APPLICATION,
    DELEGATION,
    SESSION,
    prefix_of,
    require_id,
    require_slug,
)
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.services import render
from caracal_grpc.v1 import (
    delegation_pb2,
    delegation_service_pb2,
    delegation_service_pb2_grpc,
)

Context = grpc.aio.ServicerContext[Any, Any]

_MAX_PAGE: Final = 500
_MAX_FALLEN: Final = 1_000


class DelegationServicer(delegation_service_pb2_grpc.DelegationServiceServicer):
    """Parses, calls the delegations, renders."""

    def __init__(self, delegations: Delegations) -> None:
        self._delegations = delegations

    async def Delegate(
        self, request: delegation_service_pb2.DelegateRequest, context: Context
    ) -> delegation_service_pb2.DelegateResponse:
        """See `DelegationService.Delegate` in the proto."""
        made = await self._delegations.delegate(current_mandate(), _parse(request))
        return delegation_service_pb2.DelegateResponse(**_changed(made))

    async def Get(
        self, request: delegation_service_pb2.DelegationServiceGetRequest, context: Context
    ) -> delegation_service_pb2.DelegationServiceGetResponse:
        """See `DelegationService.Get` in the proto."""
        zone, delegation = render.zone_name(request.zone), require_id("id", request.id, DELEGATION)
        found = self._delegations.get(current_mandate(), zone, delegation)
        return delegation_service_pb2.DelegationServiceGetResponse(delegation=_render(found))

    async def List(
        self, request: delegation_service_pb2.DelegationServiceListRequest, context: Context
    ) -> delegation_service_pb2.DelegationServiceListResponse:
        """See `DelegationService.List` in the proto."""
        size = render.page("page_size", request.page_size, 100, _MAX_PAGE)
        of = request.application_id and require_id(
            "application_id", request.application_id, APPLICATION
        )
        zone = render.zone_name(request.zone)
        seen = self._delegations.list(current_mandate(), zone, of, request.page_token)
        found = list(islice(seen, size + 1))
        return delegation_service_pb2.DelegationServiceListResponse(
            delegations=[_render(each) for each in found[:size]],
            next_page_token=found[size - 1].id if len(found) > size else "",
        )

    async def Revoke(
        self, request: delegation_service_pb2.DelegationServiceRevokeRequest, context: Context
    ) -> delegation_service_pb2.DelegationServiceRevokeResponse:
        """See `DelegationService.Revoke` in the proto."""
        dead = await self._delegations.revoke(
            current_mandate(),
            render.zone_name(request.zone),
            require_id("id", request.id, DELEGATION),
            render.reason_text(request.reason),
        )
        return delegation_service_pb2.DelegationServiceRevokeResponse(**_changed(dead))

    async def Impact(
        self, request: delegation_service_pb2.DelegationServiceImpactRequest, context: Context
    ) -> delegation_service_pb2.DelegationServiceImpactResponse:
        """See `DelegationService.Impact` in the proto."""
        size = render.page("page_size", request.page_size, 100, _MAX_FALLEN)
        zone, top = render.zone_name(request.zone), _delegation_or_session(request.id)
        falling = self._delegations.impact(current_mandate(), zone, top)
        first = _place(falling, request.page_token)
        page, rest = falling[first : first + size], falling[first + size :]
        return delegation_service_pb2.DelegationServiceImpactResponse(
            fallen=[render.fallen(each) for each in page],
            next_page_token=rest[0].session.id if rest else "",
            count=len(falling),
        )


def _parse(request: delegation_service_pb2.DelegateRequest) -> DelegationRequest:
    return DelegationRequest(
        zone=render.zone_name(request.zone),
        session=request.session_id and require_id("session_id", request.session_id, SESSION),
        receiver=_application(request.receiver),
        ceiling=render.ceiling("ceiling", request.ceiling),
        life=render.whole_seconds("ttl", request.ttl, limits.MAX_DELEGATION_LIFE),
        max_hops=request.max_hops if request.HasField("max_hops") else None,
    )


def _application(value: str) -> str:
    """A name or an id: a name holds no underscore."""
    if prefix_of(value) == APPLICATION:
        return value
    return require_slug("receiver", value)


def _delegation_or_session(value: str) -> str:
    if prefix_of(value) not in {DELEGATION, SESSION}:
        raise field_invalid("id", f"must be an id that starts with {DELEGATION}_ or {SESSION}_")
    return value


def _place(falling: Sequence[Fallen], token: str) -> int:
    """Where the page begins whose token is the first session of it."""
    if not token:
        return 0
    places = (index for index, each in enumerate(falling) if each.session.id == token)
    first = next(places, None)
    if first is None:
        raise field_invalid("page_token", "names what falls no more; begin with the first page")
    return first


def _changed(change: DelegationChange) -> dict[str, Any]:
    return {
        "delegation": _render(change.delegation),
        "revision": change.revision,
        "audit_id": change.audit_id,
    }


def _render(delegation: Delegation) -> delegation_pb2.Delegation:
    landing = delegation.landing
    return delegation_pb2.Delegation(
        id=delegation.id,
        zone=landing.zone,
        session_id=landing.parent,
        application_id=delegation.giver,
        application_name=delegation.giver_name,
        receiver_id=landing.application,
        receiver_name=delegation.receiver_name,
        receiver_session_id=landing.id,
        ceiling=render.ceiling_parts(landing.ceiling),
        max_hops=landing.max_hops or 0,
        path=delegation.path,
        subject=landing.subject,
        subject_type=render.SUBJECT_TYPES[landing.subject_type],
        state=render.SESSION_STATES[delegation.state],
        create_time=render.timestamp(landing.created_at),
        expire_time=render.timestamp(landing.expires_at or 0),
    )
