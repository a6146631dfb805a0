"""KeyService: key sets, key states, rotation."""

from __future__ import annotations

from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.keys.keyring import KeyReport
from caracal_grpc.authority.keys.keys import Keys
from caracal_grpc.authority.revocation.feed import Feed
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

    def __init__(self, keys: Keys, feed: Feed) -> None:
        self._keys = keys
        self._feed = feed

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
        rotation = await self._keys.rotate(current_mandate(), render.zone_name(request.zone))
        return key_service_pb2.RotateKeyResponse(
            key=_render(rotation.key), revision=rotation.revision, audit_id=rotation.audit_id
        )


def _render(report: KeyReport) -> key_pb2.SigningKey:
    times = report.key.times
    rendered = key_pb2.SigningKey(
        public=render.json_web_key(report.key.jwk),
        state=_STATES[report.state],
        create_time=render.timestamp(times.created_at),
        activate_time=render.timestamp(times.activates_at),
    )
    if report.retires_at is not None:
        rendered.retire_time.CopyFrom(render.timestamp(report.retires_at))
    return rendered
