"""An edge reports what its guards decided: in time, once, and with a word when it cannot."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path

import pytest
from grpc_health.v1 import health, health_pb2

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import Recording, connect, connect_sync
from caracal_grpc.interceptors.records import report, trouble
from caracal_grpc.interceptors.records.outbox import ALARM
from caracal_grpc.v1 import audit_pb2
from tests.interceptors.records.edges import guarding
from tests.interceptors.records.support import MOST, decision, open_file, some
from tests.interceptors.support import DENIED, RULES, SECRET, FakeAuthority, eventually, profile
from tests.support.clock import FakeClock
from tests.support.otel import Shown
from tests.support.refusals import refused

DENY = audit_pb2.AUDIT_DECISION_DENY
STATUS = health_pb2.HealthCheckResponse.ServingStatus
SERVING, NOT_SERVING = STATUS.Value("SERVING"), STATUS.Value("NOT_SERVING")
BUSY = CaracalError(Reason.RATE_LIMITED, "too many", retry_after=0.1)
DOWN = CaracalError(Reason.AUDIT_UNAVAILABLE, "the ledger does not answer")
EXPIRED = CaracalError(Reason.MANDATE_EXPIRED, "the mandate has expired")

pytestmark = pytest.mark.parametrize("kind", ["aio", "sync"])


async def test_refusals_arrive(kind: str, address: str, authority: FakeAuthority) -> None:
    """Without being asked for, under a mandate for that alone, in the edge's zone."""
    async with guarding(kind, profile(address), rules=RULES) as edge:
        await edge.refused(metadata=(("x-request-id", "r-7"),))
        await eventually(lambda: len(authority.records.recorded) == 1)
        (told,) = authority.records.recorded.values()
        assert (told.decision, told.method) == (DENY, "/echo.v1.Echo/UnaryUnary")
        assert (told.reason, told.request_id) == ("AUTHORITY_STALE", "r-7") or (
            told.reason == "MANDATE_MISSING"
        )
        await eventually(lambda: edge.outbox.waiting == 0)
        assert edge.edge.dropped == 0
    request = authority.records.requests[0]
    assert (request.zone, request.dropped, request.sampling_rate) == ("shop", 0, 0.0)
    asked = [list(each.scopes) for each in authority.requests]
    assert asked.count(["caracal:audit:record"]) == 1


async def test_close_delivers(kind: str, address: str, authority: FakeAuthority) -> None:
    """What was decided a moment before is not lost; and no task and no thread is left."""
    async with guarding(kind, profile(address), rules=RULES) as edge:
        await edge.refused(3)
    assert len(authority.records.recorded) == 3
    assert edge.edge.dropped == 0
    assert "caracal-records" not in {thread.name for thread in threading.enumerate()}
    assert "caracal-records" not in {task.get_name() for task in asyncio.all_tasks()}


async def test_off_is_off(kind: str, address: str, authority: FakeAuthority) -> None:
    """No report, no mandate for one, and nothing was dropped."""
    async with guarding(kind, profile(address), rules=RULES, record=False) as edge:
        await edge.refused()
        assert edge.edge.dropped == 0
        assert edge.edge._records is None
    assert authority.records.requests == []


async def test_nothing_starts_before_a_guard(kind: str, tmp_path: Path) -> None:
    """An edge that only calls makes no file."""
    recording = Recording(spill=tmp_path / "spill")
    made = profile("127.0.0.1:1")
    if kind == "aio":
        async with connect(made, record=recording):
            pass
    else:
        with connect_sync(made, record=recording):
            pass
    assert list(tmp_path.iterdir()) == []


async def test_file_of_others_keeps_the_guard_from_starting(
    kind: str, address: str, authority: FakeAuthority, tmp_path: Path
) -> None:
    """FIELD_INVALID where the guard is asked for, before anything else is begun."""
    path = tmp_path / "spill"
    path.touch(0o644)
    with refused(Reason.FIELD_INVALID) as seen:
        async with guarding(kind, profile(address), record=Recording(spill=path)):
            pass
    assert seen.fields == ["record.spill"]
    assert authority.count == 0


async def test_two_guards_share_one_file(kind: str, address: str, tmp_path: Path) -> None:
    """An edge opens it once, also when several guards are asked for at a time."""
    recording = Recording(spill=tmp_path / "spill")
    if kind == "aio":
        async with connect(profile(address), record=recording) as edge:
            await asyncio.gather(*(edge.guard() for _ in range(3)))
        return
    with connect_sync(profile(address), record=recording) as other:
        await asyncio.gather(*(asyncio.to_thread(other.guard) for _ in range(3)))


