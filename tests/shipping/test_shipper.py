"""Shipping from a real authority: everything arrives, in order, whatever fails on the way."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import NumberDataPoint

from caracal_grpc.shipping.cursor import read_progress
from caracal_grpc.shipping.sinks.rotation import full_files
from caracal_grpc.v1.audit_service_pb2 import SearchRequest
from tests.shipping.conftest import INGEST
from tests.shipping.shipping import (
    FILE,
    SOON,
    arrived,
    decide,
    in_file,
    reached,
    recorded,
    shipping,
)
from tests.shipping.syslog_server import SyslogServer
from tests.support.authority import Running, Starter, eventually
from tests.support.etcd_tls import CertificateAuthority
from tests.support.otel import Shown
from tests.support.shop import CARACAL, PAYMENTS, shop
from tests.support.tls import write_tls
from tests.support.web import Answer, WebServer


def http(siem: WebServer, **more: Any) -> dict[str, Any]:
    """The sink `siem`."""
    sink = {"http": {"url": f"{siem.url}{INGEST}"}, "batch": SOON, "max_retry_seconds": 1.0}
    return {"siem": sink | more}


def at_server(siem: WebServer) -> list[tuple[str, str]]:
    """What the server was sent, in order."""
    return [each for request in siem.requests for each in arrived(request.body)]


def once(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without what came before."""
    return list(dict.fromkeys(found))


async def test_what_is_there_and_what_comes_arrives_in_order(
    authority: Running, siem: WebServer, tmp_path: Path
) -> None:
    """At every sink, once each when nothing fails."""
    await decide(authority, 5)
    async with shipping(authority, tmp_path, {**FILE, **http(siem)}):
        await decide(authority, 5)
        truth = await recorded(authority)
        for sink in ("archive", "siem"):
            await reached(tmp_path, sink, len(truth))
    assert len(truth) >= 10
    assert in_file(tmp_path) == at_server(siem) == truth


async def test_it_goes_on_where_it_was(authority: Running, tmp_path: Path) -> None:
    """Also after what was recorded while nobody shipped."""
    for _ in range(3):
        await decide(authority, 4)
        async with shipping(authority, tmp_path, FILE):
            await reached(tmp_path, "archive", len(await recorded(authority)))
    assert in_file(tmp_path) == await recorded(authority)


