"""What waits: bounded, oldest first, in hand until it is settled, and every loss counted."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.core.limits import MAX_DECISIONS, MAX_SHORT_REQUEST
from caracal_grpc.interceptors.records.outbox import ALARM
from caracal_grpc.interceptors.records.recording import MAX_LINE
from caracal_grpc.interceptors.records.report import Sender
from tests.interceptors.records.support import MOST, decision, delivered, open_file, outbox, some
from tests.support.clock import FakeClock


def test_what_is_put_is_taken_oldest_first() -> None:
    """In reports of 500; and nothing twice, once it is settled."""
    box, told = outbox(2_000), some(1_200)
    for each in told:
        box.put(each)
    batch = box.take()
    assert batch is not None
    assert batch.decisions == told[:MAX_DECISIONS]
    assert box.take() is batch, "in hand until it is settled"
    assert delivered(box) == told
    assert (box.waiting, box.take()) == (0, None)


def test_full_memory_drops_the_newest() -> None:
    """The beginning is kept; what is in hand counts, too."""
    box, told = outbox(10), some(15)
    for each in told[:6]:
        box.put(each)
    box.take()
    for each in told[6:]:
        box.put(each)
    assert (box.waiting, box.dropped) == (10, 5)
    assert delivered(box) == told[:10]


@pytest.mark.parametrize("spilled", [False, True], ids=["memory", "file"])
def test_a_report_is_no_longer_than_the_authority_takes(tmp_path: Path, spilled: bool) -> None:
    """However much callers wrote; and all of it is told, in its order."""
    box = outbox(2_000, open_file(tmp_path) if spilled else None)
    told = [decision(**MOST) for _ in range(1_200)]
    for each in told:
        box.put(each)
    if spilled:
        box.spill()
    found: list[EdgeDecision] = []
    sizes: list[int] = []
    while (batch := box.take()) is not None:
        sizes.append(Sender("z" * 63, 0.5, None).report(batch).ByteSize())
        found += batch.decisions
        box.settle()
    assert found == told
    assert max(sizes) <= MAX_SHORT_REQUEST
    assert max(sizes) > MAX_SHORT_REQUEST / 4, "and not one by one"
    box.close()


def test_drops_are_told_once() -> None:
    """With the next report, and again when its answer was lost; later ones with a later one."""
    box = outbox(2)
    for each in some(5):
        box.put(each)
    first = box.take()
    assert first is not None
    box.put(decision())
    again = box.take()
    assert again is not None
    assert (first.dropped, again.dropped) == (3, 3)
    box.settle()
    box.put(decision())
    second = box.take()
    assert second is not None
    assert second.dropped == 1
    box.settle()
    assert box.dropped == 4


def test_what_the_authority_never_takes_is_dropped() -> None:
    """One out of a report; and a report of nothing else is over."""
    box, told = outbox(), some(3)
    for each in told:
        box.put(each)
    assert box.take() is not None
    box.reject(1)
    batch = box.take()
    assert batch is not None
    assert batch.decisions == [told[0], told[2]]
    box.reject(7)
    box.reject(0)
    box.reject(0)
    assert (box.take(), box.dropped, box.waiting) == (None, 3, 0)
    box.put(decision())
    after = box.take()
    assert after is not None
    assert after.dropped == 3, "nobody was told"


def test_alarm_lasts_a_minute() -> None:
    """After a drop, and while memory is over four fifths."""
    clock = FakeClock()
    box = outbox(10, clock=clock)
    for each in some(8):
        box.put(each)
    assert box.healthy
    box.put(decision())
    assert not box.healthy
    assert box.dropped == 0
    for each in some(2):
        box.put(each)
    delivered(box)
    assert not box.healthy
    clock.advance(ALARM)
    assert not box.healthy
    clock.advance(1)
    assert box.healthy
    assert box.dropped == 1


def test_drops_are_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """Not a line for each."""
    clock = FakeClock()
    box = outbox(1, clock=clock)
    for each in some(100):
        box.put(each)
    assert caplog.text.count("dropped") == 1
    clock.advance(ALARM + 1)
    box.put(decision())
    assert caplog.text.count("dropped") == 2
    assert "100 so far" in caplog.text


def test_memory_is_moved_into_the_file(tmp_path: Path) -> None:
    """What is in hand first, which stays in hand; all comes in its order, once."""
    box, told = outbox(1_000, open_file(tmp_path)), some(2_400)
    for each in told[:700]:
        box.put(each)
    assert box.crowded
    batch = box.take()
    assert batch is not None
    box.spill()
    assert not box.crowded
    assert box.waiting == 700
    for each in told[700:1_500]:
        box.put(each)
    box.spill()
    for each in told[1_500:]:
        box.put(each)
    assert box.take() is batch
    assert (box.waiting, box.dropped) == (2_400, 0)
    assert delivered(box) == told
    assert (tmp_path / "spill").stat().st_size == 0
    box.close()


def test_drops_only_when_memory_and_file_are_full(tmp_path: Path) -> None:
    """And then counts every one; what was kept is delivered."""
    limit = MAX_DECISIONS * MAX_LINE
    box = outbox(1_000, open_file(tmp_path, limit))
    told: list[EdgeDecision] = []
    while not box.dropped:
        told += (new := some(100))
        for each in new:
            box.put(each)
        if box.crowded:
            box.spill()
    kept = len(told) - box.dropped
    assert limit * 0.9 < (tmp_path / "spill").stat().st_size <= limit
    assert box.waiting == kept
    assert delivered(box) == told[:kept]
    box.close()


def test_close_moves_the_rest_into_the_file(tmp_path: Path) -> None:
    """In hand and in memory; the next edge delivers it, with the same ids."""
    box, told = outbox(1_000, open_file(tmp_path)), some(700)
    for each in told:
        box.put(each)
    box.take()
    box.close()
    box.close()
    assert box.dropped == 0
    box.put(decision())
    assert box.dropped == 1, "it is closed"
    after = outbox(1_000, open_file(tmp_path))
    assert after.waiting == 700
    assert delivered(after) == told
    after.close()


def test_close_without_a_file_counts_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is lost without a word."""
    box = outbox()
    for each in some(7):
        box.put(each)
    box.take()
    box.close()
    assert (box.dropped, box.waiting) == (7, 0)
    assert "7 so far" in caplog.text


