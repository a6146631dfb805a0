"""Starting: what is unsafe refuses before it serves, names the setting, leaves nothing open."""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import signal
import socket
from pathlib import Path
from typing import Any
from unittest.mock import patch

import grpc.aio
import pytest
from etcd3aio.maintenance import MaintenanceService

from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.secret_file import write_secret_file
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.server import Server, serve
from caracal_grpc.settings.serve import ServeSettings
from caracal_grpc.store.etcd import EtcdStore
from caracal_grpc.store.etcd_release import is_leaky
from caracal_grpc.store.refusal import unavailable
from tests.support.authority import Starter, serve_values
from tests.support.etcd import EtcdProcess
from tests.support.etcd_tls import CertificateAuthority
from tests.support.refusals import Refused, refused
from tests.support.tls import write_tls


async def refusal(values: dict[str, Any], reason: Reason = Reason.FIELD_INVALID) -> Refused:
    """Why a server with these settings does not start."""
    server = Server(ServeSettings.load(values))
    with refused(reason) as seen:
        try:
            await server.start()
        finally:
            await server.stop()
    return seen


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


KEKS: dict[str, tuple[str | None, int]] = {
    "missing": (None, 0o600),
    "for all to read": (secrets.token_hex(32), 0o644),
    "for the group to read": (secrets.token_hex(32), 0o640),
    "all zeros": ("00" * 32, 0o600),
    "too short": (secrets.token_hex(16), 0o600),
    "a pass phrase": ("correct horse battery staple", 0o600),
}


@pytest.mark.parametrize("case", KEKS)
async def test_unsafe_key_encryption_key(tmp_path: Path, etcd: EtcdProcess, case: str) -> None:
    """`kek_file` is named, and what is wrong with it."""
    content, mode = KEKS[case]
    kek = tmp_path / "other-kek"
    if content is not None:
        kek.touch(mode=0o600)
        kek.write_text(content)
        kek.chmod(mode)
    seen = await refusal(serve_values(tmp_path, etcd, kek_file=kek))
    assert seen.fields == ["kek_file"]
    assert content is None or content not in str(seen.error)


async def test_another_key_encryption_key(tmp_path: Path, etcd: EtcdProcess) -> None:
    """A key that does not open what is there is refused before anything is served."""
    values = serve_values(tmp_path, etcd)
    first = Server(ServeSettings.load(values))
    await first.start()
    await first.stop()
    write_secret_file(tmp_path / "kek", secrets.token_hex(32))
    seen = await refusal(values)
    assert seen.fields == ["kek_file"]


@pytest.mark.parametrize("mode", [0o644, 0o640])
async def test_tls_key_that_others_may_read(
    tmp_path: Path, etcd: EtcdProcess, etcd_ca: CertificateAuthority, mode: int
) -> None:
    """`tls_key_file` is named."""
    files = write_tls(tmp_path, etcd_ca, "authority")
    files.key.chmod(mode)
    values = serve_values(tmp_path, etcd, tls_cert_file=files.certificate, tls_key_file=files.key)
    assert (await refusal(values)).fields == ["tls_key_file"]


@pytest.mark.parametrize("setting", ["tls_cert_file", "tls_client_ca_file"])
async def test_missing_certificate(
    tmp_path: Path, etcd: EtcdProcess, etcd_ca: CertificateAuthority, setting: str
) -> None:
    """The setting whose file is missing is named."""
    files = write_tls(tmp_path, etcd_ca, "authority")
    tls = {"tls_cert_file": files.certificate, "tls_key_file": files.key}
    values = serve_values(tmp_path, etcd, **(tls | {setting: tmp_path / "missing.pem"}))
    assert (await refusal(values)).fields == [setting]


