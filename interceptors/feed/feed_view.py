"""What a guard knows, built from the messages of the feed: pure state, no connection."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import DEFAULT_MAX_STALENESS, REVOCATION_TTL
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Trust
from caracal_grpc.crypto.key_set import KeySet
from caracal_grpc.interceptors.feed.listeners import Listeners
from caracal_grpc.interceptors.feed.proof import Proof
from caracal_grpc.interceptors.feed.view import Listener
from caracal_grpc.v1 import key_pb2, revocation_service_pb2

_log: Final = logging.getLogger("caracal.feed")

_Anchors = dict[str, str]
"""Each anchor to itself: a set whose members can be shared, so that a second one costs little."""


@dataclass(slots=True)
class _Parts:
    """A snapshot that is still arriving."""

    keys: KeySet
    trust: Trust
    revoked: _Anchors = field(default_factory=dict)


class FeedView:
    """The `View` of one zone, fed message by message. One thread feeds it; any may read it.

    Fails closed: what breaks the contract of the feed raises and changes nothing, so that the view
    grows old. Only a heartbeat proves freshness, since only it says how old the authority's own
    view is; a snapshot alone may come from an authority that lost its store. And it proves it for
    the moment at which it was sent (see `Proof`), whenever it arrives. `max_staleness` is in
    seconds; a stream whose heartbeats arrive older than half of it for long is dropped.
    """

    def __init__(
        self,
        *,
        zone: str,
        issuer: str,
        clock: Clock,
        max_staleness: float = DEFAULT_MAX_STALENESS,
    ) -> None:
        self.zone = zone
        self.issuer = issuer
        self._clock = clock
        self._max_staleness = max_staleness
        self._listeners = Listeners()
        self._keys = KeySet()
        self._trusts: dict[str, Trust] = {}
        self._revoked: _Anchors = {}
        self._revision = 0
        self._proven_at = -math.inf
        self._proof: Proof | None = None
        self._parts: _Parts | None = None
        self._complete = False
        self._highest = 0
        self._carried: _Anchors = {}
        self._carried_until = math.inf

    @property
    def keys(self) -> KeySet:
        """The keys that mandates verify with."""
        return self._keys

    @property
    def revoked(self) -> AbstractSet[str]:
        """Every dead anchor: a live view."""
        return self._revoked.keys()

    def dead(self, zone: str) -> AbstractSet[str]:
        """Every dead anchor of the zone; this view knows one zone and trusts keys of no other."""
        return self.revoked if zone == self.zone else frozenset()

    @property
    def complete(self) -> bool:
        """Whether the present stream has brought a whole snapshot."""
        return self._complete and self._parts is None

    @property
    def revision(self) -> int:
        """The revision of the authority's store that this view stands at."""
        return self._revision

    def trust(self, kid: str) -> Trust | None:
        """The zone of the feed, when it has the key `kid`."""
        return self._trusts.get(kid)

    def age(self) -> float:
        """Seconds since the authority last proved itself, and how old its own view was then."""
        return self._clock.monotonic() - self._proven_at

    @property
    def fresh(self) -> bool:
        """Whether the view is complete and young enough to judge by."""
        return self.complete and self.age() <= self._max_staleness

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Calls `listener` with newly dead anchors and vanished keys, in the feeding thread."""
        return self._listeners.add(listener)

    def begin(self) -> None:
        """Starts a new stream, to be called before it is asked for.

        It must bring a whole snapshot before anything else counts.
        """
        self._proof = Proof(self._clock.monotonic(), self._max_staleness / 2)
        self._parts = None
        self._complete = False

    def apply(self, message: revocation_service_pb2.RevocationServiceWatchResponse) -> None:
        """Takes one message; raises `CaracalError` when the stream must be dropped for it."""
        match message.WhichOneof("event"):
            case "snapshot":
                self._snapshot(message.revision, message.snapshot)
            case "delta":
                self._delta(message.revision, message.delta)
            case "heartbeat":
                self._heartbeat(message.revision, message.heartbeat)
            case _:
                raise _broken("a message holds no event that this library knows")

    def _snapshot(self, revision: int, part: revocation_service_pb2.FeedSnapshot) -> None:
        if self.complete and revision < self._revision:
            raise _broken("the revision went down within a stream")
        parts = self._parts
        if part.HasField("key_set"):
            parts = _Parts(*self._read_keys(part.key_set))
        if parts is None:
            raise _broken("a snapshot began without keys")
        _take(parts.revoked, part.revoked, known=self._revoked)
        self._parts = parts
        if part.complete:
            self._parts = None
            self._replace(revision, parts)

    def _replace(self, revision: int, parts: _Parts) -> None:
        before, keys = self._revoked, self._keys
        self._carry(revision, parts.revoked)
        self._set_keys(parts.keys, parts.trust)
        self._revoked, self._revision, self._complete = parts.revoked, revision, True
        # The first snapshot may hold a million deaths: no copy of them.
        died = parts.revoked.keys() - before.keys() if before else parts.revoked.keys()
        vanished = keys.keys() - parts.keys.keys()
        self._listeners.tell(died | vanished if vanished else died)

    def _carry(self, revision: int, revoked: _Anchors) -> None:
        """Keeps the dead dead when a snapshot is older than what is known.

        A replica that lags, or a store restored from a backup, may not know of them. They are kept
        as long as anything that they could kill may live.
        """
        if revision >= self._highest:
            self._highest, self._carried = revision, {}
            return
        if not self._carried:
            self._carried_until = self._clock.monotonic() + REVOCATION_TTL
        self._carried = {anchor: anchor for anchor in self._revoked if anchor not in revoked}
        revoked.update(self._carried)

    def _release_carried(self) -> None:
        if self._carried and self._clock.monotonic() > self._carried_until:
            for anchor in self._carried:
                self._revoked.pop(anchor, None)
            self._carried, self._highest = {}, self._revision

    def _delta(self, revision: int, delta: revocation_service_pb2.FeedDelta) -> None:
        if not self.complete:
            raise _broken("a change came before its snapshot was complete")
        vanished: AbstractSet[str] = frozenset()
        # A change that the snapshot holds already may come once more; its deaths are true for ever.
        if revision > self._revision:
            if delta.HasField("key_set"):
                keys, trust = self._read_keys(delta.key_set)
                vanished = self._keys.keys() - keys.keys()
                self._set_keys(keys, trust)
            for anchor in delta.released:
                self._revoked.pop(anchor, None)
            self._revision = revision
            self._highest = max(self._highest, revision)
        died = {anchor for anchor in delta.revoked if anchor not in self._revoked}
        _take(self._revoked, delta.revoked, known={})
        for anchor in delta.revoked:
            self._carried.pop(anchor, None)
        self._listeners.tell(died | vanished)

    def _heartbeat(self, revision: int, beat: revocation_service_pb2.FeedHeartbeat) -> None:
        if self._proof is None or not beat.HasField("server_time"):
            raise _broken("a heartbeat says not when it was sent")
        # One that comes before or within a snapshot proves nothing about the view, but when.
        stamp = beat.server_time.seconds + beat.server_time.nanos / 1e9
        sent = self._proof.sent(stamp, self._clock.monotonic())
        if not self.complete or revision < self._revision:
            return
        self._revision = revision
        self._highest = max(self._highest, revision)
        self._release_carried()
        reported = max(0.0, beat.age.seconds + beat.age.nanos / 1e9)
        self._proven_at = sent - reported

    def _read_keys(self, message: key_pb2.KeySet) -> tuple[KeySet, Trust]:
        """The keys of the zone; raises unless zone and issuer are those of the profile."""
        if message.zone != self.zone:
            raise CaracalError(Reason.ZONE_MISMATCH, "the feed is of another zone; check the zone")
        if message.issuer != self.issuer:
            raise CaracalError(
                Reason.ISSUER_MISMATCH, "the feed is of another issuer; check the authority's url"
            )
        keys = KeySet.from_jwks({"keys": [_jwk(key) for key in message.keys]})
        return keys, Trust(self.zone, self.issuer, message.max_ttl_seconds, message.max_hops)

    def _set_keys(self, keys: KeySet, trust: Trust) -> None:
        """Keeps the old set when it is equal: readings remember the very key objects."""
        self._trusts = dict.fromkeys(keys, trust)
        if keys != self._keys:
            self._keys = keys


def _take(into: _Anchors, anchors: Iterable[str], known: _Anchors) -> None:
    for anchor in anchors:
        same = known.get(anchor, anchor)
        into[same] = same


def _jwk(key: key_pb2.JsonWebKey) -> dict[str, str]:
    names = ("kty", "crv", "x", "y", "kid", "use", "alg")
    return {name: getattr(key, name) for name in names}


def _broken(what: str) -> CaracalError:
    """The refusal of a stream that breaks the contract of the feed."""
    return CaracalError(Reason.AUTHORITY_STALE, f"the feed is unusable: {what}; open it again")