def test_file_that_fails_leaves_memory_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said, and nothing is lost that memory can hold."""
    file = open_file(tmp_path)
    box, told = outbox(10, file), some(8)
    for each in told:
        box.put(each)
    descriptor, file._descriptor = file._descriptor, -1
    box.spill()
    assert "cannot be written" in caplog.text
    file._descriptor = descriptor
    assert delivered(box) == told
    box.close()


def test_many_threads_lose_nothing() -> None:
    """Whoever puts, each decision is taken once."""
    box, told = outbox(100_000), [some(500) for _ in range(8)]
    threads = [
        threading.Thread(target=lambda part=part: [box.put(d) for d in part]) for part in told
    ]
    for thread in threads:
        thread.start()
    found = []
    while any(thread.is_alive() for thread in threads) or box.waiting:
        found += delivered(box)
    for thread in threads:
        thread.join()
    assert sorted(each.id for each in found) == sorted(d.id for part in told for d in part)


@settings(max_examples=80, deadline=None)
@given(
    spilled=st.booleans(),
    steps=st.lists(
        st.tuples(
            st.sampled_from(["put", "take", "settle", "reject", "spill"]), st.integers(1, 30)
        ),
        max_size=40,
    ),
)
def test_everything_is_delivered_once_or_counted(
    tmp_path_factory: pytest.TempPathFactory, spilled: bool, steps: list[tuple[str, int]]
) -> None:
    """Whatever happens in whatever order: what was put is what came, and what was dropped."""
    folder = tmp_path_factory.mktemp("outbox")
    box = outbox(40, open_file(folder) if spilled else None)
    told: list[EdgeDecision] = []
    heard: list[EdgeDecision] = []
    in_hand: list[EdgeDecision] = []
    for what, count in steps:
        match what:
            case "put":
                told += (new := some(count))
                for each in new:
                    box.put(each)
            case "take":
                batch = box.take()
                in_hand = batch.decisions if batch is not None else []
            case "settle":
                heard += in_hand
                in_hand = []
                box.settle()
            case "reject":
                box.reject(count - 1)
            case _:
                box.spill()
    heard += delivered(box)
    assert len(heard) + box.dropped == len(told)
    assert heard == [each for each in told if each in heard]
    assert len({each.id for each in heard}) == len(heard)
    assert box.waiting == 0
    box.close()
