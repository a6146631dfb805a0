"""`audit ship`: a process of its own, which may be killed, and so may the authority."""

from __future__ import annotations

import asyncio
import json
import resource
import secrets
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.shipping.cursor import read_progress
from tests.cli.conftest import Shop
from tests.cli.support import PATIENCE, Dev, Ended, Running, caracal
from tests.support.etcd import EtcdProcess
from tests.support.web import Answer, WebServer

CONFIG = """\
profile: {profile}
state_dir: state
zones: [{zone}]
alert_after_entries: 1
sinks:
  archive:
    file: {{path: audit.jsonl, max_bytes: 8192, keep: 1000}}
    batch: {{max_records: 7, max_seconds: 0.05}}
    max_retry_seconds: 1
"""


ROOM = 400
"""Bytes that a full disk takes of a file: a cursor, and no line."""


def configured(folder: Path, profile: Path, zone: str, more: str = "") -> Path:
    """A file of settings in `folder`; `more` are other sinks."""
    file = folder / "ship.yaml"
    file.write_text(CONFIG.format(profile=profile, zone=zone) + more)
    return file


def lines(folder: Path) -> list[dict[str, Any]]:
    """Every line of the archive, over all of its files; each is whole."""
    files = [*sorted(folder.glob("audit.jsonl.*")), folder / "audit.jsonl"]
    text = b"".join(file.read_bytes() for file in files)
    assert not text or text.endswith(b"\n")
    return [json.loads(line) for line in text.splitlines()]


