"""RevocationService: revoke, list, and the feed."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.revocation.feed import (
    Feed,
    FeedDelta,
    FeedEvent,
    FeedHeartbeat,
    FeedSnapshot,
)
from caracal_grpc.authority.revocation.impact import Impact
from caracal_grpc.authority.revocation.progress import Progress
from caracal_grpc.authority.revocation.propagation import Propagation
from caracal_grpc.authority.revocation.revocations import Revocations, Revoked
from caracal_grpc.authority.revocation.session_filter import SessionFilter
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.core.ids import FEED, require_id
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.services import render
from caracal_grpc.services.revocation_parse import aim
from caracal_grpc.v1 import revocation_pb2, revocation_service_pb2, revocation_service_pb2_grpc

PART: Final = 10_000
"""Anchors in one part of a snapshot: about 300 KiB, under gRPC's 4 MiB."""

_WAYS: Final[
    Mapping[type[Any], tuple[Callable[..., Impact], Callable[..., Awaitable[Revoked]]]]
] = {
    str: (Revocations.impact, Revocations.revoke),
    SessionFilter: (Revocations.impact_of_fitting, Revocations.revoke_fitting),
    float: (Revocations.impact_of_issued_before, Revocations.revoke_issued_before),
}
"""For each `Aim`, what tells what would fall, and what makes it fall."""

Context = grpc.aio.ServicerContext[Any, Any]
Response = revocation_service_pb2.RevocationServiceWatchResponse


class RevocationServicer(revocation_service_pb2_grpc.RevocationServiceServicer):
    """Parses, calls the revocations or the feed, renders."""

    def __init__(self, revocations: Revocations, feed: Feed, propagation: Propagation) -> None:
        self._revocations = revocations
        self._feed = feed
        self._propagation = propagation

    async def Revoke(
        self, request: revocation_service_pb2.RevocationServiceRevokeRequest, context: Context
    ) -> revocation_service_pb2.RevocationServiceRevokeResponse:
        """See `RevocationService.Revoke` in the proto."""
        zone, reason = render.zone_name(request.zone), render.reason_text(request.reason)
        caller, aimed = current_mandate(), aim(request)
        tell, revoke = _WAYS[type(aimed)]
        if request.dry_run:
            return _revoked(Revoked(0, "", tell(self._revocations, caller, zone, aimed)))
        return _revoked(await revoke(self._revocations, caller, zone, aimed, reason))

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
        async for event in self._feed.events(zone, caller.application):
            if isinstance(event, FeedSnapshot) and event.begins:
                # It says when the stream began, however long the snapshot will take.
                yield _heartbeat(self._feed.beat(0), event.begins)
            for message in _messages(event):
                yield message

    async def Acknowledge(
        self, request: revocation_service_pb2.RevocationServiceAcknowledgeRequest, context: Context
    ) -> revocation_service_pb2.RevocationServiceAcknowledgeResponse:
        """See `RevocationService.Acknowledge` in the proto."""
        zone, stream = render.zone_name(request.zone), require_id("feed_id", request.feed_id, FEED)
        caller = current_mandate()
        require_zone(caller, zone)
        self._feed.acknowledge(caller.application, zone, stream, request.revision)
        return revocation_service_pb2.RevocationServiceAcknowledgeResponse()

    async def WaitApplied(
        self, request: revocation_service_pb2.RevocationServiceWaitAppliedRequest, context: Context
    ) -> AsyncIterator[revocation_service_pb2.RevocationServiceWaitAppliedResponse]:
        """See `RevocationService.WaitApplied` in the proto."""
        zone = render.zone_name(request.zone)
        told = self._propagation.wait(current_mandate(), zone, request.revision)
        async with aclosing(told):
            async for progress in told:
                yield _progress(progress)


def _revoked(revoked: Revoked) -> revocation_service_pb2.RevocationServiceRevokeResponse:
    return revocation_service_pb2.RevocationServiceRevokeResponse(
        revision=revoked.revision,
        audit_id=revoked.audit_id,
        fallen=map(render.fallen, revoked.impact.fallen),
        fallen_count=revoked.impact.count,
    )


def _messages(event: FeedEvent) -> Iterator[Response]:
    if isinstance(event, FeedSnapshot):
        yield from _parts(event)
    elif isinstance(event, FeedDelta):
        yield _delta(event)
    else:
        yield _heartbeat(event)


def _progress(told: Progress) -> revocation_service_pb2.RevocationServiceWaitAppliedResponse:
    return revocation_service_pb2.RevocationServiceWaitAppliedResponse(
        replicas=told.replicas,
        replicas_told=told.told,
        edges=told.reach.edges,
        edges_applied=told.reach.applied,
        done=told.done,
    )


def _heartbeat(event: FeedHeartbeat, begins: str = "") -> Response:
    message = Response(revision=event.revision)
    message.heartbeat.feed_id = begins
    message.heartbeat.acknowledge = event.acknowledge
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
