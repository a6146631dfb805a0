"""KeyService: key sets, key states, rotation, the end of keys, and their seals."""

from __future__ import annotations

from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.authority import Authority
from caracal_grpc.authority.keys.keyring import KeyReport
from caracal_grpc.core import ids
from caracal_grpc.core.keystate import KeyState
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.services import render
from caracal_grpc.v1 import key_pb2, key_service_pb2, key_service_pb2_grpc

_STATES: Final = {
    KeyState.PENDING: key_pb2.KEY_STATE_PENDING,
    KeyState.ACTIVE: key_pb2.KEY_STATE_ACTIVE,
    KeyState.RETIRING: key_pb2.KEY_STATE_RETIRING,
    KeyState.RETIRED: key_pb2.KEY_STATE_RETIRED,
}

Context = grpc.aio.ServicerContext[Any, Any]


class KeyServicer(key_service_pb2_grpc.KeyServiceServicer):
    """Parses, calls the keys, renders."""

    def __init__(self, authority: Authority) -> None:
        self._keys = authority.keys
        self._compromises = authority.revocations.compromises
        self._resealing = authority.key_care.resealing
        self._feed = authority.feed

    async def GetKeySet(
        self, request: key_service_pb2.GetKeySetRequest, context: Context
    ) -> key_service_pb2.GetKeySetResponse:
        """See `KeyService.GetKeySet` in the proto."""
        keys = self._feed.zone_keys(render.zone_name(request.zone))
        return key_service_pb2.GetKeySetResponse(key_set=render.key_set(keys))

    async def ListKeys(
        self, request: key_service_pb2.ListKeysRequest, context: Context
    ) -> key_service_pb2.ListKeysResponse:
        """See `KeyService.ListKeys` in the proto."""
        reports = self._keys.list(current_mandate(), render.zone_name(request.zone))
        return key_service_pb2.ListKeysResponse(keys=[_render(report) for report in reports])

    async def RotateKey(
        self, request: key_service_pb2.RotateKeyRequest, context: Context
    ) -> key_service_pb2.RotateKeyResponse:
        """See `KeyService.RotateKey` in the proto."""
        change = await self._keys.rotate(current_mandate(), render.zone_name(request.zone))
        return key_service_pb2.RotateKeyResponse(
            key=_render(change.key), revision=change.revision, audit_id=change.audit_id
        )

    async def RetireKey(
        self, request: key_service_pb2.RetireKeyRequest, context: Context
    ) -> key_service_pb2.RetireKeyResponse:
        """See `KeyService.RetireKey` in the proto."""
        zone, kid = render.zone_name(request.zone), ids.require_id("kid", request.kid, ids.KEY)
        change = await self._keys.retire(current_mandate(), zone, kid)
        return key_service_pb2.RetireKeyResponse(
            key=_render(change.key), revision=change.revision, audit_id=change.audit_id
        )

    async def CompromiseKey(
        self, request: key_service_pb2.CompromiseKeyRequest, context: Context
    ) -> key_service_pb2.CompromiseKeyResponse:
        """See `KeyService.CompromiseKey` in the proto."""
        zone, kid = render.zone_name(request.zone), ids.require_id("kid", request.kid, ids.KEY)
        why = render.reason_text(request.reason)
        done = await self._compromises.compromise(current_mandate(), zone, kid, why)
        return key_service_pb2.CompromiseKeyResponse(
            successor=_render(done.successor) if done.successor else None,
            revision=done.revision,
            audit_id=done.audit_id,
        )

    async def ResealKeys(
        self, request: key_service_pb2.ResealKeysRequest, context: Context
    ) -> key_service_pb2.ResealKeysResponse:
        """See `KeyService.ResealKeys` in the proto."""
        zone = render.zone_name(request.zone) if request.zone else ""
        done = await self._resealing.reseal(current_mandate(), zone)
        return key_service_pb2.ResealKeysResponse(
            kek_id=done.kek_id,
            resealed=done.resealed,
            unchanged=done.unchanged,
            revision=done.revision,
            audit_id=done.audit_id,
        )


def _render(report: KeyReport) -> key_pb2.SigningKey:
    times = report.key.times
    rendered = key_pb2.SigningKey(
        public=render.json_web_key(report.key.jwk),
        state=_STATES[report.state],
        create_time=render.timestamp(times.created_at),
        activate_time=render.timestamp(times.activates_at),
        compromised=times.compromised,
        kek_id=report.key.kek_id,
    )
    if report.retires_at is not None:
        rendered.retire_time.CopyFrom(render.timestamp(report.retires_at))
    return rendered