def named(entries: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """Index and id of each."""
    return [(each["index"], each["id"]) for each in entries]


def recorded(profile: Path, zone: str) -> list[tuple[int, str]]:
    """What the ledger itself has."""
    search = ("audit", "search", "--zone", zone, "--limit", "10000", "--json")
    return named(caracal(*search, profile=profile).json["entries"])


def decide(shop: Shop, count: int) -> None:
    """Makes so many entries in the zone."""
    for _ in range(count):
        assert shop.as_agent("exchange", "resource://orders").code == 0


def until(condition: Callable[[], bool]) -> None:
    """Returns once it holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def reached(folder: Path, zone: str, count: int) -> Callable[[], bool]:
    """Whether the archive has so many entries."""

    def there() -> bool:
        place = read_progress(folder / "state", "archive").zones.get(zone)
        return place is not None and place.next >= count

    return there


def status(file: Path, *more: str) -> Ended:
    """What `--status` says."""
    return caracal("audit", "ship", file, "--status", *more)


def test_it_ships_until_sigterm(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """Ends with 0, with everything where it belongs, and the status says so."""
    decide(shop, 2)
    file = configured(tmp_path, dev.profile, shop.zone)
    running = Running("audit", "ship", file, "--json")
    try:
        assert running.json == {"sinks": ["archive"], "zones": [shop.zone]}
        decide(shop, 2)
        truth = recorded(dev.profile, shop.zone)
        until(reached(tmp_path, shop.zone, len(truth)))
    finally:
        ended = running.end()
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err
    assert named(lines(tmp_path)) == truth
    shown = status(file, "--json")
    assert shown.code == 0
    (stands,) = shown.json["sinks"]
    assert (stands["next"], stands["size"], stands["last_id"]) == (
        len(truth),
        len(truth),
        truth[-1][1],
    )
    assert stands["lag_entries"] == 0


def test_the_status_tells_who_is_behind(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """Exit code 6, from the cursor and the ledger, whether or not anybody ships."""
    decide(shop, 2)
    file = configured(tmp_path, dev.profile, shop.zone)
    behind = status(file)
    assert behind.code == 6
    assert f"sink archive, zone {shop.zone}: behind by" in behind.err
    assert "archive" in behind.out
    parsed = status(file, "--json")
    assert parsed.code == 6
    told = json.loads(parsed.out)
    assert told["ok"] is False
    assert told["sinks"][0]["lag_entries"] >= 2
    assert told["sinks"][0]["lag_seconds"] > 0


def test_two_processes_do_not_ship_to_one_sink(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """The second says which folder is in use."""
    file = configured(tmp_path, dev.profile, shop.zone)
    first = Running("audit", "ship", file)
    try:
        second = caracal("audit", "ship", file)
    finally:
        assert first.end().code == 0
    assert second.code == 2
    assert "state_dir" in second.err
    assert "in use" in second.err


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ("max_records: 7", "max_records: many", 2, "sinks.archive.batch.max_records"),
        ("file:", "files:", 2, "is no key here"),
        ("path: audit.jsonl", "path: gone/audit.jsonl", 2, "is no folder"),
        ("profile: ", "profile: gone", 4, "profile in"),
    ],
)
def test_what_is_wrong_with_the_settings_is_named(
    dev: Dev, tmp_path: Path, old: str, new: str, code: int, said: str
) -> None:
    """With its line, and nothing is started."""
    file = configured(tmp_path, dev.profile, "shop")
    file.write_text(file.read_text().replace(old, new))
    ended = caracal("audit", "ship", file)
    assert ended.code == code, ended.err
    assert said in ended.err
    assert "Traceback" not in ended.err


async def test_a_batch_that_was_on_its_way_is_sent_again(
    dev: Dev, shop: Shop, tmp_path: Path
) -> None:
    """The same, to a server that had taken it when the shipper was killed."""
    siem = WebServer(answers={"/in": Answer(b"", 200)})
    await siem.start()
    sink = f"  siem:\n    http: {{url: '{siem.url}/in'}}\n    batch: {{max_records: 3}}\n"
    file = configured(tmp_path, dev.profile, shop.zone, sink)
    await asyncio.to_thread(decide, shop, 4)
    truth = await asyncio.to_thread(recorded, dev.profile, shop.zone)
    try:
        siem.hold("/in")
        first = await asyncio.to_thread(Running, "audit", "ship", file)
        await siem.asked("/in")
        await asyncio.to_thread(first.end, signal.SIGKILL)
        siem.release("/in")
        second = await asyncio.to_thread(Running, "audit", "ship", file)
        await siem.asked("/in", 1 + -(-len(truth) // 3))
        assert (await asyncio.to_thread(second.end)).code == 0
    finally:
        await siem.stop()
    bodies = [request.body for request in siem.requests]
    assert bodies[0] == bodies[1]
    got = [json.loads(line) for body in bodies[1:] for line in body.splitlines()]
    assert named(got) == truth


def test_a_full_disk_is_waited_for(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """No line is torn meanwhile, the status tells, and once there is room all of it arrives."""
    decide(shop, 1)
    file = configured(tmp_path, dev.profile, shop.zone)
    running = Running("audit", "ship", file)
    try:
        until(reached(tmp_path, shop.zone, len(recorded(dev.profile, shop.zone))))
        limits = resource.prlimit(running.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (ROOM, limits[1]))
        decide(shop, 2)
        truth = recorded(dev.profile, shop.zone)
        until(lambda: status(file).code == 6)
        assert named(lines(tmp_path)) == truth[:-2]
        resource.prlimit(running.pid, resource.RLIMIT_FSIZE, limits)
        until(reached(tmp_path, shop.zone, len(truth)))
    finally:
        ended = running.end()
    assert ended.code == 0, ended.err
    assert "audit.jsonl cannot be written: File too large" in ended.err
    assert named(lines(tmp_path)) == truth


def test_a_sink_that_refuses_ends_the_process_when_it_was_the_last(
    dev: Dev, shop: Shop, tmp_path: Path
) -> None:
    """So that whoever supervises it sees it; the status says why."""
    (tmp_path / "audit.jsonl").touch()
    (tmp_path / "audit.jsonl").chmod(0o644)
    decide(shop, 1)
    file = configured(tmp_path, dev.profile, shop.zone)
    ended = caracal("audit", "ship", file)
    assert ended.code == 1
    assert "ALARM: sink archive" in ended.err
    shown = status(file)
    assert shown.code == 6
    assert "0644 and must have 0600" in shown.err


def test_an_authority_that_is_killed_is_waited_for(etcd: EtcdProcess, tmp_path: Path) -> None:
    """It ships on when that is back, and has every entry that the ledger has."""
    serving = Serving(etcd, tmp_path)
    authority = serving.start()
    profile = tmp_path / "operator.json"
    file = configured(tmp_path, profile, "caracal")
    running = Running("audit", "ship", file)
    try:
        for _ in range(3):
            for _ in range(3):
                assert caracal("keys", "list", "--zone", "caracal", profile=profile).code == 0
            authority.end(signal.SIGKILL)
            authority = serving.start()
        truth = recorded(profile, "caracal")
        until(reached(tmp_path, "caracal", len(truth)))
    finally:
        ended = running.end()
        authority.end()
    assert ended.code == 0, ended.err
    assert list(dict.fromkeys(named(lines(tmp_path))))[: len(truth)] == truth


class Serving:
    """Starts one authority again and again, on one port and with the same state."""

    def __init__(self, etcd: EtcdProcess, folder: Path) -> None:
        kek = folder / "kek"
        kek.touch(mode=0o600)
        kek.write_text(secrets.token_hex(32))
        self._port = "0"
        self._flags = [
            *("--public-url", "https://authority.example", "--kek-file", str(kek)),
            *("--etcd-endpoints", etcd.endpoint, "--ledger", str(folder / "ledger.sqlite")),
            *("--etcd-prefix", f"test/{secrets.token_hex(8)}", "--json"),
            *("--bootstrap-profile", str(folder / "operator.json")),
        ]

    def start(self) -> Running:
        """A served authority, which has its profile."""
        running = Running("serve", "--listen", f"127.0.0.1:{self._port}", *self._flags)
        self._port = running.json["authority"].rpartition(":")[2]
        return running
