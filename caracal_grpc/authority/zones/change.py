"""One difference between a declared and the present zone, and all of them together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from caracal_grpc.authority.policies.version import Version
from caracal_grpc.authority.state.unfinished import Unfinished
from caracal_grpc.core.application import Application, StoredCredential
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.webhook import Webhook
from caracal_grpc.core.zone import Resource, Zone
from caracal_grpc.store.port import Change as Write
from caracal_grpc.store.port import Delete, Expect, Key, Put

Action = Literal["create", "update", "delete"]


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret that was made for an application, shown once; `kept` is what is known of it."""

    application: Application
    kept: StoredCredential
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
    """What brings a zone to its declaration, and the mark it stands under until it is answered.

    `policy_version` is what will decide, `undeclared` what stays though it is not declared, `made`
    the version of its policy that the last change makes.
    """

    zone: Zone
    changes: tuple[Change, ...]
    mark: Unfinished
    policy_version: str = ""
    undeclared: tuple[Change, ...] = ()
    made: Version | None = None

    @property
    def credentials(self) -> tuple[Credential, ...]:
        """The secrets that it makes."""
        return tuple(change.credential for change in self.changes if change.credential)


def differing(present: Any, wanted: Any) -> tuple[str, ...]:
    """The names of the fields in which two values of one dataclass differ."""
    names = type(wanted).__slots__
    return tuple(name for name in names if getattr(present, name) != getattr(wanted, name))


Named = TrustedIssuer | Webhook
Storable = Named | Resource


def changed(kind: str, place: Key, present: Storable | None, wanted: Storable) -> Change | None:
    """What brings one object to what is wanted, a record at `place`; `None` when it is so."""
    if present == wanted:
        return None
    action: Action = "update" if present else "create"
    fields = differing(present, wanted) if present else ()
    return Change(action, kind, wanted.name, fields, (Put(place, wanted.to_value()),))


def named(
    kind: str,
    place: Callable[[str], Key],
    present: Sequence[Named],
    wanted: Sequence[Named],
    unwanted: Sequence[Named],
) -> Iterator[Change]:
    """What brings the objects of one kind, each a record by its name, to what is declared."""
    before = {each.name: each for each in present}
    for each in unwanted:
        yield Change("delete", kind, each.name, writes=(Delete(place(each.name)),))
    for each in wanted:
        change = changed(kind, place(each.name), before.get(each.name), each)
        if change:
            yield change
