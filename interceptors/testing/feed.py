"""What a guard knows, said by the test instead of an authority."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Final

from caracal_grpc.core.rule import Trust
from caracal_grpc.crypto.key_set import KeySet, VerifyingKey
from caracal_grpc.interceptors.feed.listeners import Listeners
from caracal_grpc.interceptors.feed.view import Listener
from caracal_grpc.interceptors.testing.authority import ThrowawayAuthority

_MAX_ANCHOR: Final = 256


class CannedFeed:
    """A `View`, for tests, that changes when it is told to; any thread may tell it.

    It is fresh until it goes stale. What it is told holds when the method returns: calls are judged
    by it from then on, and the streams that a death ends are being cut.
    """

    def __init__(self, *authorities: ThrowawayAuthority) -> None:
        """Trusts the keys of `authorities`, each for the zone that it speaks for."""
        self._lock = threading.Lock()
        self._listeners = Listeners()
        self._trusts: dict[str, Trust] = {}
        self._keys = KeySet()
        self._dead: frozenset[str] = frozenset()
        self._age = 0.0
        self._floor = 0
        for authority in authorities:
            self.learn_key(authority)

    def revoke(self, *anchors: str) -> None:
        """Kills every mandate that has one of `anchors`, and cuts the streams under them.

        An anchor is what a mandate says of where it comes from: its application, subject, sessions,
        delegations, `jti` or key. Raises `ValueError` for what can be none, such as a mandate.
        """
        if any(len(anchor) > _MAX_ANCHOR for anchor in anchors):
            raise ValueError("an anchor is an id; revoke the application or session of a mandate")
        with self._lock:
            self._dead = self._dead.union(anchors)
        self._listeners.tell(frozenset(anchors))

    def revoke_issued_before(self, moment: float) -> None:
        """Kills every mandate that was issued before `moment`, and cuts the streams under them.

        `moment` is in seconds since the Unix epoch. It never goes back. A mandate tells the whole
        second of its issue only, so all of that second die: let the clock of the authority advance
        by one before it signs what shall live.
        """
        with self._lock:
            self._floor = max(self._floor, math.ceil(moment))
            self._trusts = {kid: self._raised(each) for kid, each in self._trusts.items()}
            zones = frozenset(each.zone for each in self._trusts.values())
        self._listeners.tell(zones)

    def go_stale(self, age: float = math.inf) -> None:
        """Makes what the guard knows `age` seconds old, as when the authority is out of reach.

        Calls are refused at once. Open streams are cut when the guard looks next, which it does
        once in each `max_staleness`.
        """
        self._age = age

    def come_back(self) -> None:
        """Makes what the guard knows new, as when the authority is heard again."""
        self._age = 0.0

    def learn_key(self, authority: ThrowawayAuthority) -> None:
        """Trusts the key of `authority` too, as in a rotation, or again."""
        with self._lock:
            self._trusts = {**self._trusts, authority.kid: self._raised(authority.trust)}
            self._set_keys({**self._keys, authority.kid: authority.public})

    def forget_key(self, *kids: str) -> None:
        """Loses the keys `kids`, by default every key, and cuts the streams under them."""
        with self._lock:
            gone = frozenset(kids or self._keys)
            self._trusts = {kid: each for kid, each in self._trusts.items() if kid not in gone}
            self._set_keys({kid: key for kid, key in self._keys.items() if kid not in gone})
        self._listeners.tell(gone)

    @property
    def keys(self) -> KeySet:
        """The keys that mandates verify with."""
        return self._keys

    def trust(self, kid: str) -> Trust | None:
        """The zone that owns the key `kid`; `None` for an unknown key."""
        return self._trusts.get(kid)

    def dead(self, zone: str) -> AbstractSet[str]:
        """Every anchor that was revoked, for a zone that has a key here."""
        known = any(trust.zone == zone for trust in self._trusts.values())
        return self._dead if known else frozenset()

    def age(self) -> float:
        """How old the knowledge is, in seconds: none, or what `go_stale` made it."""
        return self._age

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Calls `listener` on every death from now on; the answer ends that."""
        return self._listeners.add(listener)

    def _raised(self, trust: Trust) -> Trust:
        return replace(trust, issued_before=max(trust.issued_before, self._floor))

    def _set_keys(self, keys: dict[str, VerifyingKey]) -> None:
        self._keys = KeySet(keys.values())
