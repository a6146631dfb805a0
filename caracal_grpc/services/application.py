"""ApplicationService: workloads that can authenticate."""

from __future__ import annotations

from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.zones.edits import Edits
from caracal_grpc.authority.zones.kinds import APPLICATION
from caracal_grpc.authority.zones.objects import Objects
from caracal_grpc.services import zone_parse, zone_render
from caracal_grpc.services.standard import Standard, Wire
from caracal_grpc.v1 import application_service_pb2 as pb2
from caracal_grpc.v1 import application_service_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

_WIRE: Final = Wire(
    kind=APPLICATION,
    one="application",
    many="applications",
    leaves=("labels", "ceiling", "identities", "jwks"),
    parse=zone_parse.application,
    render=zone_render.application,
)


class ApplicationServicer(application_service_pb2_grpc.ApplicationServiceServicer):
    """Parses, calls the objects, renders."""

    def __init__(self, objects: Objects, edits: Edits) -> None:
        self._standard = Standard(_WIRE, objects, edits)

    async def Get(
        self, request: pb2.ApplicationServiceGetRequest, context: Context
    ) -> pb2.ApplicationServiceGetResponse:
        """See `ApplicationService.Get` in the proto."""
        return await self._standard.get(request, pb2.ApplicationServiceGetResponse)

    async def List(
        self, request: pb2.ApplicationServiceListRequest, context: Context
    ) -> pb2.ApplicationServiceListResponse:
        """See `ApplicationService.List` in the proto."""
        return await self._standard.list(request, pb2.ApplicationServiceListResponse)

    async def Create(
        self, request: pb2.ApplicationServiceCreateRequest, context: Context
    ) -> pb2.ApplicationServiceCreateResponse:
        """See `ApplicationService.Create` in the proto."""
        answer, made = await self._standard.create(request, pb2.ApplicationServiceCreateResponse)
        change = made.edited.change
        if change is not None and change.credential is not None:
            answer.credential.CopyFrom(zone_render.credential(change.credential))
        return answer

    async def Update(
        self, request: pb2.ApplicationServiceUpdateRequest, context: Context
    ) -> pb2.ApplicationServiceUpdateResponse:
        """See `ApplicationService.Update` in the proto."""
        return await self._standard.update(request, pb2.ApplicationServiceUpdateResponse)

    async def Delete(
        self, request: pb2.ApplicationServiceDeleteRequest, context: Context
    ) -> pb2.ApplicationServiceDeleteResponse:
        """See `ApplicationService.Delete` in the proto."""
        return await self._standard.delete(request, pb2.ApplicationServiceDeleteResponse)
