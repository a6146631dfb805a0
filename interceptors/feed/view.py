"""The port between knowledge and verdict: what an edge must know to judge a call."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Protocol

from caracal_grpc.core.rule import Trust
from caracal_grpc.crypto.key_set import KeySet

Listener = Callable[[AbstractSet[str]], None]
"""Is told at once of anchors that died, of keys that vanished, and of zones whose floor rose.

It must not block, and the set is good only during the call.
"""


class View(Protocol):
    """The knowledge of one edge, as of `age` seconds ago. Any thread may read any member."""

    @property
    def keys(self) -> KeySet:
        """The keys that mandates verify with; empty before the first snapshot."""
        ...

    def dead(self, zone: str) -> AbstractSet[str]:
        """Every anchor of `zone` that is dead; it may grow while it is read."""
        ...

    def trust(self, kid: str) -> Trust | None:
        """The zone that owns the key `kid`; `None` for an unknown key. Never the token's word."""
        ...

    def age(self) -> float:
        """How old the knowledge is, in seconds; infinite before it is complete."""
        ...

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Calls `listener` on every such event from now on; the answer ends that."""
        ...
