"""What was pruned or erased before it was shipped is shipped as such."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from caracal_grpc.core.entry import Entry
from caracal_grpc.core.ids import AUDIT
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.ledger.port import Ledger
from tests.shipping.shipping import SOON, reached, recorded, shipping
from tests.support.authority import Running

ALICE = "corp/alice"


def ledger_of(authority: Running) -> Ledger:
    """The ledger of the authority, behind its back."""
    assert authority.server._authority is not None
    found: Ledger = authority.server._authority.reading._ledger
    return found


def entry(subject: str) -> Entry:
    """What is recorded when something is granted on behalf of `subject`."""
    now = int(time.time() * 1000)
    return Entry(
        id=SystemIds().new(AUDIT),
        zone="shop",
        time_ms=now,
        type="exchange",
        decision="allow",
        subject=subject,
    )


async def test_what_is_gone_is_shipped_as_gone(authority: Running, tmp_path: Path) -> None:
    """By its place and its hash when it was pruned, without the person when it was erased."""
    ledger = ledger_of(authority)
    await ledger.append_all([entry(ALICE) for _ in range(600)])
    truth = await recorded(authority)
    assert (await ledger.prune("shop", int(time.time() * 1000) + 1)).pruned == 256
    assert (await ledger.erase("shop", ALICE)).erased > 0
    sink: dict[str, Any] = {"archive": {"file": {"path": "audit.jsonl"}, "batch": SOON}}
    async with shipping(authority, tmp_path, sink):
        await reached(tmp_path, "archive", len(truth))
    text = (tmp_path / "audit.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["key"] for line in lines] == [key for key, _ in truth]
    gone, left = lines[:256], lines[256:]
    assert all(line["pruned"] and "id" not in line and line["leaf_hash"] for line in gone)
    assert [line["id"] for line in left] == [said for _, said in truth[256:]]
    assert sum(line.get("erased", False) for line in left) > 300
    assert ALICE not in text


async def test_what_is_erased_later_was_shipped_before(authority: Running, tmp_path: Path) -> None:
    """A person is named as long as the ledger names them; what is out is out."""
    ledger = ledger_of(authority)
    await ledger.append_all([entry(ALICE)])
    sink: dict[str, Any] = {"archive": {"file": {"path": "audit.jsonl"}, "batch": SOON}}
    async with shipping(authority, tmp_path, sink):
        before = await recorded(authority)
        await reached(tmp_path, "archive", len(before))
        await ledger.erase("shop", ALICE)
        await ledger.append_all([entry("corp/bob")])
        await reached(tmp_path, "archive", len(before) + 1)
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [line["subject"] for line in lines[-2:]] == [ALICE, "corp/bob"]
