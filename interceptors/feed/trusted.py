"""What is trusted of one zone: its keys, and what must hold of whatever they signed."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace

from caracal_grpc.core.rule import Trust
from caracal_grpc.crypto.key_set import KeySet


class Trusted:
    """The keys in force. One thread changes them; any may read them."""

    __slots__ = ("_floor", "_trusts", "_zone", "keys")

    def __init__(self, zone: str) -> None:
        self.keys = KeySet()
        self._zone = zone
        self._trusts: dict[str, Trust] = {}
        self._floor = 0

    @property
    def floor(self) -> int:
        """Mandates that were issued before this are dead, in seconds since the Unix epoch."""
        return self._floor

    def trust(self, kid: str) -> Trust | None:
        """What goes with the key `kid`, `None` for an unknown one."""
        return self._trusts.get(kid)

    def put_in_force(self, keys: KeySet, trust: Trust) -> AbstractSet[str]:
        """Answers which keys have vanished, and names the zone when its floor rose.

        Keeps the old set when it is equal: readings remember the very key objects.
        """
        vanished = self.keys.keys() - keys.keys()
        self._trusts = dict.fromkeys(keys, trust)
        if keys != self.keys:
            self.keys = keys
        rose = trust.issued_before > self._floor
        self._floor = trust.issued_before
        return vanished | {self._zone} if rose else vanished

    def raise_floor(self, floor: int) -> AbstractSet[str]:
        """Names the zone when that is higher than before."""
        if floor <= self._floor:
            return frozenset()
        self._trusts = {
            kid: replace(trust, issued_before=floor) for kid, trust in self._trusts.items()
        }
        self._floor = floor
        return frozenset({self._zone})