async def test_a_filter_says_what_is_sent(authority: Running, tmp_path: Path) -> None:
    """The rest is known to be none of the sink's, so it is not behind."""
    sinks = {"archive": FILE["archive"] | {"filter": {"decision": "deny", "type": "exchange"}}}
    async with shipping(authority, tmp_path, sinks) as shipper:
        await decide(authority, 2)
        request = authority.request("agent", PAYMENTS, "payments:charge")
        with pytest.raises(Exception, match="PERMISSION_DENIED"):
            await authority.stubs.tokens.Exchange(request)
        await decide(authority, 2)
        truth = await recorded(authority)

        async def idle() -> bool:
            place = read_progress(tmp_path / "state", "archive").zones["shop"]
            return place.read == len(truth)

        await eventually(idle)
        assert [lag.entries for lag in shipper.lags] == [0]
    (line,) = [json.loads(each) for each in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert line["reason"] == "POLICY_DENIED"


async def test_a_new_sink_can_begin_at_the_end(authority: Running, tmp_path: Path) -> None:
    """Then it gets what is recorded from now on."""
    await decide(authority, 3)
    before = await recorded(authority)
    sinks = {"archive": FILE["archive"] | {"begin": "end"}}
    async with shipping(authority, tmp_path, sinks):
        await reached(tmp_path, "archive", len(before))
        await decide(authority, 2)
        truth = await recorded(authority)
        await reached(tmp_path, "archive", len(truth))
    assert in_file(tmp_path) == truth[len(before) :]


async def test_a_sink_that_is_away_gets_all_once_it_is_back(
    authority: Running, siem: WebServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Refusing at first and then not there at all, while more is recorded."""
    siem.answers[INGEST] = Answer(b"", 503)
    with caplog.at_level(logging.INFO, "caracal.shipping"):
        async with shipping(authority, tmp_path, http(siem)):
            await decide(authority, 3)
            await siem.asked(INGEST, 2)
            await siem.stop()
            await decide(authority, 3)
            siem.answers[INGEST] = Answer(b"", 200)
            refused = len(siem.requests)
            await siem.start()
            truth = await recorded(authority)
            await reached(tmp_path, "siem", len(truth))
    taken = [each for request in siem.requests[refused:] for each in arrived(request.body)]
    assert taken == truth
    said = [record.message for record in caplog.records]
    assert sum("503" in each for each in said) == 1
    assert any(each.startswith("it is over that sink siem") for each in said)


async def test_a_sink_that_is_away_holds_no_place_at_the_authority(
    authority: Running, siem: WebServer, tmp_path: Path
) -> None:
    """Its stream is closed until it takes something again: others may need it."""
    siem.answers[INGEST] = Answer(b"", 503)
    assert authority.server._authority is not None
    places = authority.server._authority.reading._capacity

    async def free() -> bool:
        return not places._count

    async def taken() -> bool:
        return bool(places._count)

    await decide(authority, 1)
    async with shipping(authority, tmp_path, http(siem)):
        await siem.asked(INGEST)
        await eventually(free)
        await siem.asked(INGEST, 3)
        assert await free()
        siem.answers[INGEST] = Answer(b"", 200)
        await eventually(taken)


async def test_a_sink_that_refuses_stops_and_says_so(
    authority: Running, siem: WebServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is passed over, the others go on, and a restart goes on with that very batch."""
    siem.answers[INGEST] = Answer(b"", 403)
    sinks = {**FILE, **http(siem)}
    with caplog.at_level(logging.INFO, "caracal.shipping"):
        async with shipping(authority, tmp_path, sinks):
            await decide(authority, 3)
            truth = await recorded(authority)
            await reached(tmp_path, "archive", len(truth))

            async def stopped() -> bool:
                return "403" in read_progress(tmp_path / "state", "siem").stopped

            await eventually(stopped)

            async def alarmed() -> bool:
                return any("ALARM: sink siem" in each.message for each in caplog.records)

            await eventually(alarmed)
    assert siem.count(INGEST) == 1
    siem.answers[INGEST] = Answer(b"", 200)
    async with shipping(authority, tmp_path, sinks):
        await reached(tmp_path, "siem", len(truth))
        assert read_progress(tmp_path / "state", "siem").stopped == ""
    assert once(at_server(siem)) == truth


async def test_a_blocked_sink_holds_up_nobody(
    authority: Running, siem: WebServer, tmp_path: Path
) -> None:
    """Neither another sink nor an exchange; and it gets everything when it wakes up."""
    siem.hold(INGEST)
    sinks = {**FILE, **http(siem)}
    async with shipping(authority, tmp_path, sinks):
        await siem.asked(INGEST)
        for _ in range(30):
            await decide(authority, 50)
        truth = await recorded(authority)
        await reached(tmp_path, "archive", len(truth))
        assert siem.count(INGEST) == 1
        siem.release(INGEST)
        await reached(tmp_path, "siem", len(truth))
    assert len(truth) > 1500, "more than the connection buffers"
    assert in_file(tmp_path) == truth
    assert once(at_server(siem)) == truth


async def test_an_authority_that_restarts_is_waited_for(
    start_authority: Starter, tmp_path: Path
) -> None:
    """The stream is opened again behind what was delivered, and nothing is there twice."""
    first = await start_authority(etcd_prefix="test/shipping-restart")
    await first.apply(shop())
    port = first.address.rpartition(":")[2]
    async with shipping(first, tmp_path, FILE):
        await decide(first, 5)
        await reached(tmp_path, "archive", len(await recorded(first)))
        await first.server.stop()
        second = await start_authority(
            etcd_prefix="test/shipping-restart", listen=f"127.0.0.1:{port}"
        )
        second.credentials |= first.credentials
        await decide(second, 5)
        truth = await recorded(second)
        await reached(tmp_path, "archive", len(truth))
    assert in_file(tmp_path) == truth


async def test_a_mandate_that_is_revoked_is_replaced(
    authority: Running, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The stream is cut, and goes on with a fresh one where it was."""
    async with shipping(authority, tmp_path, FILE):
        await decide(authority, 2)
        await reached(tmp_path, "archive", len(await recorded(authority)))
        ours = await authority.exchange("operator", CARACAL, zone="caracal")
        authority._operator = ours.mandate  # the one that is not revoked
        granted = await authority.stubs.audit.Search(
            _granted(authority), metadata=await authority.operator()
        )
        for entry in granted.entries:
            if entry.id != ours.audit_id:
                await authority.revoke(entry.jti, "caracal")

        async def cut() -> bool:
            return any("MANDATE_REVOKED" in record.message for record in caplog.records)

        await eventually(cut)
        await decide(authority, 2)
        truth = await recorded(authority)
        await reached(tmp_path, "archive", len(truth))
    assert once(in_file(tmp_path)) == truth


async def test_a_ledger_that_was_replaced_is_not_taken_for_the_same(
    authority: Running, tmp_path: Path
) -> None:
    """A shorter one, or one with another entry in the place: nothing is sent, and it says why."""
    await decide(authority, 3)
    async with shipping(authority, tmp_path, FILE):
        truth = await recorded(authority)
        await reached(tmp_path, "archive", len(truth))
    before = in_file(tmp_path)
    cursor = tmp_path / "state" / "archive.json"
    was = json.loads(cursor.read_text())
    for change, said in (({"id": "aud_other"}, "and aud_other was sent"), ({"next": 999}, "999")):
        was["zones"]["shop"] |= change
        cursor.write_text(json.dumps(was))
        async with shipping(authority, tmp_path, FILE) as shipper:

            async def stopped(lag: Any = shipper.lags[0], said: str = said) -> bool:
                return said in lag.stopped

            await eventually(stopped)
    assert in_file(tmp_path) == before


async def test_rotation_under_load_loses_nothing(authority: Running, tmp_path: Path) -> None:
    """Every line is whole, in some file, and in order over all of them."""
    sink = {"file": {"path": "audit.jsonl", "max_bytes": 8192, "keep": 1000}, "batch": SOON}
    async with shipping(authority, tmp_path, {"archive": sink}):
        for _ in range(10):
            await decide(authority, 20)
        truth = await recorded(authority)
        await reached(tmp_path, "archive", len(truth))
    assert len(full_files(tmp_path / "audit.jsonl")) > 10
    assert in_file(tmp_path) == truth


async def test_the_end_waits_for_the_batch_on_its_way(
    authority: Running, siem: WebServer, tmp_path: Path
) -> None:
    """It arrives and is noted, so that nothing is sent twice."""
    siem.hold(INGEST)
    await decide(authority, 3)
    truth = await recorded(authority)
    async with shipping(authority, tmp_path, http(siem, batch={"max_seconds": 0.5})):
        await siem.asked(INGEST)
        asyncio.get_running_loop().call_later(0.3, siem.release, INGEST)
    assert read_progress(tmp_path / "state", "siem").zones["shop"].next == len(truth)
    assert at_server(siem) == truth


async def test_the_lag_is_shown_through_opentelemetry(
    authority: Running, siem: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seconds and entries by sink and zone, while it ships; nothing after."""
    shown = Shown()
    monkeypatch.setattr("opentelemetry.metrics.get_meter", shown.meters.get_meter)
    siem.hold(INGEST)
    await decide(authority, 4)
    sinks = http(siem, batch={"max_records": 1, "max_seconds": 0})
    async with shipping(authority, tmp_path, sinks, telemetry=True):
        await siem.asked(INGEST)
        points = _points(shown)
        assert points["caracal.shipping.lag.entries"][0][1] >= 4
        labels, seconds = points["caracal.shipping.lag"][0]
        assert labels == {"sink": "siem", "zone": "shop"}
        assert seconds > 0
        siem.release(INGEST)
        await reached(tmp_path, "siem", len(await recorded(authority)))
        assert _points(shown)["caracal.shipping.lag.entries"][0][1] == 0
    assert _points(shown) == {}


def _points(shown: Shown) -> dict[str, list[tuple[dict[str, Any], float]]]:
    """What the gauges say now."""
    data = shown.reader.get_metrics_data()
    metrics = [
        metric
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]
    points = {
        each.name: [
            (dict(point.attributes or {}), point.value)
            for point in each.data.data_points
            if isinstance(point, NumberDataPoint)
        ]
        for each in metrics
    }
    return {name: found for name, found in points.items() if found}


def _granted(authority: Running) -> Any:
    """The search for what the operator was granted."""
    return SearchRequest(
        zone="caracal",
        type="exchange",
        decision="AUDIT_DECISION_ALLOW",
        application_id=authority.profile.application_id,
        page_size=1000,
    )


async def test_a_syslog_receiver_that_dies_gets_the_rest_again(
    authority: Running, etcd_ca: CertificateAuthority, tmp_path: Path
) -> None:
    """In the middle of a batch: nothing is lost, and what comes twice has the same name."""
    files = write_tls(tmp_path, etcd_ca, "siem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(files.certificate, files.key)
    server = SyslogServer(tls, dies_after=7)
    await server.start()
    syslog = {"address": f"localhost:{server.port}", "ca_file": str(files.ca)}
    sink = {"logs": {"syslog": syslog, "batch": SOON, "max_retry_seconds": 1.0}}
    await decide(authority, 20)
    try:
        async with shipping(authority, tmp_path, sink):
            truth = await recorded(authority)
            await reached(tmp_path, "logs", len(truth))
            await server.got(7 + len(truth))
    finally:
        await server.stop()
    texts = [message.partition(b"\xef\xbb\xbf")[2] for message in server.messages]
    assert arrived(b"\n".join(texts)) == [*truth[:7], *truth]
