"""What a guard shows through OpenTelemetry: all that was decided, and nothing that opens a door."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from opentelemetry.instrumentation.grpc import aio_server_interceptor, server_interceptor

from caracal_grpc.core.reason import Reason
from caracal_grpc.telemetry import JsonLines
from tests.interceptors.conftest import Eventually
from tests.support.echo import AIO_METHODS, SERVICE, STREAMS, SYNC_METHODS, path
from tests.support.echo_client import bearing, ending
from tests.support.echo_server import Setup, Stage, aio_stage, sync_stage
from tests.support.keys import RESOURCE, ZONE, Mint, chain
from tests.support.otel import Shown

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLERS_SPAN = ("traceparent", f"00-{TRACE}-b7ad6b7169203331-01")

DENIED = grpc.StatusCode.PERMISSION_DENIED.value[0]
SERVERS = {"aio": aio_stage, "sync": sync_stage}
CALLS = [("aio", name) for name in AIO_METHODS] + [("sync", name) for name in SYNC_METHODS]
CUTS = [case for case in CALLS if case[1] in STREAMS]


@pytest.fixture(params=list(SERVERS))
async def stage(request: pytest.FixtureRequest, shown: Shown) -> AsyncIterator[Stage]:
    """A server of either kind, with telemetry."""
    async with SERVERS[request.param](watched(shown)) as opened:
        yield opened


def watched(shown: Shown, **how: Any) -> Setup:
    """A server with telemetry."""
    return Setup(options={"observer": shown.telemetry()}, **how)


def lines(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What the guard logged."""
    return [record for record in caplog.records if record.name == "caracal.guard"]


@pytest.mark.parametrize(("kind", "name"), CALLS)
async def test_an_allowed_call_says_who_was_let_in_to_what(
    shown: Shown, kind: str, name: str
) -> None:
    """In every style of handler: one span, a child of the caller's, and one count."""
    async with SERVERS[kind](watched(shown)) as stage:
        mandate = stage.mint.mandate(**chain(2))
        metadata = [*bearing(stage.mint.token(mandate)), CALLERS_SPAN]
        assert len(await stage.client.call(name, metadata)) == 1
    assert await shown.span() == {
        "zone": ZONE,
        "application": mandate.application,
        "resource": RESOURCE,
        "audit_id": mandate.audit_id,
        "hops": 2,
        "decision": "allowed",
    }
    (span,) = shown.exporter.get_finished_spans()
    assert span.parent is not None
    assert (span.name, f"{span.parent.trace_id:032x}") == (path(name), TRACE)
    labels = {"zone": ZONE, "service": SERVICE, "method": name, "decision": "allowed", "reason": ""}
    assert shown.points("caracal.guard.decisions") == [(labels, 1)]
    assert shown.count("caracal.guard.verification", zone=ZONE, decision="allowed") == 1


