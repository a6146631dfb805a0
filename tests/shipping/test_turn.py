"""Turns of a sink: one batch at a time, noted when it has arrived and never before."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from caracal_grpc.shipping.cursor import Cursors, Place, read_progress
from caracal_grpc.shipping.port import Batch, SinkRefusedError, SinkUnavailableError
from caracal_grpc.shipping.turn import Turn
from tests.shipping.records import batch


class Ear:
    """A sink that keeps what it hears, and fails as often as it is told to."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.opened = 0
        self.closed = False
        self.failures: list[Exception] = []
        self.free = asyncio.Event()
        self.free.set()
        self.busy = 0

    async def open(self) -> None:
        """Counts."""
        self.opened += 1

    async def send(self, batch: Batch) -> None:
        """Hears a batch, once it is free."""
        self.busy += 1
        try:
            assert self.busy == 1, "another batch is on its way"
            await self.free.wait()
            if self.failures:
                raise self.failures.pop(0)
            self.heard += [record.key for record in batch]
        finally:
            self.busy -= 1

    async def close(self) -> None:
        """Notes it."""
        self.closed = True


@pytest.fixture
def ear() -> Ear:
    """A sink."""
    return Ear()


@pytest.fixture
def turn(ear: Ear, tmp_path: Path) -> Iterator[Turn]:
    """Its turns, and its cursors in `tmp_path`."""
    cursors = Cursors.open(tmp_path, "siem")
    yield Turn(ear, cursors, 5.0)
    cursors.close()


def place(folder: Path, zone: str = "shop") -> Place | None:
    """What is noted."""
    return read_progress(folder, "siem").zones.get(zone)


async def test_what_arrived_is_noted(turn: Turn, ear: Ear, tmp_path: Path) -> None:
    """And the sink is opened once."""
    for end in (2, 4):
        await turn.deliver(batch(end - 2, end), Place(end))
        assert place(tmp_path) == Place(end)
    assert ear.heard == ["shop/0", "shop/1", "shop/2", "shop/3"]
    assert ear.opened == 1


@pytest.mark.parametrize(
    ("failure", "seen"),
    [
        (SinkUnavailableError("away"), SinkUnavailableError),
        (SinkRefusedError("never"), SinkRefusedError),
        (ValueError("is not a JSON object"), SinkRefusedError),
    ],
)
async def test_what_did_not_arrive_is_not_noted(
    turn: Turn, ear: Ear, tmp_path: Path, failure: Exception, seen: type[Exception]
) -> None:
    """An entry that cannot be read stops the sink as a refusal does; it is opened again after."""
    ear.failures = [failure]
    with pytest.raises(seen):
        await turn.deliver(batch(0, 2), Place(2))
    assert place(tmp_path) is None
    await turn.deliver(batch(0, 2), Place(2))
    assert place(tmp_path) == Place(2)
    assert ear.opened == 2


async def test_what_arrived_and_could_not_be_noted_is_not_sent_again(
    turn: Turn, ear: Ear, tmp_path: Path
) -> None:
    """Only the note is: a full disk fills no receiver with the same batch again and again."""
    blocker = tmp_path / "siem.json"
    blocker.mkdir()
    for _ in range(3):
        with pytest.raises(SinkUnavailableError, match="cannot be written"):
            await turn.deliver(batch(0, 2), Place(2))
    blocker.rmdir()
    await turn.deliver(batch(0, 2), Place(2))
    assert ear.heard == ["shop/0", "shop/1"]
    assert place(tmp_path) == Place(2)


async def test_zones_take_turns(turn: Turn, ear: Ear, tmp_path: Path) -> None:
    """One batch is on its way, whatever zone it is of."""
    zones = ("a", "b", "c")
    await asyncio.gather(*(turn.deliver(batch(0, 2, zone), Place(2)) for zone in zones))
    assert [place(tmp_path, zone) for zone in zones] == [Place(2)] * 3
    assert len(ear.heard) == 6


async def test_who_is_told_to_end_lets_the_batch_arrive(
    turn: Turn, ear: Ear, tmp_path: Path
) -> None:
    """It is noted, too, so that nobody sends it again."""
    ear.free.clear()
    work = asyncio.create_task(turn.deliver(batch(0, 2), Place(2)))
    while not ear.busy:
        await asyncio.sleep(0)
    work.cancel()
    await asyncio.sleep(0.01)
    ear.free.set()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert place(tmp_path) == Place(2)


async def test_a_batch_that_never_arrives_is_given_up(ear: Ear, tmp_path: Path) -> None:
    """After the time that there is to drain; the next process sends it."""
    cursors = Cursors.open(tmp_path, "siem")
    turn = Turn(ear, cursors, 0.05)
    ear.free.clear()
    work = asyncio.create_task(turn.deliver(batch(0, 2), Place(2)))
    while not ear.busy:
        await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert ear.busy == 0
    assert place(tmp_path) is None
    cursors.close()
