"""What a ledger that outlived the state knows of the time after a backup.

Who was stopped since stays stopped: that is done again. Everything else that was changed since is
lost, and told, so that somebody can declare it anew.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from caracal_grpc.core.entry import Entry
from caracal_grpc.ledger.port import MAX_PAGE, Filter, Ledger

_SLACK_MS: Final = 60_000
"""How far the clocks of replicas may be apart; what is done twice changes nothing."""
_MAX_LOST: Final = 1_000
_QUIET: Final = ("exchange", "session.", "delegation.", "approval.", "edge.", "mandate.")
"""Types of what ran, of which nothing comes back by intention."""

Details = Mapping[str, Any]


@dataclass(slots=True)
class Since:
    """What happened in one zone: what to do again, and what is lost (at most 1,000 entries)."""

    anchors: set[str] = field(default_factory=set)
    credentials: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    lost: list[Entry] = field(default_factory=list)
    count: int = 0

    def add(self, entry: Entry) -> None:
        """Takes one entry in."""
        if entry.type in _REDONE:
            _REDONE[entry.type](self, entry.details)
        elif not entry.type.startswith(_QUIET):
            self.removed |= removed_applications(entry.details)
            self.count += 1
            self.lost = [*self.lost, entry][-_MAX_LOST:]


def _revoked(since: Since, details: Details) -> None:
    if anchor := details.get("anchor"):
        since.anchors.add(str(anchor))


def _compromised(since: Since, details: Details) -> None:
    since.anchors.add(str(details["key"]))


def _credential(since: Since, details: Details) -> None:
    since.credentials.add(str(details["credential"]))


_REDONE: Final[Mapping[str, Callable[[Since, Details], None]]] = MappingProxyType(
    {
        "revocation": _revoked,
        "key.compromise": _compromised,
        "credential.delete": _credential,
    }
)

_REMOVED: Final = "delete application "


def removed_applications(details: Details) -> set[str]:
    """The names of applications that a change with these details removed."""
    changes = details.get("changes", ())
    said = (change for change in changes if change.startswith(_REMOVED))
    return {change.removeprefix(_REMOVED) for change in said}


async def since(ledgers: Sequence[Ledger], zone: str, taken_at: int) -> Since:
    """What `ledgers` hold of `zone` after `taken_at`, in ms; raises `AUDIT_UNAVAILABLE`."""
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
            if stored.entry is not None:
                yield stored.entry
        token = page.next_page_token
        if not token:
            return
