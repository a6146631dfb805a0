"""What the commands of `backup` print."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from caracal_grpc.backup.folder import Header
from caracal_grpc.backup.restore import Restored
from caracal_grpc.backup.since import Since
from caracal_grpc.cli.terminal.output import print_json, print_line, print_table


def show_header(header: Header, as_json: bool) -> None:
    """Of what a backup is."""
    if as_json:
        print_json(asdict(header))
        return
    of = f"zone {header.zone}" if header.zone else "every zone"
    print_line(f"{of}, {header.records} records at revision {header.revision}")
    print_line(f"taken at {_moment(header.taken_at)}; whole")
    if not header.has_file:
        print_line("of the ledger it has the newest checkpoints; back up its database, too")


def show_restored(restored: Restored, ledger_is_lost: bool, as_json: bool) -> None:
    """What came back, what was done again, and what is lost."""
    if as_json:
        zones = {name: _facts(since) for name, since in restored.zones.items()}
        facts = {"records": restored.records, "revision": restored.revision}
        more = {"issued_before": restored.floor, "frozen": list(restored.frozen)}
        print_json({**facts, **more, "ledger_is_lost": ledger_is_lost, "zones": zones})
        return
    print_line(f"{restored.records} records restored at revision {restored.revision}")
    for name, since in restored.zones.items():
        again = len(since.stopped)
        print_line(f"zone {name}: {again} stopped again, {since.count} changes since are lost")
        rows = ((_moment(e.time_ms), e.type, e.application, e.id) for e in since.lost)
        print_table(("lost change", "type", "by", "entry"), rows, "")
    if ledger_is_lost:
        taken = _moment(restored.header.taken_at)
        print_line(f"the ledger is the backup's: who was stopped after {taken} lives again")
    if restored.frozen:
        names = ", ".join(restored.frozen)
        print_line(f"frozen: {names}; look, declare anew what is lost, then: zone unfreeze")


def _facts(since: Since) -> dict[str, Any]:
    return {
        "stopped_again": sorted(since.stopped),
        "lost": [each.id for each in since.lost],
        "lost_count": since.count,
    }


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
