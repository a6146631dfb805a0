"""Ledgers whose entries are of all ages, and what is read of them."""

from __future__ import annotations

from typing import Any

from caracal_grpc.core.entry import Entry
from caracal_grpc.core.retention import Hold
from caracal_grpc.ledger.checks.export import Header, entry_line, header_line
from caracal_grpc.ledger.entries.stored import Stored
from caracal_grpc.ledger.notes.note import verifier_key
from caracal_grpc.ledger.port import EVERYTHING, Filter, Ledger
from tests.ledger.support import entry, signer_for

ALICE = "usr_01h455vb4pex5vsknk084sn02q"
BOB = "usr_01h455vb4pex5vsknk084sn02r"
AGENT = "app_01h455vb4pex5vsknk084sn02q"
SESSION = "ses_01h455vb4pex5vsknk084sn02q"
BEGUN = 1_700_000_000_000


def at(index: int) -> int:
    """The time of the entry at `index`, in ms: one a second."""
    return BEGUN + 1_000 * index


async def age(ledger: Ledger, count: int, zone: str = "shop", **fields: Any) -> list[Entry]:
    """`count` more entries, one a second; the last in the tree is the newest."""
    begin = await ledger.size(zone)
    made = [entry(zone, time_ms=at(begin + i), **fields) for i in range(count)]
    for start in range(0, count, 250):
        await ledger.append_all(made[start : start + 250])
    return made


async def indexes(ledger: Ledger, zone: str = "shop", query: Filter = EVERYTHING) -> list[int]:
    """Where entries are that can be read."""
    found: list[int] = []
    token = ""
    while True:
        page = await ledger.search(zone, query, page_size=1000, page_token=token)
        found += [each.index for each in page.entries]
        token = page.next_page_token
        if not token:
            return found


def hold(number: int = 1, **what: Any) -> Hold:
    """A legal hold."""
    return Hold(id=f"hld_{number}", reason=f"case {number}", created=number, **what)


async def exported(ledger: Ledger, zone: str = "shop") -> list[str]:
    """The file of a ledger of which entries are gone: their hashes stand in their places."""
    checkpoint, key = await ledger.checkpoint(zone), signer_for(zone)
    kept = {each.index: each async for each in ledger.export(zone)}
    size = checkpoint.size
    leaves = [
        leaf
        for start in range(0, size, 256)
        for leaf in await ledger.leaf_hashes(zone, start, min(start + 256, size))
    ]
    header = Header(zone, key.name, verifier_key(key), checkpoint.note, 0, size)
    lines = (kept.get(i, Stored(i, b"", leaf)) for i, leaf in enumerate(leaves))
    return [header_line(header), *map(entry_line, lines)]
