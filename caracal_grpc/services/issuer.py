"""IssuerService: whose users a zone speaks for."""

from __future__ import annotations

from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.zones.edits import Edits
from caracal_grpc.authority.zones.kinds import ISSUER
from caracal_grpc.authority.zones.objects import Objects
from caracal_grpc.services import zone_parse, zone_render
from caracal_grpc.services.standard import Standard, Wire
from caracal_grpc.v1 import issuer_service_pb2 as pb2
from caracal_grpc.v1 import issuer_service_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

_WIRE: Final = Wire(
    kind=ISSUER,
    one="issuer",
    many="issuers",
    leaves=zone_parse.ISSUER_LEAVES,
    parse=zone_parse.issuer,
    render=zone_render.issuer,
)


class IssuerServicer(issuer_service_pb2_grpc.IssuerServiceServicer):
    """Parses, calls the objects, renders."""

    def __init__(self, objects: Objects, edits: Edits) -> None:
        self._standard = Standard(_WIRE, objects, edits)

    async def Get(
        self, request: pb2.IssuerServiceGetRequest, context: Context
    ) -> pb2.IssuerServiceGetResponse:
        """See `IssuerService.Get` in the proto."""
        return await self._standard.get(request, pb2.IssuerServiceGetResponse)

    async def List(
        self, request: pb2.IssuerServiceListRequest, context: Context
    ) -> pb2.IssuerServiceListResponse:
        """See `IssuerService.List` in the proto."""
        return await self._standard.list(request, pb2.IssuerServiceListResponse)

    async def Create(
        self, request: pb2.IssuerServiceCreateRequest, context: Context
    ) -> pb2.IssuerServiceCreateResponse:
        """See `IssuerService.Create` in the proto."""
        return (await self._standard.create(request, pb2.IssuerServiceCreateResponse))[0]

    async def Update(
        self, request: pb2.IssuerServiceUpdateRequest, context: Context
    ) -> pb2.IssuerServiceUpdateResponse:
        """See `IssuerService.Update` in the proto."""
        return await self._standard.update(request, pb2.IssuerServiceUpdateResponse)

    async def Delete(
        self, request: pb2.IssuerServiceDeleteRequest, context: Context
    ) -> pb2.IssuerServiceDeleteResponse:
        """See `IssuerService.Delete` in the proto."""
        return await self._standard.delete(request, pb2.IssuerServiceDeleteResponse)
