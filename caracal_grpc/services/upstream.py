"""UpstreamService: credentials of what stands behind gateways; only `Release` answers secrets."""

from __future__ import annotations

from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.upstreams.checks import PATH
from caracal_grpc.authority.upstreams.release import ReleaseRequest
from caracal_grpc.authority.upstreams.upstreams import Upstreams
from caracal_grpc.authority.zones.edits import Edits
from caracal_grpc.authority.zones.objects import Objects
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import require_slug
from caracal_grpc.core.upstream import CredentialKind, DeclaredUpstream, UpstreamCredential
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.services import render
from caracal_grpc.services.standard import Standard, Wire
from caracal_grpc.v1 import upstream_pb2, upstream_service_pb2_grpc
from caracal_grpc.v1 import upstream_service_pb2 as pb2

Context = grpc.aio.ServicerContext[Any, Any]

_LEAVES: Final = ("resource", "header", "bearer", "basic")


class UpstreamServicer(upstream_service_pb2_grpc.UpstreamServiceServicer):
    """Parses, calls the objects and the releasing, renders."""

    def __init__(self, upstreams: Upstreams, objects: Objects, edits: Edits) -> None:
        wire = Wire(upstreams.kind, PATH, "upstreams", _LEAVES, _parsed, _rendered)
        self._standard = Standard(wire, objects, edits)
        self._releasing = upstreams.releasing

    async def Get(
        self, request: pb2.UpstreamServiceGetRequest, context: Context
    ) -> pb2.UpstreamServiceGetResponse:
        """See `UpstreamService.Get` in the proto."""
        return await self._standard.get(request, pb2.UpstreamServiceGetResponse)

    async def List(
        self, request: pb2.UpstreamServiceListRequest, context: Context
    ) -> pb2.UpstreamServiceListResponse:
        """See `UpstreamService.List` in the proto."""
        return await self._standard.list(request, pb2.UpstreamServiceListResponse)

    async def Create(
        self, request: pb2.UpstreamServiceCreateRequest, context: Context
    ) -> pb2.UpstreamServiceCreateResponse:
        """See `UpstreamService.Create` in the proto."""
        return (await self._standard.create(request, pb2.UpstreamServiceCreateResponse))[0]

    async def Update(
        self, request: pb2.UpstreamServiceUpdateRequest, context: Context
    ) -> pb2.UpstreamServiceUpdateResponse:
        """See `UpstreamService.Update` in the proto."""
        return await self._standard.update(request, pb2.UpstreamServiceUpdateResponse)

    async def Delete(
        self, request: pb2.UpstreamServiceDeleteRequest, context: Context
    ) -> pb2.UpstreamServiceDeleteResponse:
        """See `UpstreamService.Delete` in the proto."""
        return await self._standard.delete(request, pb2.UpstreamServiceDeleteResponse)

    async def Release(
        self, request: pb2.UpstreamServiceReleaseRequest, context: Context
    ) -> pb2.UpstreamServiceReleaseResponse:
        """See `UpstreamService.Release` in the proto."""
        asked = ReleaseRequest(
            render.zone_name(request.zone),
            require_slug("upstream", request.upstream),
            request.mandate,
        )
        released = await self._releasing.release(current_mandate(), asked)
        return pb2.UpstreamServiceReleaseResponse(
            header=pb2.ReleasedHeader(name=released.name, value=released.value),
            expire_time=render.timestamp(released.expires_at),
            audit_id=released.audit_id,
        )


def _parsed(path: str, declared: upstream_pb2.UpstreamCredential) -> DeclaredUpstream:
    """The credential in the message, which is the field `path`; raises `FIELD_INVALID`."""
    label, secret = "", ""
    kind: CredentialKind
    if declared.HasField("header"):
        kind, label, secret = "header", declared.header.name, declared.header.value
    elif declared.HasField("bearer"):
        kind, secret = "bearer", declared.bearer.token
    elif declared.HasField("basic"):
        kind, label, secret = "basic", declared.basic.username, declared.basic.password
    else:
        raise field_invalid(f"{path}.credential", "must be a header, a bearer or a basic")
    return DeclaredUpstream(declared.name, declared.resource, kind, label, secret)


def _rendered(found: UpstreamCredential, etag: str) -> upstream_pb2.UpstreamCredential:
    """A credential for the wire; what it is, and never its secret."""
    shown = upstream_pb2.UpstreamCredential(name=found.name, resource=found.resource, etag=etag)
    if found.kind == "header":
        shown.header.name = found.label
    elif found.kind == "basic":
        shown.basic.username = found.label
    else:
        shown.bearer.SetInParent()
    return shown
