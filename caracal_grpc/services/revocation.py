"""RevocationService: revoke, list, and the feed."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.revocation.feed import (
    Feed,
    FeedDelta,
    FeedEvent,
    FeedHeartbeat,
    FeedSnapshot,
)
from caracal_grpc.authority.revocation.revocations import Revocations
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.services import render
from caracal_grpc.v1 import revocation_pb2, revocation_service_pb2, revocation_service_pb2_grpc

PART: Final = 10_000
"""Anchors in one part of a snapshot: about 300 KiB, under gRPC's 4 MiB."""

Context = grpc.aio.ServicerContext[Any, Any]
Response = revocation_service_pb2.RevocationServiceWatchResponse


class RevocationServicer(revocation_service_pb2_grpc.RevocationServiceServicer):
    """Parses, calls the revocations or the feed, renders."""

    def __init__(self, revocations: Revocations, feed: Feed) -> None:
        self._revocations = revocations
        self._feed = feed

    async def Revoke(
        self, request: revocation_service_pb2.RevocationServiceRevokeRequest, context: Context
    ) -> revocation_service_pb2.RevocationServiceRevokeResponse:
        """See `RevocationService.Revoke` in the proto."""
        revoked = await self._revocations.revoke(
            current_mandate(),
            render.zone_name(request.zone),
            request.anchor,
            render.reason_text(request.reason),
        )
        return revocation_service_pb2.RevocationServiceRevokeResponse(
            revision=revoked.revision, audit_id=revoked.audit_id
        )

    async def List(
        self, request: revocation_service_pb2.RevocationServiceListRequest, context: Context
    ) -> revocation_service_pb2.RevocationServiceListResponse:
        """See `RevocationService.List` in the proto."""
        zone = render.zone_name(request.zone)
        size = render.page("page_size", request.page_size, 100, 1000)
        found = self._revocations.live(current_mandate(), zone)
        after = [each for each in found if each.anchor > request.page_token]
        return revocation_service_pb2.RevocationServiceListResponse(
            revocations=[
                revocation_pb2.Revocation(
                    anchor=each.anchor,
                    revoke_time=render.timestamp(each.revoked_at),
                    reason=each.reason,
                    actor=each.actor,
                )
                for each in after[:size]
            ],
            next_page_token=after[size - 1].anchor if len(after) > size else "",
        )

    async def Watch(
        self, request: revocation_service_pb2.RevocationServiceWatchRequest, context: Context
    ) -> AsyncIterator[Response]:
        """See `RevocationService.Watch` in the proto."""
        zone = render.zone_name(request.zone)
        caller = current_mandate()
        require_zone(caller, zone)
        begun = False
        async for event in self._feed.events(zone, caller.application):
            if not begun:  # it says when the stream began, however long the snapshot will take
                begun = True
                yield _heartbeat(self._feed.beat(0))
            for message in _messages(event):
                yield message


def _messages(event: FeedEvent) -> Iterator[Response]:
    if isinstance(event, FeedSnapshot):
        yield from _parts(event)
    elif isinstance(event, FeedDelta):
        yield _delta(event)
    else:
        yield _heartbeat(event)


def _heartbeat(event: FeedHeartbeat) -> Response:
    message = Response(revision=event.revision)
    message.heartbeat.server_time.CopyFrom(render.timestamp(event.at))
    message.heartbeat.age.CopyFrom(render.duration(min(event.age, 1e6)))
    return message


@functools.lru_cache(maxsize=64)
def _delta(event: FeedDelta) -> Response:
    """Rendered once for all subscribers of a zone: events are equal only to themselves."""
    message = Response(revision=event.revision)
    message.delta.revoked.extend(event.revoked)
    message.delta.released.extend(event.released)
    if event.keys is not None:
        message.delta.key_set.CopyFrom(render.key_set(event.keys))
    return message


def _parts(event: FeedSnapshot) -> Iterator[Response]:
    """A snapshot in parts; the first carries the keys, the last says that it is whole."""
    count = max(1, -(-len(event.revoked) // PART))
    for index in range(count):
        message = Response(revision=event.revision)
        message.snapshot.revoked.extend(event.revoked[index * PART : (index + 1) * PART])
        message.snapshot.complete = index == count - 1
        if index == 0:
            message.snapshot.key_set.CopyFrom(render.key_set(event.keys))
        yield message
