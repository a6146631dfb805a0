"""Real etcd processes for tests: one that all share, and ones that a test may kill and freeze."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc.aio
import pytest
import pytest_asyncio
from etcd3aio.auth import AuthService, PermissionType
from etcd3aio.kv import KVService, prefix_range_end
from etcd3aio.lease import LeaseService

from caracal_grpc.store.embedded import EmbeddedEtcd
from caracal_grpc.store.etcd import EtcdStore
from caracal_grpc.store.etcd_settings import EtcdSettings
from tests.support.etcd_tls import CertificateAuthority

FAST = ("--unsafe-no-fsync", "--heartbeat-interval=50", "--election-timeout=300")
USERNAME, PASSWORD = "caracal", "a password for tests"


class RealClock:
    """The clock of this machine."""

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()


def _is_stopped(task: Path) -> bool:
    """Whether a thread has come to a halt; the signal takes a moment to reach each of them."""
    state = (task / "stat").read_text().rpartition(")")[2].split()[0]
    return state in {"T", "t", "Z"}


class EtcdProcess(EmbeddedEtcd):
    """A real etcd that starts fast and that a test may kill, freeze and start again."""

    def __init__(self, folder: Path, *, arguments: tuple[str, ...] = (), **more: Any) -> None:
        super().__init__(folder, arguments=(*FAST, *arguments), **more)

    async def restart(self) -> None:
        """Kills it as a crash would and starts it again, on its port and with its data."""
        await self._settle()
        self.kill()
        await self.start()

    def freeze(self) -> None:
        """Stops it where it is: connections stay, nothing answers once this returns."""
        self._signal(signal.SIGSTOP)
        tasks = Path(f"/proc/{self.pid}/task")
        while tasks.is_dir() and not all(map(_is_stopped, tasks.iterdir())):
            time.sleep(0.001)

    def thaw(self) -> None:
        """Lets it go on."""
        self._signal(signal.SIGCONT)

    def settings(self, **changes: Any) -> EtcdSettings:
        """Settings for this etcd under a prefix that nobody else uses."""
        base = EtcdSettings([self.endpoint], prefix=f"test/{uuid4().hex}", beat_interval=0.1)
        return replace(base, **changes)

    @asynccontextmanager
    async def kv(self) -> AsyncIterator[KVService]:
        """The driver's own view of a plain etcd, to look and meddle behind the store's back."""
        async with grpc.aio.insecure_channel(f"dns:///{self.endpoint}") as channel:
            yield KVService(channel)

    async def compact(self) -> None:
        """Forgets all history up to now."""
        async with self.kv() as kv:
            await kv.compact((await kv.get("x")).header.revision, physical=True)

    async def _settle(self) -> None:
        """Waits until what was acknowledged is in the log, and so outlives a kill.

        Before 3.5.5 a cluster of one acknowledges a write that is not (etcd-io/etcd#14370), but
        takes up the next one only when it is. A lease is a write that no user needs a right to.
        """
        async with grpc.aio.insecure_channel(f"dns:///{self.endpoint}") as channel:
            await LeaseService(channel).grant(60)

    def _signal(self, number: int) -> None:
        assert self.pid is not None
        os.kill(self.pid, number)


Opener = Callable[..., EtcdStore]
"""Opens a store with settings; the fixture closes it."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def etcd(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EtcdProcess]:
    """One etcd for the whole run; every test takes a prefix of its own and never stops it."""
    async with EtcdProcess(tmp_path_factory.mktemp("etcd")) as process:
        yield process


@pytest_asyncio.fixture
async def fresh_etcd(tmp_path: Path) -> AsyncIterator[EtcdProcess]:
    """An etcd of the test's own, to kill, freeze and compact."""
    async with EtcdProcess(tmp_path / "etcd") as process:
        yield process


@pytest.fixture
def etcd_settings(etcd: EtcdProcess) -> EtcdSettings:
    """Settings for the shared etcd under a fresh prefix."""
    return etcd.settings()


@pytest_asyncio.fixture
async def open_store() -> AsyncIterator[Opener]:
    """Opens stores that are closed after the test."""
    async with AsyncExitStack() as stack:

        def opener(settings: EtcdSettings) -> EtcdStore:
            store = EtcdStore(settings, RealClock())
            stack.push_async_callback(store.close)
            return store

        yield opener


@pytest_asyncio.fixture
async def etcd_store(etcd_settings: EtcdSettings, open_store: Opener) -> EtcdStore:
    """A store under a fresh prefix of the shared etcd."""
    return open_store(etcd_settings)


@pytest.fixture(scope="session")
def etcd_ca() -> CertificateAuthority:
    """The authority that signs the certificates of TLS etcds and of their clients."""
    return CertificateAuthority()


Launcher = Callable[..., Awaitable[EtcdProcess]]
"""Starts a TLS etcd; `mutual` makes it ask for client certificates, `names` are its own."""


@pytest_asyncio.fixture
async def tls_etcd(tmp_path: Path, etcd_ca: CertificateAuthority) -> AsyncIterator[Launcher]:
    """Starts etcds that speak TLS, and stops them after the test."""
    async with AsyncExitStack() as stack:

        async def launch(
            *, mutual: bool = False, names: tuple[str, ...] = ("localhost", "127.0.0.1")
        ) -> EtcdProcess:
            folder = tmp_path / uuid4().hex
            process = EtcdProcess(
                folder, arguments=_tls_arguments(folder, etcd_ca, names, mutual), scheme="https"
            )
            return await stack.enter_async_context(process)

        yield launch


@pytest_asyncio.fixture
async def auth_etcd(tmp_path: Path) -> AsyncIterator[EtcdProcess]:
    """An etcd with users, whose tokens live three seconds: `USERNAME` may use prefix `test/`."""
    arguments = ("--auth-token=simple", "--auth-token-ttl=3", "--bcrypt-cost=4")
    async with EtcdProcess(tmp_path / "etcd", arguments=arguments) as process:
        await _enable_auth(process)
        yield process


def _tls_arguments(
    folder: Path, ca: CertificateAuthority, names: tuple[str, ...], mutual: bool
) -> tuple[str, ...]:
    folder.mkdir(mode=0o700)
    certificate, key = ca.issue("etcd", names)
    for name, pem in (("ca", ca.pem), ("cert", certificate), ("key", key)):
        (folder / f"{name}.pem").write_bytes(pem)
    arguments = (f"--cert-file={folder}/cert.pem", f"--key-file={folder}/key.pem")
    if not mutual:
        return arguments
    return (*arguments, "--client-cert-auth", f"--trusted-ca-file={folder}/ca.pem")


async def _enable_auth(process: EtcdProcess) -> None:
    async with grpc.aio.insecure_channel(f"dns:///{process.endpoint}") as channel:
        auth = AuthService(channel)
        await auth.role_add("caracal")
        await auth.role_grant_permission(
            "caracal",
            "/test/",
            range_end=prefix_range_end("/test/"),
            perm_type=PermissionType.READWRITE,
        )
        await auth.user_add(USERNAME, PASSWORD)
        await auth.user_grant_role(USERNAME, "caracal")
        await auth.user_add("root", PASSWORD)
        await auth.user_grant_role("root", "root")
        await auth.auth_enable()
