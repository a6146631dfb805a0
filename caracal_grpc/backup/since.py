"""What a ledger that outlived the state knows of the time after a backup.

Who was stopped since stays stopped: that is done again. Everything else that was changed since is
lost, and told, so that somebody can declare it anew.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from caracal_grpc.authority.state import places
from caracal_grpc.core.entry import Entry
from caracal_grpc.ledger.port import MAX_PAGE, Filter, Ledger, unavailable
from caracal_grpc.store.port import Key

_SLACK_MS: Final = 60_000
"""How far the clocks of replicas may be apart; what is done twice changes nothing."""
_MAX_LOST: Final = 1_000
_QUIET: Final = (
    "exchange",
    "session.",
    "delegation.",
    "approval.",
    "edge.",
    "mandate.",
    "upstream.release",
)
"""Types of what ran, of which nothing comes back by intention."""
_IN_PART: Final = frozenset({"credential.create", "zone.apply"})
"""Types of changes of which only what ended is done again: the rest of them is lost."""


@dataclass(slots=True)
class Since:
    """What happened in one zone: what to do again, and what is lost (at most 1,000 entries).

    `anchors` are ids of what was stopped, `removed` names of applications, `distrusted` the places
    of issuers, proof systems and webhooks that were removed, `suspended` sessions with who
    suspended them, whether or not they were resumed. `frozen` says that the zone was frozen, or
    that an apply changed more than its entry names.
    """

    anchors: set[str] = field(default_factory=set)
    credentials: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    distrusted: set[Key] = field(default_factory=set)
    suspended: dict[str, str] = field(default_factory=dict)
    frozen: bool = False
    lost: list[Entry] = field(default_factory=list)
    count: int = 0

    @property
    def stopped(self) -> set[str]:
        """All whom somebody has stopped."""
        distrusted = {f"{place.kind}/{place.id}" for place in self.distrusted}
        named = self.removed | distrusted
        return named | self.anchors | self.credentials | self.suspended.keys()

    def add(self, entry: Entry) -> None:
        """Takes one entry in."""
        redo = _REDONE.get(entry.type)
        if redo:
            redo(self, entry)
        if entry.type in _IN_PART or not (redo or entry.type.startswith(_QUIET)):
            self.count += 1
            self.lost = [*self.lost, entry][-_MAX_LOST:]


Redo = Callable[[Since, Entry], None]


def _anchor_in(member: str) -> Redo:
    """What stops again the id that entries of a type have as `member`, if they have one."""

    def redo(since: Since, entry: Entry) -> None:
        if anchor := entry.details.get(member):
            since.anchors.add(str(anchor))

    return redo


def _credentials(since: Since, entry: Entry) -> None:
    """Secrets that were ended, or were to end soon: of those nothing says when."""
    said: Mapping[str, Any] = entry.details
    since.credentials |= {*said.get("ended", ()), *said.get("shortened", ())}


def _suspended(since: Since, entry: Entry) -> None:
    since.suspended[str(entry.details["session"])] = entry.application


def _frozen(since: Since, _: Entry) -> None:
    since.frozen = True


def _applied(since: Since, entry: Entry) -> None:
    """What an apply removed; an entry names only the first of many changes."""
    said: Mapping[str, Any] = entry.details
    changes = said.get("changes", ())
    for change in changes:
        kind, _, name = change.removeprefix(_DELETE).partition(" ")
        if change.startswith(_DELETE):
            _remove(since, entry.zone, kind, name)
    since.frozen |= said.get("count", 0) > len(changes)


def _deleted(since: Since, entry: Entry) -> None:
    _remove(since, entry.zone, entry.type.removesuffix(".delete"), str(entry.details["name"]))


def _remove(since: Since, zone: str, kind: str, name: str) -> None:
    if kind == "application":
        since.removed.add(name)
    elif kind in _TRUST:
        since.distrusted.add(_TRUST[kind](zone, name))


_DELETE: Final = "delete "
_TRUST: Final[Mapping[str, Callable[[str, str], Key]]] = MappingProxyType(
    {
        "issuer": places.issuer_place,
        "proof_system": places.proof_system_place,
        "webhook": places.webhook_place,
    }
)
"""Where a zone keeps whom it believes and whom it tells."""

_REDONE: Final[Mapping[str, Redo]] = MappingProxyType(
    {
        "revocation": _anchor_in("anchor"),
        "key.compromise": _anchor_in("key"),
        "key.retire": _anchor_in("key"),
        "application.delete": _anchor_in("application"),
        "credential.create": _credentials,
        "credential.delete": _credentials,
        "session.suspend": _suspended,
        "issuer.delete": _deleted,
        "proof_system.delete": _deleted,
        "webhook.delete": _deleted,
        "zone.apply": _applied,
        "zone.freeze": _frozen,
    }
)


async def since(ledgers: Sequence[Ledger], zone: str, taken_at: int) -> Since:
    """What `ledgers` hold of `zone` after `taken_at`, in ms.

    Raises `AUDIT_UNAVAILABLE`, also for an entry that was changed: it may have stopped somebody.
    """
    found = Since()
    seen: set[str] = set()
    for ledger in ledgers:
        async for entry in _entries(ledger, zone, taken_at - _SLACK_MS):
            if entry.id not in seen:
                seen.add(entry.id)
                found.add(entry)
    return found


async def _entries(ledger: Ledger, zone: str, start: int) -> AsyncIterator[Entry]:
    query, token = Filter(since=start, decision="done"), ""
    while True:
        page = await ledger.search(zone, query, page_size=MAX_PAGE, page_token=token)
        for stored in page.entries:
            if stored.entry is None or not stored.intact:
                raise unavailable(
                    f"entry {stored.index} of zone {zone} was changed in a ledger; restore with "
                    "another copy of it, or without it"
                )
            yield stored.entry
        token = page.next_page_token
        if not token:
            return
