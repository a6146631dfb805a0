"""WorkloadIssuerService: who says what the workloads of a zone are."""

from __future__ import annotations

from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.zones.edits import Edits
from caracal_grpc.authority.zones.kinds import WORKLOAD_ISSUER
from caracal_grpc.authority.zones.objects import Objects
from caracal_grpc.services import zone_parse, zone_render
from caracal_grpc.services.standard import Standard, Wire
from caracal_grpc.v1 import workload_issuer_service_pb2 as pb2
from caracal_grpc.v1 import workload_issuer_service_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

_WIRE: Final = Wire(
    kind=WORKLOAD_ISSUER,
    one="workload_issuer",
    many="workload_issuers",
    leaves=zone_parse.ISSUER_LEAVES,
    parse=zone_parse.workload_issuer,
    render=zone_render.issuer,
)


class WorkloadIssuerServicer(workload_issuer_service_pb2_grpc.WorkloadIssuerServiceServicer):
    """Parses, calls the objects, renders."""

    def __init__(self, objects: Objects, edits: Edits) -> None:
        self._standard = Standard(_WIRE, objects, edits)

    async def Get(
        self, request: pb2.WorkloadIssuerServiceGetRequest, context: Context
    ) -> pb2.WorkloadIssuerServiceGetResponse:
        """See `WorkloadIssuerService.Get` in the proto."""
        return await self._standard.get(request, pb2.WorkloadIssuerServiceGetResponse)

    async def List(
        self, request: pb2.WorkloadIssuerServiceListRequest, context: Context
    ) -> pb2.WorkloadIssuerServiceListResponse:
        """See `WorkloadIssuerService.List` in the proto."""
        return await self._standard.list(request, pb2.WorkloadIssuerServiceListResponse)

    async def Create(
        self, request: pb2.WorkloadIssuerServiceCreateRequest, context: Context
    ) -> pb2.WorkloadIssuerServiceCreateResponse:
        """See `WorkloadIssuerService.Create` in the proto."""
        return (await self._standard.create(request, pb2.WorkloadIssuerServiceCreateResponse))[0]

    async def Update(
        self, request: pb2.WorkloadIssuerServiceUpdateRequest, context: Context
    ) -> pb2.WorkloadIssuerServiceUpdateResponse:
        """See `WorkloadIssuerService.Update` in the proto."""
        return await self._standard.update(request, pb2.WorkloadIssuerServiceUpdateResponse)

    async def Delete(
        self, request: pb2.WorkloadIssuerServiceDeleteRequest, context: Context
    ) -> pb2.WorkloadIssuerServiceDeleteResponse:
        """See `WorkloadIssuerService.Delete` in the proto."""
        return await self._standard.delete(request, pb2.WorkloadIssuerServiceDeleteResponse)
