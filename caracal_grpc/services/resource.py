"""ResourceService: what is protected, with its scopes."""

from __future__ import annotations

from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.zones.edits import Edits
from caracal_grpc.authority.zones.kinds import RESOURCE
from caracal_grpc.authority.zones.objects import Objects
from caracal_grpc.services import zone_parse, zone_render
from caracal_grpc.services.standard import Standard, Wire
from caracal_grpc.v1 import resource_service_pb2 as pb2
from caracal_grpc.v1 import resource_service_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

_WIRE: Final = Wire(
    kind=RESOURCE,
    one="resource",
    many="resources",
    leaves=("scopes", "max_ttl_seconds", "may_act"),
    parse=zone_parse.resource,
    render=zone_render.resource,
)


class ResourceServicer(resource_service_pb2_grpc.ResourceServiceServicer):
    """Parses, calls the objects, renders."""

    def __init__(self, objects: Objects, edits: Edits) -> None:
        self._standard = Standard(_WIRE, objects, edits)

    async def Get(
        self, request: pb2.ResourceServiceGetRequest, context: Context
    ) -> pb2.ResourceServiceGetResponse:
        """See `ResourceService.Get` in the proto."""
        return await self._standard.get(request, pb2.ResourceServiceGetResponse)

    async def List(
        self, request: pb2.ResourceServiceListRequest, context: Context
    ) -> pb2.ResourceServiceListResponse:
        """See `ResourceService.List` in the proto."""
        return await self._standard.list(request, pb2.ResourceServiceListResponse)

    async def Create(
        self, request: pb2.ResourceServiceCreateRequest, context: Context
    ) -> pb2.ResourceServiceCreateResponse:
        """See `ResourceService.Create` in the proto."""
        return (await self._standard.create(request, pb2.ResourceServiceCreateResponse))[0]

    async def Update(
        self, request: pb2.ResourceServiceUpdateRequest, context: Context
    ) -> pb2.ResourceServiceUpdateResponse:
        """See `ResourceService.Update` in the proto."""
        return await self._standard.update(request, pb2.ResourceServiceUpdateResponse)

    async def Delete(
        self, request: pb2.ResourceServiceDeleteRequest, context: Context
    ) -> pb2.ResourceServiceDeleteResponse:
        """See `ResourceService.Delete` in the proto."""
        return await self._standard.delete(request, pb2.ResourceServiceDeleteResponse)
