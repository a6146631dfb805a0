"""One difference between a declared and the present zone, and all of them together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from caracal_grpc.authority.state.unfinished import Unfinished
from caracal_grpc.core.application import Application
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.webhook import Webhook
from caracal_grpc.core.zone import Zone
from caracal_grpc.store.port import Change as Write
from caracal_grpc.store.port import Delete, Expect, Key, Put

Action = Literal["create", "update", "delete"]


@dataclass(frozen=True, slots=True)
class Credential:
    """The secret that an apply made for an application, shown once."""

    application: Application
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference, and the writes that make it, which belong together.

    `fields` are names only. `expects` are the revisions that the writes were decided on.
    """

    action: Action
    kind: str
    name: str
    fields: tuple[str, ...] = ()
    writes: tuple[Write, ...] = field(default=(), repr=False)
    expects: tuple[Expect, ...] = field(default=(), repr=False)
    credential: Credential | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What brings a zone to its declaration, and the mark it stands under until it is answered."""

    zone: Zone
    changes: tuple[Change, ...]
    mark: Unfinished

    @property
    def credentials(self) -> tuple[Credential, ...]:
        """The secrets that it makes."""
        return tuple(change.credential for change in self.changes if change.credential)


def differing(present: Any, wanted: Any) -> tuple[str, ...]:
    """The names of the fields in which two values of one dataclass differ."""
    names = type(wanted).__slots__
    return tuple(name for name in names if getattr(present, name) != getattr(wanted, name))


def named(
    kind: str,
    place: Callable[[str], Key],
    present: Sequence[TrustedIssuer | Webhook],
    wanted: Sequence[TrustedIssuer | Webhook],
) -> Iterator[Change]:
    """What brings the objects of one kind, each a record by its name, to what is declared."""
    before = {each.name: each for each in present}
    after = {each.name: each for each in wanted}
    for name in before.keys() - after.keys():
        yield Change("delete", kind, name, writes=(Delete(place(name)),))
    for name, each in after.items():
        if before.get(name) == each:
            continue
        action: Action = "update" if name in before else "create"
        fields = differing(before[name], each) if name in before else ()
        yield Change(action, kind, name, fields, (Put(place(name), each.to_value()),))
