"""Parquet: whole files that a warehouse reads, each entry once."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pyarrow.dataset
import pyarrow.parquet
import pytest

from caracal_grpc.settings.receivers import ParquetSink
from caracal_grpc.shipping.port import Batch, Record, SinkUnavailableError
from caracal_grpc.shipping.sinks.parquet import SCHEMA, ParquetDelivery
from tests.shipping.entries import TIME, pruned, record

DAY_MS = 86_400_000


async def delivered(folder: Path, *batches: list[Record]) -> ParquetDelivery:
    """A sink that took these batches."""
    sink = ParquetDelivery(ParquetSink(path=folder))
    await sink.open()
    for batch in batches:
        await sink.send(Batch("shop", batch))
    await sink.close()
    return sink


def rows(folder: Path) -> list[dict[str, Any]]:
    """What a warehouse reads, in the order of the tree."""
    found = pyarrow.dataset.dataset(folder, format="parquet", partitioning="hive")
    return sorted(found.to_table().to_pylist(), key=lambda row: row["index"])


def at(index: int, time_ms: int) -> Record:
    """A record of another time."""
    entry = record(index).entry
    entry.time.FromMilliseconds(time_ms)
    return Record.of("shop", entry)


async def test_warehouse_reads_every_column(tmp_path: Path) -> None:
    """Lists as lists, times as times, the zone and the day as partitions."""
    await delivered(tmp_path, [record(3), record(4, "refusal")])
    grant, refusal = rows(tmp_path)
    assert grant["key"] == "shop/3"
    assert grant["granted_scopes"] == ["orders:place"]
    assert grant["time"].timestamp() * 1000 == pytest.approx(TIME)
    assert grant["expires_at"].timestamp() == 1_790_000_300
    assert grant["subject"] == "usr_1"
    assert grant["leaf_hash"] == record(3).entry.leaf_hash
    assert (grant["zone"], str(grant["date"])) == ("shop", "2026-09-21")
    assert refusal["reason"] == "POLICY_DENIED"
    assert set(SCHEMA.names) <= set(grant)


async def test_batch_that_comes_again_makes_no_double(tmp_path: Path) -> None:
    """Whole, or with others behind it: the file takes the place of the one before."""
    first = [record(n) for n in range(3)]
    await delivered(tmp_path, first, first, [*first, record(3)], [record(4)])
    assert [row["index"] for row in rows(tmp_path)] == [0, 1, 2, 3, 4]


async def test_batch_over_midnight_is_parted(tmp_path: Path) -> None:
    """Each day has its folder."""
    await delivered(tmp_path, [at(0, TIME), at(1, TIME + DAY_MS), at(2, TIME + DAY_MS)])
    days = sorted(folder.name for folder in (tmp_path / "zone=shop").iterdir())
    assert days == ["date=2026-09-21", "date=2026-09-22"]
    assert [row["index"] for row in rows(tmp_path)] == [0, 1, 2]


async def test_erased_and_pruned_entries_are_marked(tmp_path: Path) -> None:
    """And hold nothing that is gone."""
    await delivered(tmp_path, [record(0, personal=False), pruned(1)])
    erased, gone = rows(tmp_path)
    assert (erased["erased"], erased["subject"], erased["peer"]) == (True, None, None)
    assert (gone["pruned"], gone["id"], gone["type"]) == (True, None, None)


async def test_file_is_private_and_whole(tmp_path: Path) -> None:
    """Mode 0600, and nothing half written beside it."""
    await delivered(tmp_path, [record(0)])
    (file,) = tmp_path.rglob("*.parquet")
    assert file.stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.rglob("*.part"))


async def test_full_disk_leaves_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sink says so, and the batch may come again."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(SinkUnavailableError, match="No space left"):
            await delivered(tmp_path, [record(0)])
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]
    await delivered(tmp_path, [record(0)])
    assert len(rows(tmp_path)) == 1


async def test_what_a_dead_process_left_is_taken_away(tmp_path: Path) -> None:
    """Half a file is none, and is not read."""
    folder = tmp_path / "zone=shop" / "date=2026-09-21"
    folder.mkdir(parents=True)
    (folder / ".00000000000000000000.parquet.part").write_bytes(b"PAR1")
    await delivered(tmp_path, [record(0)])
    assert not list(tmp_path.rglob("*.part"))


def test_column_for_every_member_of_an_event() -> None:
    """A new field of entries without a column fails here."""
    from caracal_grpc.core.entry import Entry

    elsewhere = {"zone", "time_ms", "index"}
    assert set(Entry.__dataclass_fields__) - elsewhere <= set(SCHEMA.names)