async def test_port_in_use(tmp_path: Path, etcd: EtcdProcess) -> None:
    """`listen` is named, and the running server keeps every call."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        seen = await refusal(serve_values(tmp_path, etcd, listen=address))
    assert seen.fields == ["listen"]


async def test_two_servers_do_not_share_a_port(
    start_authority: Starter, tmp_path: Path, etcd: EtcdProcess
) -> None:
    """The platform's habit of sharing ports between servers is off."""
    running = await start_authority()
    own = {"ledger": tmp_path / "other.db", "bootstrap_profile": tmp_path / "other.json"}
    values = serve_values(tmp_path, etcd, listen=running.address, **own)
    assert (await refusal(values)).fields == ["listen"]


async def test_etcd_that_is_not_there(tmp_path: Path, etcd: EtcdProcess) -> None:
    """STORE_UNAVAILABLE within the staleness bound, not for ever."""
    endpoints = [f"127.0.0.1:{free_port()}"]
    values = serve_values(tmp_path, etcd, etcd_endpoints=endpoints, max_staleness=2)
    async with asyncio.timeout(20):
        await refusal(values, Reason.STORE_UNAVAILABLE)


async def test_first_start_needs_a_place_for_the_operator(
    tmp_path: Path, etcd: EtcdProcess
) -> None:
    """`bootstrap_profile` is named, and nothing is made: the next start can still do it."""
    values = serve_values(tmp_path, etcd)
    without = {name: value for name, value in values.items() if name != "bootstrap_profile"}
    assert (await refusal(without)).fields == ["bootstrap_profile"]
    server = Server(ServeSettings.load(values))
    await server.start()
    await server.stop()
    assert Profile.load(values["bootstrap_profile"]).zone == "caracal"


async def test_operator_is_not_lost_to_a_bad_folder(tmp_path: Path, etcd: EtcdProcess) -> None:
    """A place that cannot be written is noticed before the secret is made."""
    values = serve_values(tmp_path, etcd, bootstrap_profile=tmp_path / "missing" / "p.json")
    assert (await refusal(values)).fields == ["bootstrap_profile"]
    server = Server(ServeSettings.load(values | {"bootstrap_profile": tmp_path / "p.json"}))
    await server.start()
    await server.stop()
    assert (tmp_path / "p.json").stat().st_mode & 0o777 == 0o600


async def test_later_start_needs_no_profile(tmp_path: Path, etcd: EtcdProcess) -> None:
    """The operator is made once."""
    values = serve_values(tmp_path, etcd)
    for _ in range(2):
        server = Server(ServeSettings.load(values))
        await server.start()
        await server.stop()
        values.pop("bootstrap_profile", None)


async def test_refused_start_leaves_nothing_open(tmp_path: Path, etcd: EtcdProcess) -> None:
    """Port, ledger and tasks are free again, and the same settings start once they are mended."""
    port = free_port()
    values = serve_values(tmp_path, etcd, listen=f"127.0.0.1:{port}")
    before = asyncio.all_tasks()
    without = {name: value for name, value in values.items() if name != "bootstrap_profile"}
    await refusal(without)
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == before
    server = Server(ServeSettings.load(values))
    assert await server.start() == f"127.0.0.1:{port}"
    await server.stop()


async def test_stopped_server_leaves_nothing_open(tmp_path: Path, etcd: EtcdProcess) -> None:
    """Every task is awaited, the port is free, the ledger can be opened again."""
    before = asyncio.all_tasks()
    server = Server(ServeSettings.load(serve_values(tmp_path, etcd)))
    address = await server.start()
    await server.stop()
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == before
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", int(address.rpartition(":")[2])))


@pytest.mark.parametrize("damage", ["no database", ""])
async def test_file_that_is_no_ledger(tmp_path: Path, etcd: EtcdProcess, damage: str) -> None:
    """AUDIT_UNAVAILABLE for a file of something else; a folder that is missing is one, too."""
    ledger = tmp_path / "other.db"
    if damage:
        ledger.write_text(damage * 100)
    else:
        ledger = tmp_path / "missing" / "ledger.db"
    await refusal(serve_values(tmp_path, etcd, ledger=ledger), Reason.AUDIT_UNAVAILABLE)