@pytest.mark.parametrize(("kind", "name"), CALLS)
async def test_a_refused_call_says_why(
    shown: Shown, kind: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With the status of the call; and a line that names the grant."""
    caplog.set_level(logging.INFO, logger="caracal.guard")
    async with SERVERS[kind](watched(shown)) as stage:
        mandate = stage.mint.mandate(scopes=frozenset({"echo:other"}))
        metadata = [*bearing(stage.mint.token(mandate)), ("x-request-id", "req-7")]
        await stage.client.refusal(name, metadata)
    said = await shown.span()
    assert (said["decision"], said["reason"]) == ("refused", "SCOPE_INSUFFICIENT")
    assert (said["application"], said["audit_id"]) == (mandate.application, mandate.audit_id)
    (span,) = shown.exporter.get_finished_spans()
    assert (span.attributes or {})["rpc.grpc.status_code"] == DENIED
    reason = {"decision": "refused", "reason": "SCOPE_INSUFFICIENT"}
    assert shown.count("caracal.guard.decisions", method=name, **reason) == 1
    assert shown.count("caracal.guard.decisions") == 1
    (line,) = lines(caplog)
    said_of = json.loads(JsonLines().format(line))
    assert (said_of["jti"], said_of["mandate_audit_id"]) == (mandate.jti, mandate.audit_id)
    assert said_of["audit_id"].startswith("aud_")
    assert said_of["audit_id"] != mandate.audit_id, "the refusal has an entry of its own"
    assert said_of["request_id"] == "req-7"


@pytest.mark.parametrize(("kind", "name"), CUTS)
async def test_a_cut_stream_says_why(
    shown: Shown, kind: str, name: str, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    """It was let in, and counted so; its end is counted apart, and written on its span."""
    caplog.set_level(logging.INFO, logger="caracal.guard")
    async with SERVERS[kind](watched(shown)) as stage:
        mandate = stage.mint.mandate()
        metadata = [*bearing(stage.mint.token(mandate)), ("x-request-id", "req-7")]
        call = await stage.client.open(name, metadata, "idle")
        await eventually(lambda: bool(stage.journal.ran))
        stage.view.revoke(mandate.jti)
        assert (await ending(call)).reason is Reason.MANDATE_REVOKED
        await eventually(lambda: bool(lines(caplog)))
    said = await shown.span()
    assert (said["decision"], said["reason"]) == ("cut", "MANDATE_REVOKED")
    labels = {"zone": ZONE, "service": SERVICE, "method": name, "reason": "MANDATE_REVOKED"}
    assert shown.points("caracal.guard.cut_streams") == [(labels, 1)]
    assert shown.count("caracal.guard.decisions", decision="allowed") == 1
    assert shown.count("caracal.guard.decisions") == 1
    (line,) = lines(caplog)
    assert (vars(line)["jti"], vars(line)["reason"]) == (mandate.jti, "MANDATE_REVOKED")
    assert vars(line)["request_id"] == "req-7"


async def test_no_token_is_shown(
    shown: Shown, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """Good, refused, forged, in pieces, twice or in another header: not in span, metric or log."""
    caplog.set_level(logging.DEBUG)
    good, scopeless = stage.mint.token(), stage.mint.token(scopes=frozenset({"echo:other"}))
    forged = Mint().token()
    broken = good[:-8] + "AAAAAAAA"
    await stage.client.call("Unary", bearing(good))
    await stage.client.call("Chat", bearing(good))
    for token in (scopeless, forged, broken, f"{good}.more"):
        await stage.client.refusal("Unary", bearing(token))
    await stage.client.refusal("Unary", [*bearing(good), *bearing(scopeless)])
    await stage.client.refusal("Undeclared", bearing(good))
    await shown.spans(8)
    everything = shown.everything() + "".join(
        f"{record.getMessage()} {vars(record)}" for record in caplog.records
    )
    assert "caracal.guard" in caplog.text
    for token in (good, scopeless, forged, broken):
        for part in token.split("."):
            assert part not in everything


async def test_an_unreadable_token_is_believed_in_nothing(shown: Shown, stage: Stage) -> None:
    """What a stranger signed names no application, not even in a span."""
    await stage.client.refusal("Unary", bearing(Mint().token()))
    said = await shown.span()
    assert said.pop("reason") in {"KEY_UNKNOWN", "MANDATE_SIGNATURE_INVALID"}
    assert said == {"zone": ZONE, "resource": RESOURCE, "decision": "refused"}


async def test_labels_are_of_the_rules_and_never_of_a_caller(shown: Shown, stage: Stage) -> None:
    """However many callers, ids and undeclared methods there are, no series is added."""
    for _ in range(5):
        await stage.client.call("Unary", bearing(stage.mint.token()))
        await stage.client.refusal("Unary", bearing(stage.mint.token(zone="umbrella")))
        await stage.client.refusal("Undeclared", bearing(stage.mint.token()))
    series = {
        (found["service"], found["method"], found["reason"]): value
        for found, value in shown.points("caracal.guard.decisions")
    }
    assert series == {
        (SERVICE, "Unary", ""): 5,
        (SERVICE, "Unary", "ZONE_MISMATCH"): 5,
        ("", "", "METHOD_NOT_DECLARED"): 5,
    }


async def test_a_public_method_has_a_span_and_no_decision(shown: Shown, stage: Stage) -> None:
    """Nothing was decided about it."""
    assert await stage.client.call("Open") == ["hi"]
    assert (await shown.span(), shown.points("caracal.guard.decisions")) == ({}, [])


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("name", ["Unary", "Expand"])
async def test_a_span_of_the_services_own_serves(shown: Shown, kind: str, name: str) -> None:
    """Who traces already gets the decision on that span, and no second one."""
    makers = {"aio": aio_server_interceptor, "sync": server_interceptor}
    outer = (makers[kind](shown.tracers),)
    async with SERVERS[kind](watched(shown, outer=outer)) as stage:
        await stage.client.call(name, bearing(stage.mint.token()))
    assert (await shown.span())["decision"] == "allowed"


async def test_open_streams_are_shown_until_the_edge_is_closed(
    shown: Shown, eventually: Eventually
) -> None:
    """The guards of a zone together, however many there are in the process."""
    first, second = shown.telemetry(), shown.telemetry()
    async with (
        aio_stage(Setup(options={"observer": first})) as one,
        sync_stage(Setup(options={"observer": second})) as two,
    ):
        first.watch(_Feed(3.0, 7), one.guard)
        second.watch(_Feed(5.0, 6), two.guard)
        calls = [
            await stage.client.open("Expand", bearing(stage.mint.token()), "idle")
            for stage in (one, one, two)
        ]
        zone = {"zone": ZONE}
        assert shown.points("caracal.guard.open_streams") == [(zone, 3)]
        assert shown.points("caracal.guard.staleness") == [(zone, 5.0)]
        assert shown.points("caracal.guard.applied_revision") == [(zone, 6)]
        second.close()
        assert shown.points("caracal.guard.open_streams") == [(zone, 2)]
        for call in calls:
            call.cancel()
        await eventually(lambda: shown.points("caracal.guard.open_streams") == [(zone, 0)])
        first.close()
        assert shown.points("caracal.guard.open_streams") == []


async def test_telemetry_that_fails_changes_no_verdict(
    shown: Shown, stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It only watches."""

    def fail(*_: object) -> None:
        raise ValueError("the meter fell over")

    monkeypatch.setattr("caracal_grpc.interceptors.telemetry.metrics.Instruments.decided", fail)
    monkeypatch.setattr("caracal_grpc.interceptors.telemetry.metrics.Instruments.cut", fail)
    assert len(await stage.client.call("Unary", bearing(stage.mint.token()))) == 1
    error = await stage.client.refusal("Unary")
    assert (error.reason, error.code) == (Reason.MANDATE_MISSING, "UNAUTHENTICATED")
    assert "the meter fell over" in caplog.text


class _Feed:
    """The state of a feed."""

    def __init__(self, seconds: float, revision: int) -> None:
        self.seconds = seconds
        self.revision = revision

    def age(self) -> float:
        """As given."""
        return self.seconds


@pytest.mark.parametrize("name", ["Collect", "Expand", "Chat"])
async def test_a_stream_without_room_is_one_refusal(shown: Shown, name: str) -> None:
    """It was never let in: the bound on the threads of a sync server is part of the verdict."""
    options = {"observer": shown.telemetry(), "max_handlers": 0}
    async with sync_stage(Setup(options=options)) as stage:
        error = await stage.client.refusal(name, bearing(stage.mint.token()))
    assert error.reason is Reason.LIMIT_EXCEEDED
    labels = {"zone": ZONE, "service": SERVICE, "method": name}
    labels |= {"decision": "refused", "reason": "LIMIT_EXCEEDED"}
    assert shown.points("caracal.guard.decisions") == [(labels, 1)]
    assert shown.points("caracal.guard.cut_streams") == []
    said = await shown.span()
    assert (said["decision"], said["reason"]) == ("refused", "LIMIT_EXCEEDED")


async def test_a_stream_that_a_closing_guard_ends_was_let_in_and_is_cut(shown: Shown) -> None:
    """It is no refusal: its handler ran."""
    async with sync_stage(watched(shown)) as stage:
        call = await stage.client.open("Chat", bearing(stage.mint.token()), "hi")
        await asyncio.to_thread(stage.guard.close)
        assert await call.code() is not grpc.StatusCode.OK
    assert shown.count("caracal.guard.decisions", decision="allowed") == 1
    assert shown.count("caracal.guard.decisions") == 1
    assert shown.count("caracal.guard.cut_streams", reason="DRAINING") == 1