@pytest.mark.parametrize("trouble", [DOWN, BUSY, EXPIRED], ids=lambda each: each.reason)
async def test_report_is_sent_again(
    kind: str, address: str, authority: FakeAuthority, trouble: CaracalError
) -> None:
    """With the same ids, until it is taken; with another mandate when it was the mandate."""
    authority.records.refusals.extend([trouble] * 2)
    async with guarding(kind, profile(address), rules=RULES) as edge:
        await edge.refused(4)
        await eventually(lambda: len(authority.records.recorded) == 4)
    first, second, third = authority.records.requests[:3]
    assert [d.id for d in first.decisions] == [d.id for d in second.decisions]
    assert [d.id for d in first.decisions] == [d.id for d in third.decisions]
    asked = [each for each in authority.requests if "caracal:audit:record" in each.scopes]
    assert len(asked) == (2 if trouble is EXPIRED else 1)


async def test_decision_that_is_never_taken_keeps_no_other_back(
    kind: str, address: str, authority: FakeAuthority, caplog: pytest.LogCaptureFixture
) -> None:
    """It is dropped and counted, and said with the next report."""
    authority.records.refusals.append(field_invalid("decisions[1].method", "is too strange"))
    async with guarding(kind, profile(address), rules=RULES) as edge:
        for each in some(3):
            edge.outbox.put(each)
        await eventually(lambda: len(authority.records.recorded) == 2)
        assert edge.edge.dropped == 1
        await edge.refused()
        await eventually(lambda: len(authority.records.recorded) == 3)
    assert [request.dropped for request in authority.records.requests] == [0, 0, 1]
    assert "does not take one" in caplog.text


