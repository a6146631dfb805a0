"""A backup as a folder: the state in lines of JSON, the ledger's file, and a header written last.

Of a ledger that a server keeps, and that is backed up there, it has the newest signed checkpoints
in place of a file. The header has the digests of both, and is sealed: only who has the
key-encryption key can change any of it unnoticed. Everything in it is its owner's alone: private
keys and secrets of upstreams are sealed in it, and other secrets are digests, yet who has both it
and the key-encryption key has the authority.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.key_encryption import Keks, KeyEncryption
from caracal_grpc.crypto.sealing import open_sealed, seal
from caracal_grpc.store.formats import VERSION
from caracal_grpc.store.port import Key, Record

WITH_FILE: Final = 1
"""The format of a backup that has the ledger's file."""
WITH_CHECKPOINTS: Final = 2
"""The format of one that has the newest checkpoints of a ledger that is elsewhere."""
_STATE: Final = "state.jsonl"
_LEDGERS: Final = {WITH_FILE: "ledger.db", WITH_CHECKPOINTS: "checkpoints.jsonl"}
"""What each format has of the ledger."""
_HEADER: Final = "backup.json"
_PLACE: Final = "backup"
"""What the seal of a header is bound to."""
_SEAL_VERSION: Final = 1
_MAX_HEADER: Final = 65_536
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Header:
    """What a backup is of. `zone` is empty for all of them; digests are SHA-256 in hex.

    `taken_at` is in milliseconds since the Unix epoch, read before the state was: whatever came
    after it may be missing. `ledger_digest` is of what the `format` has of the ledger. `seal` is
    the envelope of the digest of all the rest.
    """

    taken_at: int
    zone: str
    revision: int
    records: int
    state_digest: str
    ledger_digest: str
    format: int = WITH_FILE
    record_version: int = 0
    seal: Mapping[str, str] = field(default_factory=dict, repr=False)

    def digest(self) -> bytes:
        """The SHA-256 of all of it but the seal."""
        facts = {name: value for name, value in asdict(self).items() if name != "seal"}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).digest()

    @property
    def has_file(self) -> bool:
        """Whether the ledger's file is in it."""
        return self.format == WITH_FILE


@dataclass(frozen=True, slots=True)
class Folder:
    """One backup at `path`."""

    path: Path

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.path / _LEDGERS[WITH_FILE]

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
            _sync(out)
        return count

    def write_checkpoints(self, notes: Mapping[str, str]) -> None:
        """Writes the newest checkpoint of each zone that has one."""
        with _created(self.path / _LEDGERS[WITH_CHECKPOINTS]) as out:
            for line in notes.items():
                out.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
            _sync(out)

    def finish(
        self,
        kek: KeyEncryption,
        *,
        taken_at: int,
        zone: str,
        revision: int,
        records: int,
        version: int,
        with_file: bool,
    ) -> Header:
        """Writes the header, by which the backup is whole, sealed under `kek`; may block."""
        form = WITH_FILE if with_file else WITH_CHECKPOINTS
        header = Header(
            taken_at,
            zone,
            revision,
            records,
            _digest(self.path / _STATE),
            _digest(self.path / _LEDGERS[form]),
            format=form,
            record_version=version,
        )
        header = replace(header, seal=seal(kek, header.digest(), _PLACE, _SEAL_VERSION))
        with _created(self.path / _HEADER) as out:
            out.write(json.dumps(asdict(header), indent=2) + "\n")
            _sync(out)
        return header

    def header(self) -> Header:
        """The header, once both files have the digests that it names; see `require_ours`, too.

        Raises `FIELD_INVALID` for one that is not whole, was damaged, or is of a later release.
        """
        header = self._read_header()
        if header.format not in _LEDGERS or not 1 <= header.record_version <= VERSION:
            raise self._unfit("is of another release; restore it with that one")
        digests = (_STATE, header.state_digest), (_LEDGERS[header.format], header.ledger_digest)
        for name, digest in digests:
            if _digest(self.path / name) != digest:
                raise self._unfit(f"was changed: {name} has another digest; use another backup")
        return header

    def require_ours(self, header: Header, keks: Keks) -> None:
        """Raises `FIELD_INVALID` unless who sealed the header had one of `keks`; may block.

        And `STORE_UNAVAILABLE` when that does not answer.
        """
        try:
            kek = keks.find(header.seal.get("kek_id"))
            sealed = open_sealed(kek, header.seal, _PLACE, _SEAL_VERSION)
        except CaracalError as error:
            if error.reason is not Reason.KEY_STATE_CONFLICT:
                raise
            text = "was sealed under another key-encryption key, or changed; restore with that key"
            raise self._unfit(text) from error
        if sealed != header.digest():
            raise self._unfit("was changed since it was sealed; use another backup")

    def records(self) -> Iterator[tuple[Key, dict[str, Any]]]:
        """The records, as they were written."""
        with (self.path / _STATE).open(encoding="utf-8") as lines:
            for line in lines:
                zone, kind, name, value = json.loads(line)
                yield Key(zone, kind, name), value

    def checkpoints(self) -> dict[str, str]:
        """The checkpoints, as they were written; none of a backup that has the ledger's file."""
        try:
            with (self.path / _LEDGERS[WITH_CHECKPOINTS]).open(encoding="utf-8") as lines:
                return dict(map(json.loads, lines))
        except FileNotFoundError:
            return {}

    def _read_header(self) -> Header:
        unfit = self._unfit("is no whole backup; use another one")
        try:
            with (self.path / _HEADER).open("rb") as file:
                header = Header(**json.loads(file.read(_MAX_HEADER)))
        except (OSError, ValueError, TypeError) as error:
            raise unfit from error
        versions = header.format, header.record_version
        if any(type(each) is not int for each in versions) or type(header.seal) is not dict:
            raise unfit
        return header

    def _unfit(self, what: str) -> CaracalError:
        return field_invalid(str(self.path), what)


def _created(path: Path) -> IO[str]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8")


def _sync(out: IO[str]) -> None:
    out.flush()
    os.fsync(out.fileno())


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
