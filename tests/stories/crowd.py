"""Very many dead anchors at a running authority."""

from __future__ import annotations

from collections.abc import Iterable

from caracal_grpc.authority.revocation.feed import Feed
from caracal_grpc.authority.state import places
from caracal_grpc.store.port import Put, Record
from tests.support.authority import Running


def names(count: int, kind: str = "x") -> list[str]:
    """So many ids of mandates, as long as real ones are."""
    return [f"mnd_{kind}{number:025}" for number in range(count)]


def fill(authority: Running, anchors: Iterable[str]) -> None:
    """Makes these the revocations that the authority has read from its store.

    They are put where it keeps what it has read, since to write a million takes etcd minutes.
    """
    place = places.revocation_place("shop", "mnd_")
    record = Record(place, {}, 1)
    table = authority.server._authority.state._mirror._tables  # type: ignore[union-attr]
    table[place.zone, place.kind] = dict.fromkeys(anchors, record)


async def kill(authority: Running, anchors: list[str]) -> int:
    """Revokes these in one change of the store; the revision at which it holds."""
    store = authority.server._store
    assert store is not None
    return await store.commit([Put(places.revocation_place("shop", name), {}) for name in anchors])


def feed_of(authority: Running) -> Feed:
    """The feed that edges subscribe to."""
    assert authority.server._authority is not None
    return authority.server._authority.feed
