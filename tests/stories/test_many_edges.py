"""Twenty edges report while their authority is killed, away for seconds, and back."""

from __future__ import annotations

from pathlib import Path

from tests.stories.support import child, client, profile_of, require_verified
from tests.support.authority import eventually, serve_values
from tests.support.etcd import EtcdProcess
from tests.support.reporters import Account, account, reporters
from tests.support.shop import shop

EDGES, RATE = 20, 25.0
BUFFER = 60
"""Decisions that one edge may hold in memory: it decides more while the authority is away."""


async def test_nothing_is_lost_doubled_or_out_of_order(tmp_path: Path, etcd: EtcdProcess) -> None:
    """1. All report. 2. The authority is killed: what they decide waits, in memory and in files.
    3. It is back: they catch up while they go on deciding. 4. Everything is in its ledger.
    """
    async with child(serve_values(tmp_path, etcd)) as process:
        process.values["listen"] = process.address
        async with client(process) as caller:
            await caller.apply(shop())
            profile = profile_of(caller, "orders")
            async with reporters(profile, tmp_path, EDGES, RATE, buffer=BUFFER) as found:
                found.start()

                async def some() -> bool:
                    return found.said - found.waiting > 5 * EDGES

                await eventually(some)
                process.kill()
                await process.ended()
                said = found.said

                async def long_away() -> bool:
                    return found.said - said >= 2 * BUFFER * EDGES

                await eventually(long_away)
                assert found.waiting >= 2 * BUFFER * EDGES
                await process.start()

                async def caught_up() -> bool:
                    return found.waiting < RATE * EDGES

                await eventually(caught_up, timeout=60)
                await found.stop()

                async def delivered() -> bool:
                    return found.waiting == 0

                await eventually(delivered)
                assert (found.dropped, found.peak <= BUFFER) == (0, True)
            async with client(process, caller) as back:
                entries = await require_verified(back)
    names = [each.request_id for each in entries if each.type == "edge.decision"]
    assert account(found.tally, names) == Account(lost=0, doubled=0, disordered=0)
    assert len(names) == found.said


def test_account_sees_each_fault() -> None:
    """So that the test above can fail."""
    said = {"edge0": 3}
    names = ["edge0-0", "edge0-2", "edge0-1", "edge0-1"]
    assert account(said, names) == Account(lost=0, doubled=1, disordered=1)
    assert account(said, ["edge0-0"]) == Account(lost=2, doubled=0, disordered=0)
