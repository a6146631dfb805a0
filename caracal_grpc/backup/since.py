"""What a ledger that outlived the state knows of the time after a backup.

Who was stopped since stays stopped: that is done again. Everything else that was changed since is
lost, and told, so that somebody can declare it anew. An entry says which fields of an object were
changed and not what they were; so of what was believed and is changed nothing is believed until it
is declared anew. Of whom the ledger no longer knows, because what it said was pruned or erased,
nobody can say that they were not stopped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from caracal_grpc.authority.state import places
from caracal_grpc.authority.zones.told import Told
from caracal_grpc.core.entry import Entry
from caracal_grpc.ledger.port import MAX_PAGE, Filter, Ledger, unavailable
from caracal_grpc.store.port import Key

_SLACK_MS: Final = 60_000
"""How far the clocks of replicas may be apart; what is done twice changes nothing."""
_MAX_LOST: Final = 1_000
_QUIET: Final = (
    "audit.",
    "exchange",
    "session.",
    "delegation.",
    "approval.",
    "edge.",
    "mandate.",
    "upstream.release",
)
"""Types of what ran, of which by intention nothing returns, and of what the ledger has itself."""
_PROOF: Final = frozenset({"identities", "jwks"})
"""Fields of an application that say how it authenticates besides its secrets."""


@dataclass(slots=True)
class Since:
    """What happened in one zone: what to do again, and what is lost (at most 1,000 entries).

    `anchors` are ids of what was stopped, `removed` names of applications, and `unproven` of those
    whose identities or keys were changed. `distrusted` are the places of what was removed of whom
    the zone believes, tells or reaches, or was changed. `zones` are the names of zones that were
    removed, `suspended` sessions with who suspended them, whether or not they were resumed.
    `frozen` says that the zone was frozen, that nothing was to decide in it any more, that an apply
    of an earlier release changed more than its entry names, or that what was pruned or erased may
    have stopped somebody. `taken_at` is that of the backup, in ms.
    """

    taken_at: int = 0
    anchors: set[str] = field(default_factory=set)
    credentials: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    unproven: set[str] = field(default_factory=set)
    distrusted: set[Key] = field(default_factory=set)
    zones: set[str] = field(default_factory=set)
    suspended: dict[str, str] = field(default_factory=dict)
    frozen: bool = False
    lost: list[Entry] = field(default_factory=list)
    count: int = 0

    @property
    def stopped(self) -> set[str]:
        """All whom somebody has stopped."""
        distrusted = {f"{place.kind}/{place.id}" for place in self.distrusted}
        named = self.removed | self.unproven | self.zones | distrusted
        return named | self.anchors | self.credentials | self.suspended.keys()

    def add(self, entry: Entry, *, erased: bool = False) -> None:
        """Takes one entry in, as far as it was not `erased`."""
        self.frozen |= erased and entry.type in _OF_PEOPLE
        redo = _REDONE.get(entry.type)
        if redo:
            redo(self, entry)
        done = redo and not entry.type.endswith(_IN_PART)
        if not (done or entry.type.startswith(_QUIET)):
            self.count += 1
            self.lost = [*self.lost, entry][-_MAX_LOST:]


Redo = Callable[[Since, Entry], None]


def _anchor_in(member: str) -> Redo:
    """What stops again the id that entries of a type have as `member`, if they have one."""

    def redo(since: Since, entry: Entry) -> None:
        if anchor := entry.details.get(member):
            since.anchors.add(str(anchor))

    return redo


def _revoked(since: Since, entry: Entry) -> None:
    """One anchor, or the sessions that a filter fitted."""
    said: Mapping[str, Any] = entry.details
    _anchor_in("anchor")(since, entry)
    since.anchors.update(said.get("sessions", ()))


def _credentials(since: Since, entry: Entry) -> None:
    """Secrets that were ended, or were to end soon: of those nothing says when."""
    said: Mapping[str, Any] = entry.details
    since.credentials |= {*said.get("ended", ()), *said.get("shortened", ())}


def _suspended(since: Since, entry: Entry) -> None:
    since.suspended[str(entry.details["session"])] = entry.application


def _frozen(since: Since, _: Entry) -> None:
    since.frozen = True


def _pruned(since: Since, entry: Entry) -> None:
    """Says nothing of what is older than the backup, which came before it."""
    since.frozen |= int(str(entry.details["before"])) > since.taken_at


def _applied(since: Since, entry: Entry) -> None:
    """What an apply removed or changed; that of an earlier release told the first hundred only."""
    said: Mapping[str, Any] = entry.details
    changes = said.get("changes", ())
    for line in changes:
        _take_back(since, entry.zone, Told.parse(line))
    since.frozen |= said.get("count", 0) > len(changes)


def _edited(since: Since, entry: Entry) -> None:
    """A change of one object."""
    said: Mapping[str, Any] = entry.details
    kind, _, action = entry.type.rpartition(".")
    told = Told(action, kind, str(said["name"]), tuple(said.get("fields", ())))
    _take_back(since, entry.zone, told)


def _take_back(since: Since, zone: str, told: Told) -> None:
    """What must not be again as the backup has it."""
    gone = told.action == "delete"
    if told.kind == "application" and gone:
        since.removed.add(told.name)
    elif told.kind == "application" and _PROOF.intersection(told.fields):
        since.unproven.add(told.name)
    elif told.kind == "resource" and gone:
        since.distrusted.add(places.resource_place(zone, told.name))
    elif told.kind == "policy" and gone:
        since.frozen = True
    elif told.kind in _TRUST and told.action != "create":
        since.distrusted.add(_TRUST[told.kind](zone, told.name))


def _zone_deleted(since: Since, entry: Entry) -> None:
    since.zones.add(str(entry.details["name"]))


_TRUST: Final[Mapping[str, Callable[[str, str], Key]]] = MappingProxyType(
    {
        "issuer": places.issuer_place,
        "proof_system": places.proof_system_place,
        "workload_issuer": places.workload_issuer_place,
        "webhook": places.webhook_place,
        "upstream": places.upstream_place,
    }
)
"""Where a zone keeps whom it believes, whom it tells, and what it hands out secrets for."""
_IN_PART: Final = (".create", ".update", ".apply")
"""Endings of types of changes of which only what ended is done again: the rest of them is lost."""

_OF_PEOPLE: Final = frozenset({"revocation"})
"""Types of entries that name whom they stop in what can be erased."""

_REDONE: Final[Mapping[str, Redo]] = MappingProxyType(
    {
        "audit.prune": _pruned,
        "revocation": _revoked,
        "key.compromise": _anchor_in("key"),
        "key.retire": _anchor_in("key"),
        "application.delete": _anchor_in("application"),
        "application.update": _edited,
        "credential.create": _credentials,
        "credential.delete": _credentials,
        "session.suspend": _suspended,
        **{f"{kind}.{action}": _edited for kind in _TRUST for action in ("update", "delete")},
        "resource.delete": _edited,
        "zone.apply": _applied,
        "zone.delete": _zone_deleted,
        "zone.freeze": _frozen,
    }
)


async def since(ledgers: Sequence[Ledger], zone: str, taken_at: int) -> Since:
    """What `ledgers` hold of `zone` after `taken_at`, in ms.

    Raises `AUDIT_UNAVAILABLE`, also for an entry that was changed: it may have stopped somebody.
    """
    found = Since(taken_at)
    seen: set[str] = set()
    for ledger in ledgers:
        async for entry, erased in _entries(ledger, zone, taken_at - _SLACK_MS):
            if entry.id not in seen:
                seen.add(entry.id)
                found.add(entry, erased=erased)
    return found


async def _entries(ledger: Ledger, zone: str, start: int) -> AsyncIterator[tuple[Entry, bool]]:
    query, token = Filter(since=start, decision="done"), ""
    while True:
        page = await ledger.search(zone, query, page_size=MAX_PAGE, page_token=token)
        for stored in page.entries:
            if stored.entry is None or not stored.intact:
                raise unavailable(
                    f"entry {stored.index} of zone {zone} was changed in a ledger; restore with "
                    "another copy of it, or without it"
                )
            yield stored.entry, stored.erased
        token = page.next_page_token
        if not token:
            return
