"""Parquet files for a warehouse, one for each batch and day.

They lie in `zone=shop/date=2026-11-22/`, as warehouses partition. A file is named by the index of
its first entry. A batch that is sent again begins with the same entry and so takes the place of the
file that it made before: readers see no entry twice. A file is there under its name when it is
whole and on the disk, and else not at all.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pyarrow
import pyarrow.parquet

from caracal_grpc.settings.receivers import ParquetSink
from caracal_grpc.shipping.port import Batch, Record, SinkUnavailableError
from caracal_grpc.shipping.sinks.rotation import sync_folder

_TEXT: Final = pyarrow.string()
_WORDS: Final = pyarrow.dictionary(pyarrow.int32(), _TEXT)
"""Texts of which there are few."""
_TEXTS: Final = pyarrow.list_(_TEXT)
_MOMENT: Final = pyarrow.timestamp("ms", tz="UTC")

SCHEMA: Final = pyarrow.schema(
    [
        ("key", _TEXT),
        ("index", pyarrow.int64()),
        ("id", _TEXT),
        ("time", _MOMENT),
        ("type", _WORDS),
        ("decision", _WORDS),
        ("reason", _WORDS),
        ("application", _WORDS),
        ("application_name", _WORDS),
        ("subject", _TEXT),
        ("subject_type", _WORDS),
        ("actor_chain", _TEXTS),
        ("resource", _WORDS),
        ("requested_scopes", _TEXTS),
        ("granted_scopes", _TEXTS),
        ("session", _TEXT),
        ("root_session", _TEXT),
        ("hops", pyarrow.int32()),
        ("jti", _TEXT),
        ("expires_at", _MOMENT),
        ("request_id", _TEXT),
        ("policy_version", _WORDS),
        ("policy_reasons", _TEXTS),
        ("narrowing", _TEXT),
        ("peer", _TEXT),
        ("question", _TEXT),
        ("answer", _TEXT),
        ("details", _TEXT),
        ("leaf_hash", pyarrow.binary(32)),
        ("erased", pyarrow.bool_()),
        ("pruned", pyarrow.bool_()),
    ]
)
"""The columns, named as the members of events; `narrowing` and `details` are JSON."""

_JSON: Final = frozenset({"narrowing", "details"})
_FROM_EVENT: Final = tuple(
    name
    for name in SCHEMA.names
    if name not in {"key", "index", "id", "time", "expires_at", "leaf_hash", "erased", "pruned"}
)


class ParquetDelivery:
    """The sink of one folder."""

    def __init__(self, settings: ParquetSink) -> None:
        self._settings = settings

    async def open(self) -> None:
        """Takes away what a process that died left half written."""
        await asyncio.to_thread(self._guarded, self._clean)

    async def send(self, batch: Batch) -> None:
        """Returns when the files are on the disk."""
        await asyncio.to_thread(self._guarded, lambda: self._write(batch))

    async def close(self) -> None:
        """Nothing is open between batches."""

    def _guarded(self, work: Callable[[], object]) -> None:
        try:
            work()
        except (OSError, pyarrow.ArrowException) as error:
            why = error.strerror if isinstance(error, OSError) else type(error).__name__
            raise SinkUnavailableError(f"{self._settings.path} cannot be written: {why}") from error

    def _clean(self) -> None:
        for part in self._settings.path.glob("zone=*/date=*/.*.part"):
            part.unlink()

    def _write(self, batch: Batch) -> None:
        for day, records in _by_day(batch):
            folder = self._settings.path / f"zone={batch.zone}" / f"date={day}"
            _make(folder)
            self._write_file(folder / f"{records[0].index:020}.parquet", records)

    def _write_file(self, path: Path, records: Sequence[Record]) -> None:
        part = path.with_name(f".{path.name}.part")
        table = pyarrow.Table.from_pylist([_row(each) for each in records], schema=SCHEMA)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
                pyarrow.parquet.write_table(table, file, compression=self._settings.compression)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
        sync_folder(path.parent)


def _by_day(batch: Batch) -> Iterator[tuple[str, list[Record]]]:
    """The records of each stretch within one day, in UTC, in their order."""
    for day, records in groupby(batch, _day):
        yield day, list(records)


def _day(record: Record) -> str:
    return f"{datetime.fromtimestamp(record.time_ms / 1000, UTC):%Y-%m-%d}"


def _row(record: Record) -> dict[str, Any]:
    event = record.event
    row: dict[str, Any] = {name: event.get(name) for name in _FROM_EVENT}
    for name in _JSON & row.keys():
        if row[name] is not None:
            row[name] = json.dumps(row[name], ensure_ascii=False, separators=(",", ":"))
    ends = event.get("expires_at")
    return row | {
        "key": record.key,
        "index": record.index,
        "id": record.id or None,
        "time": record.time_ms or None,
        "expires_at": ends * 1000 if ends else None,
        "leaf_hash": record.entry.leaf_hash,
        "erased": record.erased,
        "pruned": record.pruned,
    }


def _make(folder: Path) -> None:
    """Makes the folders of a day, so that they outlive a crash of the machine."""
    if folder.is_dir():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    sync_folder(folder.parent)
    sync_folder(folder.parent.parent)
