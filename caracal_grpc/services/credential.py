"""CredentialService: the secrets that applications authenticate with."""

from __future__ import annotations

from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.zones.credentials import Credentials, Held
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import CREDENTIAL, require_id
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.services import render, zone_render
from caracal_grpc.services.standard import query
from caracal_grpc.v1 import application_pb2, credential_service_pb2_grpc
from caracal_grpc.v1 import credential_service_pb2 as pb2

Context = grpc.aio.ServicerContext[Any, Any]

_MIN_TTL: Final = 60
_MAX_TTL: Final = 366 * 86_400


class CredentialServicer(credential_service_pb2_grpc.CredentialServiceServicer):
    """Parses, calls the credentials, renders."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def Get(
        self, request: pb2.CredentialServiceGetRequest, context: Context
    ) -> pb2.CredentialServiceGetResponse:
        """See `CredentialService.Get` in the proto."""
        found = await self._credentials.get(current_mandate(), *_place(request))
        return pb2.CredentialServiceGetResponse(credential=_info(found))

    async def List(
        self, request: pb2.CredentialServiceListRequest, context: Context
    ) -> pb2.CredentialServiceListResponse:
        """See `CredentialService.List` in the proto."""
        zone, asked = render.zone_name(request.zone), query(request)
        page = await self._credentials.list(
            current_mandate(), zone, request.application, asked.size, asked.token
        )
        return pb2.CredentialServiceListResponse(
            credentials=map(_info, page.items), next_page_token=page.next_token
        )

    async def Create(
        self, request: pb2.CredentialServiceCreateRequest, context: Context
    ) -> pb2.CredentialServiceCreateResponse:
        """See `CredentialService.Create` in the proto."""
        others = None
        if request.HasField("expire_others"):
            others = render.whole_seconds("expire_others", request.expire_others, _MAX_TTL)
        zone, ttl = render.zone_name(request.zone), _ttl(request)
        done = await self._credentials.create(
            current_mandate(), zone, request.application, ttl, others
        )
        made = done.credential
        return pb2.CredentialServiceCreateResponse(
            credential=zone_render.credential(made),
            info=_info(Held(made.application.id, made.kept)),
            revision=done.revision,
            audit_id=done.audit_id,
        )

    async def Delete(
        self, request: pb2.CredentialServiceDeleteRequest, context: Context
    ) -> pb2.CredentialServiceDeleteResponse:
        """See `CredentialService.Delete` in the proto."""
        gone = await self._credentials.delete(current_mandate(), *_place(request))
        return pb2.CredentialServiceDeleteResponse(revision=gone.revision, audit_id=gone.audit_id)


def _place(request: Any) -> tuple[str, str]:
    """The zone and the credential that a request names."""
    return render.zone_name(request.zone), require_id("id", request.id, CREDENTIAL)


def _ttl(request: pb2.CredentialServiceCreateRequest) -> int:
    """How long the new one lives, 0 for as long as nobody deletes it; raises `FIELD_INVALID`."""
    if not request.HasField("ttl"):
        return 0
    seconds = render.whole_seconds("ttl", request.ttl, _MAX_TTL)
    if seconds < _MIN_TTL:
        raise field_invalid("ttl", f"must be {_MIN_TTL} s to {_MAX_TTL} s")
    return seconds


def _info(held: Held) -> application_pb2.CredentialInfo:
    known, ends = held.credential, held.credential.expires_at
    return application_pb2.CredentialInfo(
        id=known.id,
        application_id=held.application,
        create_time=render.timestamp(known.created_at),
        expire_time=render.timestamp(ends) if ends else None,
    )
