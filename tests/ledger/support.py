"""Keys, entries and exports for the tests of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from caracal_grpc.core.entry import Entry
from caracal_grpc.ledger.checks.export import Header, entry_line, header_line
from caracal_grpc.ledger.entries.stored import Stored
from caracal_grpc.ledger.notes.note import verifier_key
from caracal_grpc.ledger.port import Ledger, RangeProof
from caracal_grpc.ledger.sql import SqlLedger
from tests.support.clock import SequenceIds

ORIGIN = "authority.example/zones/"
IDS = SequenceIds()


@dataclass
class Key:
    """An Ed25519 signer made from a seed, as the authority would hold one a zone."""

    name: str
    seed: bytes = bytes(32)
    private: Ed25519PrivateKey = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(self.seed)

    @property
    def public(self) -> bytes:
        """The public key."""
        return self.private.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """The signature over `data`."""
        return self.private.sign(data)


@cache
def signer_for(zone: str) -> Key:
    """The signer of a zone: the same key each time."""
    return Key(ORIGIN + zone)


def verify(public: bytes, signature: bytes, data: bytes) -> bool:
    """Whether an Ed25519 signature holds."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except InvalidSignature:
        return False
    return True


async def open_ledger(location: str | Path, **options: Any) -> SqlLedger:
    """The ledger at a location, with the keys of these tests."""
    return await SqlLedger.open(location, signer_for, verify, **options)


def entry(zone: str = "shop", **fields: Any) -> Entry:
    """An entry with a fresh id."""
    values = {"id": IDS.new("aud"), "type": "exchange", "decision": "allow", **fields}
    return Entry(zone=zone, **{"time_ms": 1_790_000_000_000 + IDS.count, **values})


async def fill(ledger: Ledger, count: int, zone: str = "shop", **fields: Any) -> list[Entry]:
    """`count` entries, appended one by one."""
    entries = [entry(zone, **fields) for _ in range(count)]
    for each in entries:
        await ledger.append(each)
    return entries


async def export_lines(
    ledger: Ledger, zone: str = "shop", start: int = 0, end: int = 0, size: int = 0
) -> list[str]:
    """The exported file of a zone, or of a range of it, as lines; the pruned by their hashes."""
    if start or end or size:
        proof = await ledger.range_proof(zone, start, end, size)
    else:
        proof = RangeProof((), (), await ledger.checkpoint(zone))
    end = end or proof.checkpoint.size
    key = signer_for(zone)
    named = zone, key.name, verifier_key(key), proof.checkpoint.note
    lines = [header_line(Header(*named, start, end, proof.before, proof.after))]
    pruned = min(end, max(start, (await ledger.search(zone, page_size=1)).pruned))
    leaves = enumerate(await ledger.leaf_hashes(zone, start, pruned), start)
    kept = {index: Stored(index, b"", leaf) for index, leaf in leaves}
    kept |= {stored.index: stored async for stored in ledger.export(zone, start, end)}
    return lines + [entry_line(each) for _, each in sorted(kept.items())]


def kinds(findings: Sequence[Any]) -> list[tuple[int | None, str]]:
    """Where and what each finding is."""
    return [(finding.index, finding.kind) for finding in findings]
