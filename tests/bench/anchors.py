"""A great many live revocations, and a guard's view that holds them."""

from __future__ import annotations

import time
from collections.abc import Iterator

from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.interceptors.feed.feed_view import FeedView
from caracal_grpc.interceptors.testing import ThrowawayAuthority
from caracal_grpc.v1 import key_pb2
from caracal_grpc.v1.revocation_service_pb2 import (
    FeedHeartbeat,
    FeedSnapshot,
    RevocationServiceWatchResponse,
)

PART = 8_000
"""Anchors in one message."""

FOREVER = 1e6
"""Seconds that a view stays fresh after one heartbeat: nothing here is about staleness."""


def anchor(number: int) -> str:
    """An id of the length that ids have."""
    return f"mnd_{number:026}"


def snapshot(
    authority: ThrowawayAuthority, count: int, revision: int
) -> Iterator[RevocationServiceWatchResponse]:
    """The messages of a snapshot with `count` revocations, read from their bytes as in a call."""
    for start in range(0, max(count, 1), PART):
        end = min(start + PART, count)
        part = FeedSnapshot(
            key_set=_keys(authority) if start == 0 else None,
            revoked=[anchor(number) for number in range(start, end)],
            complete=end == count,
        )
        message = RevocationServiceWatchResponse(revision=revision, snapshot=part)
        yield RevocationServiceWatchResponse.FromString(message.SerializeToString())


def view_of(authority: ThrowawayAuthority, count: int) -> FeedView:
    """A fresh view of the authority's zone with `count` live revocations."""
    view = FeedView(
        zone=authority.zone, issuer=authority.issuer, clock=SystemClock(), max_staleness=FOREVER
    )
    view.begin()
    for message in snapshot(authority, count, 1):
        view.apply(message)
    beat = RevocationServiceWatchResponse(revision=1, heartbeat=FeedHeartbeat())
    beat.heartbeat.server_time.seconds = int(time.time())
    view.apply(beat)
    return view


def _keys(authority: ThrowawayAuthority) -> key_pb2.KeySet:
    trust = authority.trust
    return key_pb2.KeySet(
        zone=trust.zone,
        issuer=trust.issuer,
        keys=[key_pb2.JsonWebKey(**authority.public.jwk)],
        max_ttl_seconds=trust.max_ttl,
        max_hops=trust.max_hops,
    )
