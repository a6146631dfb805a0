"""ProofSystemService: whose proofs release approvals of a zone."""

from __future__ import annotations

from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.zones.edits import Edits
from caracal_grpc.authority.zones.kinds import PROOF_SYSTEM
from caracal_grpc.authority.zones.objects import Objects
from caracal_grpc.services import zone_parse, zone_render
from caracal_grpc.services.standard import Standard, Wire
from caracal_grpc.v1 import proof_system_service_pb2 as pb2
from caracal_grpc.v1 import proof_system_service_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

_WIRE: Final = Wire(
    kind=PROOF_SYSTEM,
    one="proof_system",
    many="proof_systems",
    leaves=zone_parse.ISSUER_LEAVES,
    parse=zone_parse.issuer,
    render=zone_render.issuer,
)


class ProofSystemServicer(proof_system_service_pb2_grpc.ProofSystemServiceServicer):
    """Parses, calls the objects, renders."""

    def __init__(self, objects: Objects, edits: Edits) -> None:
        self._standard = Standard(_WIRE, objects, edits)

    async def Get(
        self, request: pb2.ProofSystemServiceGetRequest, context: Context
    ) -> pb2.ProofSystemServiceGetResponse:
        """See `ProofSystemService.Get` in the proto."""
        return await self._standard.get(request, pb2.ProofSystemServiceGetResponse)

    async def List(
        self, request: pb2.ProofSystemServiceListRequest, context: Context
    ) -> pb2.ProofSystemServiceListResponse:
        """See `ProofSystemService.List` in the proto."""
        return await self._standard.list(request, pb2.ProofSystemServiceListResponse)

    async def Create(
        self, request: pb2.ProofSystemServiceCreateRequest, context: Context
    ) -> pb2.ProofSystemServiceCreateResponse:
        """See `ProofSystemService.Create` in the proto."""
        return (await self._standard.create(request, pb2.ProofSystemServiceCreateResponse))[0]

    async def Update(
        self, request: pb2.ProofSystemServiceUpdateRequest, context: Context
    ) -> pb2.ProofSystemServiceUpdateResponse:
        """See `ProofSystemService.Update` in the proto."""
        return await self._standard.update(request, pb2.ProofSystemServiceUpdateResponse)

    async def Delete(
        self, request: pb2.ProofSystemServiceDeleteRequest, context: Context
    ) -> pb2.ProofSystemServiceDeleteResponse:
        """See `ProofSystemService.Delete` in the proto."""
        return await self._standard.delete(request, pb2.ProofSystemServiceDeleteResponse)
