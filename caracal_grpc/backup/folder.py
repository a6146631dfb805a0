"""A backup as a folder: the state in lines of JSON, the ledger's file, and a header written last.

Everything in it is its owner's alone: private keys are sealed in it, and secrets are digests, yet
who has both it and the key-encryption key has the authority.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Key, Record

FORMAT: Final = 1
_STATE: Final = "state.jsonl"
_LEDGER: Final = "ledger.db"
_HEADER: Final = "backup.json"
_MAX_HEADER: Final = 65_536
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Header:
    """What a backup is of. `zone` is empty for all of them; digests are SHA-256 in hex.

    `taken_at` is in milliseconds since the Unix epoch, read before the state was: whatever came
    after it may be missing.
    """

    taken_at: int
    zone: str
    revision: int
    records: int
    state_digest: str
    ledger_digest: str
    format: int = FORMAT
    record_version: int = 0


@dataclass(frozen=True, slots=True)
class Folder:
    """One backup at `path`."""

    path: Path

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.path / _LEDGER

    def begin(self) -> None:
        """Makes the folder; raises `FIELD_INVALID` when it is there, or cannot be made."""
        try:
            self.path.mkdir(mode=0o700, parents=True)
        except FileExistsError as error:
            raise field_invalid(str(self.path), "exists; name a new folder") from error
        except OSError as error:
            raise field_invalid(str(self.path), f"cannot be made: {error.strerror}") from error

    def write_state(self, records: Iterable[Record]) -> int:
        """Writes the records; how many."""
        count = 0
        with _created(self.path / _STATE) as out:
            for record in records:
                key = record.key
                line = [key.zone, key.kind, key.id, dict(record.value)]
                out.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
                count += 1
        return count

    def finish(
        self, *, taken_at: int, zone: str, revision: int, records: int, version: int
    ) -> Header:
        """Writes the header, by which the backup is whole."""
        header = Header(
            taken_at,
            zone,
            revision,
            records,
            _digest(self.path / _STATE),
            _digest(self.ledger),
            record_version=version,
        )
        with _created(self.path / _HEADER) as out:
            out.write(json.dumps(asdict(header), indent=2) + "\n")
            out.flush()
            os.fsync(out.fileno())
        return header

    def header(self) -> Header:
        """The header, once both files have the digests that it names.

        Raises `FIELD_INVALID` for one that is not whole, was changed, or is of a later release.
        """
        header = self._read_header()
        if header.format != FORMAT:
            raise self._unfit("is of another release; restore it with that one")
        digests = (_STATE, header.state_digest), (_LEDGER, header.ledger_digest)
        for name, digest in digests:
            if _digest(self.path / name) != digest:
                raise self._unfit(f"was changed: {name} has another digest; use another backup")
        return header

    def records(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """The records, as they were written."""
        with (self.path / _STATE).open(encoding="utf-8") as lines:
            for line in lines:
                zone, kind, name, value = json.loads(line)
                yield Key(zone, kind, name), value

    def _read_header(self) -> Header:
        try:
            with (self.path / _HEADER).open("rb") as file:
                return Header(**json.loads(file.read(_MAX_HEADER)))
        except (OSError, ValueError, TypeError) as error:
            raise self._unfit("is no whole backup; use another one") from error

    def _unfit(self, what: str) -> CaracalError:
        return field_invalid(str(self.path), what)


def _created(path: Path) -> IO[str]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8")


def _digest(path: Path) -> str:
    """The SHA-256 of a file, of nothing for one that is not there."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except FileNotFoundError:
        return ""
    except OSError as error:
        text = f"{path} cannot be read: {error.strerror}"
        raise CaracalError(Reason.FIELD_INVALID, text) from error
    return digest.hexdigest()
