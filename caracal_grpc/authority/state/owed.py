"""Entries that are owed: of changes that hold in the store, until a ledger has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from caracal_grpc.authority.state import places
from caracal_grpc.core.entry import Entry
from caracal_grpc.store.port import Delete, Put


@dataclass(frozen=True, slots=True)
class Owed:
    """The entry of a change. The commit of the change takes `put` along, so that no change holds
    of which nobody knows what to record: whoever makes it may die, or its ledger fail, in between.
    """

    entry: Entry

    @property
    def put(self) -> Put:
        """The write that says that the entry is owed."""
        return Put(places.owed_place(self.entry.id), {"entry": self.entry.to_event()})

    @staticmethod
    def from_value(value: Mapping[str, Any]) -> Owed:
        """What `put` wrote."""
        return Owed(Entry.from_event(value["entry"]))

    @property
    def paid(self) -> Delete:
        """The write that says that it is in a ledger."""
        return Delete(places.owed_place(self.entry.id))
