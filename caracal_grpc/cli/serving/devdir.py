"""The data directory of `dev`: everything that survives a restart, of one process at a time."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caracal_grpc.cli.errors import CliError, ExitCode, usage
from caracal_grpc.crypto.secret_file import write_secret_file

PUBLIC_URL: Final = "http://caracal.localhost"
"""What issuers of `dev` begin with: the same at every start, whatever the port."""


@dataclass(frozen=True, slots=True)
class DevDir:
    """The places in one data directory."""

    path: Path

    @property
    def etcd(self) -> Path:
        """The folder of the private etcd."""
        return self.path / "etcd"

    @property
    def kek(self) -> Path:
        """The key-encryption key."""
        return self.path / "kek"

    @property
    def ledger(self) -> Path:
        """The SQLite file of the ledger."""
        return self.path / "ledger.sqlite"

    @property
    def profile(self) -> Path:
        """The operator's profile."""
        return self.path / "operator.json"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps the directory for this process; raises `CliError` when another has it."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise usage(f"--data-dir {self.path} cannot be used: {exc.strerror}") from exc
        try:
            _lock(lock, self.path)
            yield
        finally:
            os.close(lock)

    def prepare(self) -> None:
        """Makes the key-encryption key of a new directory."""
        if not self.kek.exists():
            write_secret_file(self.kek, secrets.token_hex(32) + "\n")


def default_path() -> Path:
    """Where `dev` keeps its state unless told: the user's data home (XDG base directories)."""
    home = os.environ.get("XDG_DATA_HOME", "")
    base = Path(home) if home else Path.home() / ".local" / "share"
    return base / "caracal-grpc" / "dev"


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        text = f"{path} is in use by another caracal-grpc dev; stop it or choose another --data-dir"
        raise CliError(ExitCode.UNAVAILABLE, text) from exc
