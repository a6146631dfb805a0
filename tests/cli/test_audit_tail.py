"""`audit tail` and long searches: what was recorded last, and what is recorded meanwhile."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.interceptors.client.channel import sync_channel
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.v1 import audit_pb2, audit_service_pb2, audit_service_pb2_grpc
from tests.cli.conftest import Shop
from tests.cli.support import MANIFEST, PATIENCE, Dev, Running, caracal

IDS = SystemIds()


@cache
def mandate(shop: Shop) -> tuple[tuple[str, str], ...]:
    """The metadata with which the agent reports."""
    asked = shop.as_agent("exchange", "resource://caracal", "caracal:audit:record", "--json")
    return (("authorization", f"Bearer {asked.json['mandate']}"),)


def record(shop: Shop, count: int, method: str) -> list[str]:
    """So many decisions of an edge of the agent; their ids."""
    decisions = [
        audit_service_pb2.EdgeDecision(
            id=IDS.new("aud"),
            time=Timestamp(seconds=1_790_000_000),
            decision=audit_pb2.AUDIT_DECISION_ALLOW,
            method=method,
            request_id=method.removeprefix("/"),
        )
        for _ in range(count)
    ]
    request = audit_service_pb2.RecordRequest(zone=shop.zone, decisions=decisions)
    with sync_channel(Profile.load(shop.profile("agent"))) as channel:
        stub = audit_service_pb2_grpc.AuditServiceStub(channel)  # type: ignore[no-untyped-call]
        assert stub.Record(request, metadata=mandate(shop)).recorded == count
    return [each.id for each in decisions]


class Tail(Running):
    """A tail that follows, and has printed its first line."""

    def __init__(self, profile: Path, *arguments: str) -> None:
        follow = ("audit", "tail", "--follow", "--json", *arguments)
        super().__init__(*follow, CARACAL_PROFILE=str(profile))

    def line(self) -> Any:
        """The next entry."""
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def close_stdout(self) -> None:
        """Reads no more."""
        assert self._process.stdout is not None
        self._process.stdout.close()

    def wait(self) -> tuple[int, str]:
        """Its exit code and what it said, once it has ended by itself."""
        assert self._process.stderr is not None
        with self._process.stderr as stderr:
            said = stderr.read()
        return self._process.wait(PATIENCE), said


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Ctrl-C reaches what is started here, also where whoever runs the tests ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_newest_come_last(dev: Dev, shop: Shop) -> None:
    """So many lines, of those that match; for people and for programs."""
    ids = record(shop, 30, "/newest")
    tail = ("audit", "tail", "--zone", shop.zone, "--request-id", "newest")
    lines = dev.run(*tail).out.splitlines()
    assert [line.split("  ")[1] for line in lines] == ids[-10:]
    assert lines[0].split("  ")[2:] == ["edge.decision", "allow"]
    few = dev.run(*tail, "-n", "2", "--json").out.splitlines()
    assert [json.loads(line)["id"] for line in few] == ids[-2:]
    assert dev.run(*tail, "-n", "0").out == ""
    more = dev.run(*tail, "-n", "1000", "--json").out.splitlines()
    assert [json.loads(line)["id"] for line in more] == ids


def test_what_comes_is_followed_until_it_is_interrupted(dev: Dev, shop: Shop) -> None:
    """Each entry a line, at once; then exit code 130."""
    (last,) = record(shop, 1, "/followed")
    tail = Tail(dev.profile, "--zone", shop.zone, "-n", "1")
    assert json.loads(tail.first)["id"] == last
    first, second = record(shop, 2, "/followed")
    assert [tail.line()["id"] for _ in range(2)] == [first, second]
    ended = tail.end(signal.SIGINT)
    assert (ended.code, ended.line) == (130, "interrupted")


def test_filters_hold_for_what_comes(dev: Dev, shop: Shop) -> None:
    """What does not match is not shown."""
    record(shop, 1, "/wanted")
    tail = Tail(dev.profile, "--zone", shop.zone, "-n", "1", "--request-id", "wanted")
    record(shop, 3, "/other")
    (wanted,) = record(shop, 1, "/wanted")
    assert tail.line()["id"] == wanted
    tail.end(signal.SIGINT)


def test_a_reader_that_leaves_ends_it_quietly(dev: Dev, shop: Shop) -> None:
    """With the next entry, and no traceback."""
    record(shop, 1, "/left")
    tail = Tail(dev.profile, "--zone", shop.zone, "-n", "1")
    tail.close_stdout()
    record(shop, 1, "/left")
    assert tail.wait() == (141, "")


def test_who_may_not_read_is_told(shop: Shop) -> None:
    """Exit code 1, and no attempt to go on."""
    ended = shop.as_agent("audit", "tail", "-f", "-n", "0")
    assert ended.code == 1
    assert "caracal:audit:read" in ended.line


class Own:
    """A `dev` that can be stopped and started again where it was, with a zone in it."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        self._command = ("dev", "--data-dir", folder / "state", "--port", port, "--json")
        self._serving = Running(*self._command)
        self.profile = Path(self._serving.json["profile"])
        manifest = folder / "zone.yaml"
        manifest.write_text(MANIFEST.format(zone="shop"))
        apply = ("apply", "-f", manifest, "--credentials", folder)
        applied = caracal(*apply, profile=self.profile)
        assert applied.code == 0, applied.err
        self.shop = Shop("shop", folder, manifest, applied)

    def restart(self) -> None:
        """Ends it, and starts it again."""
        self.end()
        self._serving = Running(*self._command)

    def end(self) -> None:
        """Ends it; again is no error."""
        self._serving.end()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Own]:
    """One of the test's own."""
    serving = Own(tmp_path)
    yield serving
    serving.end()