async def test_policy_that_does_not_grant_is_said_once(
    kind: str,
    address: str,
    authority: FakeAuthority,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is missing is in one warning; the edge tries on slowly, and is heard when it may."""
    slowly = trouble.wait_random(0.6, 0.7)
    monkeypatch.setattr(trouble, "_SLOWLY", slowly)
    authority.records.refusals.extend([DENIED] * 3)
    caplog.set_level(logging.INFO, "caracal.records")
    async with guarding(kind, profile(address), rules=RULES) as edge:
        await edge.refused(2)
        await eventually(lambda: len(authority.records.recorded) == 2)
    said = [each.getMessage() for each in caplog.records if each.name == "caracal.records"]
    assert len([each for each in said if "caracal:audit:record" in each]) == 1
    assert said[-1].endswith("delivered to the ledger again")


async def test_full_report_does_not_wait(
    kind: str, address: str, authority: FakeAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 are sent at once, however long the edge would wait for more; the rest goes with close."""
    async with guarding(kind, profile(address), rules=RULES) as edge:
        await edge.refused()
        await eventually(lambda: len(authority.records.recorded) == 1)
        for module in (f"caracal_grpc.interceptors.records.{kind}.INTERVAL",):
            monkeypatch.setattr(module, 600.0)
        await asyncio.sleep(report.INTERVAL)
        for each in some(1_100):
            edge.outbox.put(each)
        await eventually(lambda: len(authority.records.recorded) >= 1_001)
    assert len(authority.records.recorded) == 1_101
    assert max(len(each.decisions) for each in authority.records.requests) == 500


async def test_long_decisions_arrive(kind: str, address: str, authority: FakeAuthority) -> None:
    """A caller who makes them as long as can be keeps nothing out of the ledger."""
    async with guarding(kind, profile(address), rules=RULES) as edge:
        told = [decision(**MOST) for _ in range(600)]
        for each in told:
            edge.outbox.put(each)
        await eventually(lambda: len(authority.records.recorded) == len(told))
    assert list(authority.records.recorded) == [each.id for each in told]


async def _status(servicer: object, name: str) -> int:
    asked = health_pb2.HealthCheckRequest(service=name)
    answer = servicer.Check(asked, None)  # type: ignore[attr-defined]
    return int((await answer if asyncio.iscoroutine(answer) else answer).status)


async def _becomes(servicer: object, name: str, status: int) -> None:
    async with asyncio.timeout(10):
        while await _status(servicer, name) != status:
            await asyncio.sleep(0.01)


async def test_drop_shows_for_a_minute(
    kind: str, address: str, authority: FakeAuthority, clock: FakeClock
) -> None:
    """The name of the records is not serving, then is again; those of the service always are."""
    authority.records.refusals.extend([DOWN] * 1_000)
    servicer = health.aio.HealthServicer() if kind == "aio" else health.HealthServicer()
    made, how = profile(address), {"rules": RULES, "record": Recording(buffer=5), "clock": clock}
    async with guarding(kind, made, **how) as edge:
        await edge.report_health(servicer, "shop.Echo", records=("caracal.audit",))
        await _becomes(servicer, "shop.Echo", SERVING)
        await _becomes(servicer, "caracal.audit", SERVING)
        await edge.refused(8)
        await _becomes(servicer, "caracal.audit", NOT_SERVING)
        assert edge.edge.dropped == 3
        assert await _status(servicer, "shop.Echo") == SERVING
        authority.records.refusals.clear()
        await eventually(lambda: len(authority.records.recorded) == 5)
        assert await _status(servicer, "caracal.audit") == NOT_SERVING
        clock.advance(ALARM + 1)
        await _becomes(servicer, "caracal.audit", SERVING)
    assert sum(request.dropped for request in authority.records.requests[-1:]) == 3 or (
        len(authority.records.recorded) == 5
    )


async def test_metrics_tell_of_what_waits_and_what_was_dropped(
    kind: str, address: str, authority: FakeAuthority
) -> None:
    """A sum for the zone; what a closed edge dropped is not forgotten."""
    authority.records.refusals.extend([DOWN] * 1_000)
    shown = Shown()
    how = {"rules": RULES, "record": Recording(buffer=3), "telemetry": shown.telemetry("shop")}
    async with guarding(kind, profile(address), **how) as edge:
        await edge.refused(5)
        assert shown.count("caracal.edge.decisions.buffered", zone="shop") == 3
        assert shown.count("caracal.edge.decisions.dropped", zone="shop") == 2
    assert shown.count("caracal.edge.decisions.dropped", zone="shop") == 5


async def test_log_line_names_the_entry_that_it_becomes(
    kind: str, address: str, authority: FakeAuthority, caplog: pytest.LogCaptureFixture
) -> None:
    """An operator who reads the line can ask the ledger."""
    shown = Shown()
    caplog.set_level(logging.INFO, "caracal.guard")
    how = {"rules": RULES, "telemetry": shown.telemetry("shop")}
    async with guarding(kind, profile(address), **how) as edge:
        await edge.refused()
    (line,) = [each for each in caplog.records if "call refused" in each.getMessage()]
    assert set(authority.records.recorded) == {vars(line)["audit_id"]}


async def test_no_token_is_in_file_or_report(
    kind: str, address: str, authority: FakeAuthority, tmp_path: Path
) -> None:
    """Neither the caller's, nor the edge's own, nor its secret."""
    authority.records.refusals.extend([DOWN] * 1_000)
    recording = Recording(buffer=2, sampling_rate=1.0, spill=tmp_path / "spill")
    async with guarding(kind, profile(address), rules=RULES, record=recording) as edge:
        token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
        await edge.refused(3, metadata=(("authorization", f"Bearer {token}"),))
        await eventually(lambda: (tmp_path / "spill").stat().st_size > 0)
        await eventually(lambda: bool(authority.records.requests))
    written = (tmp_path / "spill").read_text() + str(authority.records.requests)
    secrets = [token, SECRET, *authority.issued.values()]
    parts = [part for secret in secrets for part in secret.split(".")]
    assert [part for part in parts if part in written] == []


async def test_memory_is_relieved_while_a_report_is_on_its_way(
    kind: str, address: str, authority: FakeAuthority, tmp_path: Path
) -> None:
    """A ledger that hangs loses nothing as long as the file has room; then all is in its order."""
    authority.records.held = asyncio.Event()
    path = tmp_path / "spill"
    recording = Recording(buffer=20, spill=path)
    async with guarding(kind, profile(address), rules=RULES, record=recording) as edge:
        await edge.refused()
        await eventually(lambda: len(authority.records.requests) == 1)
        told = some(60)
        for start in range(0, 60, 5):
            for each in told[start : start + 5]:
                edge.outbox.put(each)
            await eventually(lambda: not edge.outbox.crowded)
        assert edge.edge.dropped == 0
        assert len(path.read_text().splitlines()) > 40
        authority.records.held.set()
        await eventually(lambda: len(authority.records.recorded) == 61)
        await eventually(lambda: path.stat().st_size == 0)
    assert list(authority.records.recorded)[1:] == [each.id for each in told]


async def test_handlers_do_not_wait_for_a_slow_ledger(
    kind: str, address: str, authority: FakeAuthority
) -> None:
    """While a report is on its way, the guard answers as ever."""
    authority.records.held = asyncio.Event()
    async with guarding(kind, profile(address), rules=RULES) as edge:
        await edge.refused()
        await eventually(lambda: len(authority.records.requests) == 1)
        await edge.refused(20)
        assert authority.records.recorded == {}
        authority.records.held.set()
    assert len(authority.records.recorded) == 21


async def test_guard_that_meets_a_close_leaves_nothing_behind(
    kind: str, address: str, tmp_path: Path
) -> None:
    """Whoever is first: the file is free for the next edge, and nothing runs on."""
    recording = Recording(spill=tmp_path / "spill")
    for _ in range(5):
        if kind == "aio":
            edge = connect(profile(address), record=recording)
            await asyncio.gather(edge.guard(), edge.close(), return_exceptions=True)
            await edge.close()
        else:
            other = connect_sync(profile(address), record=recording)
            both = asyncio.to_thread(other.guard), asyncio.to_thread(other.close)
            await asyncio.gather(*both, return_exceptions=True)
            await asyncio.to_thread(other.close)
        open_file(tmp_path, owner="shop/app_1").close()
    assert "caracal-records" not in {thread.name for thread in threading.enumerate()}
    assert "caracal-records" not in {task.get_name() for task in asyncio.all_tasks()}
