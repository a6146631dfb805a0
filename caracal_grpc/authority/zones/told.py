"""A change of a zone as an entry of the ledger tells it: one line, with the names of its fields."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.authority.zones.change import Change
from caracal_grpc.core.entry import plain_text


@dataclass(frozen=True, slots=True)
class Told:
    """What was done to an object, such as `update application agent: labels ceiling`.

    An entry of an earlier release names no fields.
    """

    action: str
    kind: str
    name: str
    fields: tuple[str, ...] = ()

    @staticmethod
    def of(change: Change) -> Told:
        """The change without what it writes."""
        return Told(change.action, change.kind, change.name, change.fields)

    @staticmethod
    def parse(line: str) -> Told:
        """What `line` was made of."""
        what, _, fields = line.partition(": ")
        action, _, named = what.partition(" ")
        kind, _, name = named.partition(" ")
        return Told(action, kind, name, tuple(fields.split()))

    @property
    def line(self) -> str:
        """The line."""
        what = f"{self.action} {self.kind} {self.name}"
        return plain_text(f"{what}: {' '.join(self.fields)}" if self.fields else what)