def test_it_goes_on_when_the_authority_is_back(own: Own) -> None:
    """What was recorded is shown once, before and after a restart, and what happened is told."""
    shop = own.shop
    record(shop, 1, "/restarted")
    tail = Tail(own.profile, "--zone", "shop", "-n", "1", "--request-id", "restarted")
    (before,) = record(shop, 1, "/restarted")
    assert tail.line()["id"] == before
    own.restart()
    after = record(shop, 2, "/restarted")
    assert [tail.line()["id"] for _ in after] == after
    ended = tail.end(signal.SIGINT)
    assert ended.err.splitlines()[:2] == [
        "the authority does not answer; going on as soon as it does",
        "the authority answers again",
    ]
    assert ended.out.count("\n") == 1, "nothing else was printed"


def test_a_search_without_limit_gives_everything(dev: Dev, shop: Shop) -> None:
    """In pages of which one is held; the JSON is one object even so."""
    ids = [each for _ in range(3) for each in record(shop, 400, "/many")]
    search = ("audit", "search", "--zone", shop.zone, "--request-id", "many")
    found = dev.run(*search, "--limit", "0", "--json").json
    assert [each["id"] for each in found["entries"]] == ids
    assert found["next_page_token"] == ""
    some = dev.run(*search, "--limit", "700", "--json").json
    assert [each["id"] for each in some["entries"]] == ids[:700]
    token = some["next_page_token"]
    rest = dev.run(*search, "--limit", "0", "--page-token", token, "--json").json
    assert [each["id"] for each in rest["entries"]] == ids[700:]
    table = dev.run(*search, "--limit", "0").out
    assert [line.split()[1] for line in table.splitlines() if "aud_" in line] == ids


def test_a_search_in_any_order(dev: Dev, shop: Shop) -> None:
    """By a field, either way; and what is no order is wrong usage."""
    record(shop, 2, "/ordered")
    search = ("audit", "search", "--zone", shop.zone, "--limit", "0", "--json", "--order-by")
    kinds = [each["type"] for each in dev.run(*search, "type").json["entries"]]
    assert kinds == sorted(kinds)
    backward = dev.run(*search, "type desc").json["entries"]
    assert [each["type"] for each in backward] == kinds[::-1]
    found = dev.run(*search, "time", "--audit-id", backward[0]["id"]).json["entries"]
    assert found == backward[:1]
    assert dev.run(*search, "leaf").code == 2
    nothing = dev.run(*search, "time", "--type", "nothing").json
    assert nothing == {"entries": [], "next_page_token": ""}