async def test_ledger_of_another_authority(tmp_path: Path, etcd: EtcdProcess) -> None:
    """`ledger` is named when etcd is empty and the ledger is not, and no operator is lost."""
    first = Server(ServeSettings.load(serve_values(tmp_path, etcd)))
    await first.start()
    await first.stop()
    values = serve_values(tmp_path, etcd)
    assert (await refusal(values)).fields == ["ledger"]
    own = {"ledger": tmp_path / "new.db", "bootstrap_profile": tmp_path / "new.json"}
    server = Server(ServeSettings.load(values | own))
    await server.start()
    await server.stop()


async def test_an_etcd_that_may_lose_a_revocation_is_said(
    tmp_path: Path, etcd: EtcdProcess, caplog: pytest.LogCaptureFixture
) -> None:
    """By name and with what to run instead; of a whole one nothing is said."""
    server = Server(ServeSettings.load(serve_values(tmp_path, etcd)))
    try:
        await server.start()
        await server.judge_etcd()
    finally:
        await server.stop()
    async with grpc.aio.insecure_channel(f"dns:///{etcd.endpoint}") as channel:
        version = (await MaintenanceService(channel).status()).version
    said = [text for text in caplog.messages if text.startswith(f"etcd {version} may lose")]
    assert bool(said) is is_leaky(version)


async def test_sigterm_ends_a_start(tmp_path: Path, etcd: EtcdProcess) -> None:
    """While it still waits for an etcd that takes connections and says nothing."""
    before, ready = asyncio.all_tasks(), list[str]()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        endpoint = f"127.0.0.1:{silent.getsockname()[1]}"
        values = serve_values(tmp_path, etcd, etcd_endpoints=[endpoint], max_staleness=60)
        settings = ServeSettings.load(values)
        serving = asyncio.ensure_future(serve(settings, lambda *each: ready.extend(each)))
        async with asyncio.timeout(30):
            connection, _ = await asyncio.get_running_loop().sock_accept(silent)
            with connection:
                os.kill(os.getpid(), signal.SIGTERM)
                await serving
    assert not ready
    assert asyncio.all_tasks() <= before


async def test_sigterm_ends_a_running_server(tmp_path: Path, etcd: EtcdProcess) -> None:
    """And so does a second one that comes meanwhile; nothing stays open."""
    before, ready = asyncio.all_tasks(), asyncio.Event()
    settings = ServeSettings.load(serve_values(tmp_path, etcd))
    serving = asyncio.ensure_future(serve(settings, lambda *_: ready.set()))
    async with asyncio.timeout(30):
        await ready.wait()
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
        await serving
    assert asyncio.all_tasks() <= before


async def test_what_was_read_at_the_start_is_no_work_for_collections(
    tmp_path: Path, etcd: EtcdProcess
) -> None:
    """A full one would hold up every call for as long as it takes to go through all of it."""
    ready = asyncio.Event()
    settings = ServeSettings.load(serve_values(tmp_path, etcd))
    serving = asyncio.ensure_future(serve(settings, lambda *_: ready.set()))
    async with asyncio.timeout(30):
        await ready.wait()
        assert gc.get_freeze_count() > 0
        os.kill(os.getpid(), signal.SIGTERM)
        await serving
    assert gc.get_freeze_count() == 0


async def test_start_that_fails_late_lets_go_of_its_port(tmp_path: Path, etcd: EtcdProcess) -> None:
    """Of all that fails after it is bound: here the store, at its first commit."""
    port = free_port()
    values = serve_values(tmp_path, etcd, listen=f"127.0.0.1:{port}")
    before = asyncio.all_tasks()
    server = Server(ServeSettings.load(values))
    gone = unavailable("the store is gone")
    with patch.object(EtcdStore, "commit", side_effect=gone), refused(Reason.STORE_UNAVAILABLE):
        await server.start()
    assert asyncio.all_tasks() <= before
    again = Server(ServeSettings.load(values))
    assert await again.start() == f"127.0.0.1:{port}"
    await again.stop()
