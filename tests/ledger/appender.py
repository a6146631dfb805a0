"""Appends entries until it is killed, printing the id of each only after it was acknowledged."""

from __future__ import annotations

import asyncio
import sys

from caracal_grpc.ledger.sql import SqlLedger
from tests.ledger.support import IDS, entry, open_ledger


async def _append_forever(ledger: SqlLedger) -> None:
    while True:
        one = entry()
        receipt = await ledger.append(one)
        sys.stdout.write(f"{receipt.index} {one.id}\n")
        sys.stdout.flush()


async def _main(location: str, first: int) -> None:
    IDS.count = first
    ledger = await open_ledger(location)
    await asyncio.gather(*(_append_forever(ledger) for _ in range(8)))


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
