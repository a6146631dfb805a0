"""What the store holds sealed: the one list of such places, for who opens or seals them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State
from caracal_grpc.store.port import Key, Record

SEALED_KINDS: Final = frozenset({places.KEYS, places.LEDGER_KEYS, places.UPSTREAM_SECRETS})
"""Kinds whose records have a member `sealed`, an envelope, or `None` when its key is destroyed.

What is sealed at a place never changes, but for being sealed anew: another secret has another one.
"""

SEAL_VERSION: Final = 1


def sealed_records(state: State, zone: str) -> Iterator[Record]:
    """Every record of the zone that holds an envelope, signing keys first."""
    for kind in sorted(SEALED_KINDS):
        for record in state.records(zone, kind).values():
            if envelope_of(record) is not None:
                yield record


def envelope_of(record: Record | None) -> dict[str, Any] | None:
    """The envelope in a record, `None` when there is none."""
    envelope = record.value.get("sealed") if record else None
    return dict(envelope) if envelope is not None else None


def path(place: Key) -> str:
    """The place that a seal is bound to, so that an envelope moved elsewhere does not open."""
    return f"{place.zone}/{place.kind}/{place.id}"
