"""What a guard knows, built from the messages of the feed: pure state, no connection."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import DEFAULT_MAX_STALENESS, REVOCATION_TTL
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Trust
from caracal_grpc.crypto.key_set import KeySet
from caracal_grpc.interceptors.feed.dead import Dead, Roll
from caracal_grpc.interceptors.feed.listeners import Listeners
from caracal_grpc.interceptors.feed.proof import Proof
from caracal_grpc.interceptors.feed.trusted import Trusted
from caracal_grpc.interceptors.feed.view import Listener
from caracal_grpc.v1 import key_pb2, revocation_service_pb2

_log: Final = logging.getLogger("caracal.feed")

_NOBODY: Final[AbstractSet[str]] = frozenset()
_JWK: Final = ("kty", "crv", "x", "y", "kid", "use", "alg")


@dataclass(slots=True)
class _Snapshot:
    """Everything at one revision, which is not in force yet."""

    revision: int
    keys: KeySet
    trust: Trust
    dead: Roll


class FeedView:
    """The `View` of one zone, fed message by message. One thread feeds it; any may read it.

    Fails closed: what breaks the contract of the feed raises and changes nothing, so that the view
    grows old. Only a heartbeat proves freshness, since only it says how old the authority's own
    view is; a snapshot alone may come from an authority that lost its store. And it proves it for
    the moment at which it was sent (see `Proof`), whenever it arrives. `max_staleness` is in
    seconds; a stream whose heartbeats arrive older than half of it for long is dropped.

    The view does not go back. A replica that lags behind what another one has told is not believed
    before it has caught up; until then the view before stays in force and grows old. Only a store
    that was restored from a backup goes back, and that shows: its replica proves that it is current
    as of a moment when more was known already. Then the dead are carried over.
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
        self._trusted = Trusted(zone)
        self._dead = Dead()
        self._revision = 0
        self._proven_at = -math.inf
        self._proof: Proof | None = None
        self._arriving: _Snapshot | None = None
        self._behind: _Snapshot | None = None
        self._begun = False
        self._highest = 0
        self._highest_at = -math.inf
        self._carried: set[str] = set()
        self._carried_floor = 0
        self._carried_until = math.inf

    @property
    def keys(self) -> KeySet:
        """The keys that mandates verify with."""
        return self._trusted.keys

    @property
    def revoked(self) -> AbstractSet[str]:
        """Every dead anchor: a live view."""
        return self._dead.anchors

    def dead(self, zone: str) -> AbstractSet[str]:
        """Every dead anchor of the zone; this view knows one zone and trusts keys of no other."""
        return self.revoked if zone == self.zone else frozenset()

    @property
    def complete(self) -> bool:
        """Whether the present stream has brought a whole snapshot, and it is in force."""
        return self._begun and self._arriving is None and self._behind is None

    @property
    def revision(self) -> int:
        """The revision of the authority's store that this view stands at."""
        return self._revision

    def trust(self, kid: str) -> Trust | None:
        """The zone of the feed, when it has the key `kid`."""
        return self._trusted.trust(kid)

    def age(self) -> float:
        """Seconds since the authority last proved itself, and how old its own view was then."""
        return self._clock.monotonic() - self._proven_at

    @property
    def fresh(self) -> bool:
        """Whether the view is complete and young enough to judge by."""
        return self.complete and self.age() <= self._max_staleness

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Calls `listener` with newly dead anchors, vanished keys, and the zone when its floor has
        risen, in the feeding thread.
        """
        return self._listeners.add(listener)

    def begin(self) -> None:
        """Starts a new stream, to be called before it is asked for.

        It must bring a whole snapshot before anything else counts.
        """
        self._proof = Proof(self._clock.monotonic(), self._max_staleness / 2)
        self._arriving = self._behind = None
        self._begun = False

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
        arriving = self._arriving
        if part.HasField("key_set"):
            arriving = _Snapshot(revision, *self._read_keys(part.key_set), self._dead.roll())
        if arriving is None:
            raise _broken("a snapshot began without keys")
        arriving.dead.take(part.revoked)
        self._arriving = arriving
        if part.complete:
            self._arriving, self._behind, self._begun = None, arriving, True
            if revision >= self._highest:
                self._replace(arriving)

    def _replace(self, snapshot: _Snapshot) -> None:
        """Puts a whole snapshot in force."""
        self._carry(snapshot)
        news = self._set_keys(snapshot.keys, snapshot.trust)
        died = snapshot.dead.put_in_force(self._carried)
        self._behind, self._revision = None, snapshot.revision
        self._learn(snapshot.revision)
        # The first snapshot may hold a million deaths: no copy of them.
        self._listeners.tell(died | news if news else died)

    def _learn(self, revision: int) -> None:
        if revision > self._highest:
            self._highest, self._highest_at = revision, self._clock.monotonic()

    def _carry(self, snapshot: _Snapshot) -> None:
        """Keeps the dead dead when the store has gone back to a backup that knows nothing of them,
        and the floor where it was.

        They are kept as long as anything that they could kill may live.
        """
        if snapshot.revision >= self._highest:
            self._carried = snapshot.dead.unnamed(self._carried)
            return
        _log.warning(
            "the authority's store went back from revision %d to %d; was it restored?",
            self._highest,
            snapshot.revision,
        )
        now = self._clock.monotonic()
        self._carried, self._carried_until = snapshot.dead.unnamed(), now + REVOCATION_TTL
        self._carried_floor = self._trusted.floor
        self._highest, self._highest_at = snapshot.revision, now

    def _release_carried(self) -> None:
        if self._clock.monotonic() > self._carried_until:
            self._dead.release(self._carried)
            self._carried, self._carried_floor, self._carried_until = set(), 0, math.inf

    def _delta(self, revision: int, delta: revocation_service_pb2.FeedDelta) -> None:
        if self._arriving is not None or not self._begun:
            raise _broken("a change came before its snapshot was complete")
        behind = self._behind
        if behind is None:
            news = self._change(revision, delta)
        else:
            news = self._change_behind(behind, revision, delta)
        # Its deaths are true at once and for ever.
        died = self._dead.bury(delta.revoked)
        self._carried.difference_update(delta.revoked)
        self._listeners.tell(died | news)
        if behind is not None:
            behind.dead.take(delta.revoked)
            if behind.revision >= self._highest:
                self._replace(behind)

    def _change(self, revision: int, delta: revocation_service_pb2.FeedDelta) -> AbstractSet[str]:
        """Applies all but the deaths; answers which keys have vanished and whether the floor rose.

        A change that the snapshot holds already may come once more.
        """
        if revision <= self._revision:
            return _NOBODY
        news = _NOBODY
        if delta.HasField("key_set"):
            news = self._set_keys(*self._read_keys(delta.key_set))
        self._dead.release(delta.released)
        self._revision = revision
        self._learn(revision)
        return news

    def _change_behind(
        self, behind: _Snapshot, revision: int, delta: revocation_service_pb2.FeedDelta
    ) -> AbstractSet[str]:
        """Applies it to what is not in force, but for a floor that is higher than that in force."""
        if revision <= behind.revision:
            return _NOBODY
        if delta.HasField("key_set"):
            behind.keys, behind.trust = self._read_keys(delta.key_set)
        behind.dead.release(delta.released)
        behind.revision = revision
        return self._trusted.raise_floor(behind.trust.issued_before)

    def _heartbeat(self, revision: int, beat: revocation_service_pb2.FeedHeartbeat) -> None:
        if self._proof is None or not beat.HasField("server_time"):
            raise _broken("a heartbeat says not when it was sent")
        # One that comes before or within a snapshot proves nothing about the view, but when.
        stamp = beat.server_time.seconds + beat.server_time.nanos / 1e9
        sent = self._proof.sent(stamp, self._clock.monotonic())
        proven_at = sent - max(0.0, beat.age.seconds + beat.age.nanos / 1e9)
        self._catch_up(revision, proven_at)
        if not self.complete or revision < self.revision:
            return
        self._revision = revision
        self._learn(revision)
        self._release_carried()
        self._proven_at = proven_at

    def _catch_up(self, revision: int, proven_at: float) -> None:
        """Believes a replica that lagged, once it has caught up, or has less though it lags not."""
        behind = self._behind
        if behind is None or self._arriving is not None or revision < behind.revision:
            return
        if revision >= self._highest or proven_at > self._highest_at:
            behind.revision = revision
            self._replace(behind)

    def _read_keys(self, message: key_pb2.KeySet) -> tuple[KeySet, Trust]:
        """The keys of the zone; raises unless zone and issuer are those of the profile."""
        if message.zone != self.zone:
            raise CaracalError(Reason.ZONE_MISMATCH, "the feed is of another zone; check the zone")
        if message.issuer != self.issuer:
            raise CaracalError(
                Reason.ISSUER_MISMATCH, "the feed is of another issuer; check the authority's url"
            )
        keys = KeySet.from_jwks({"keys": [_jwk(key) for key in message.keys]})
        lives = (message.max_ttl_seconds, message.max_hops, message.issued_before)
        return keys, Trust(self.zone, self.issuer, *lives)

    def _set_keys(self, keys: KeySet, trust: Trust) -> AbstractSet[str]:
        """Puts them in force, under no lower a floor than is carried over; answers what is news."""
        floor = max(trust.issued_before, self._carried_floor)
        return self._trusted.put_in_force(keys, replace(trust, issued_before=floor))


def _jwk(key: key_pb2.JsonWebKey) -> dict[str, str]:
    return {name: getattr(key, name) for name in _JWK}


def _broken(what: str) -> CaracalError:
    """The refusal of a stream that breaks the contract of the feed."""
    return CaracalError(Reason.AUTHORITY_STALE, f"the feed is unusable: {what}; open it again")
