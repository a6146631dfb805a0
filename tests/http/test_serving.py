"""The HTTP port of a served authority: off unless asked for, safe, and ended with it."""

from __future__ import annotations

import asyncio
import logging
import ssl
import sys
from contextlib import AsyncExitStack
from functools import partial
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from caracal_grpc.core.reason import Reason
from tests.http.port import Port, port_of, told
from tests.server.test_start import free_port, refusal
from tests.support.authority import Running, Starter, eventually, serve_values
from tests.support.etcd import EtcdProcess
from tests.support.etcd_tls import CertificateAuthority
from tests.support.mutual import start_mutual
from tests.support.shop import ORDERS, shop


@pytest.fixture
async def running(start_authority: Starter) -> Running:
    """An authority with the shop, in plaintext on loopback."""
    running = await start_authority(http_listen="127.0.0.1:0")
    await running.apply(shop())
    return running


async def test_it_is_off_unless_asked_for(start_authority: Starter) -> None:
    """No port, and none of its libraries is needed."""
    assert (await start_authority()).server.http_address == ""


async def test_it_serves_while_the_authority_does(running: Running) -> None:
    """Ready with it; told as it ends; gone after it."""
    port = port_of(running)

    async def ready() -> bool:
        return (await port.get("/readyz")).status == 200

    await eventually(ready)
    assert (await port.get("/metrics")).status == 404
    assert (await port.token("agent", ORDERS)).status == 200
    await running.server.stop()
    with pytest.raises(OSError, match=r"refused|failed"):
        await port.get("/healthz")


async def test_metrics_are_shown_when_asked_for(start_authority: Starter) -> None:
    """Of what this replica decided, by zone and reason."""
    running = await start_authority(http_listen="127.0.0.1:0", http_metrics=True)
    await running.apply(shop())
    port = port_of(running)
    assert (await port.token("agent", ORDERS)).status == 200
    shown = (await port.get("/metrics")).body.decode()
    granted = 'decision="allow",reason="",type="exchange",zone="shop"'
    assert f"caracal_entries_total{{{granted}}} 1.0" in shown


async def test_end_of_the_authority_is_told_first(running: Running) -> None:
    """Not ready, and refused as draining, while what runs finishes."""
    port = port_of(running)
    with running.server._drain.call():
        stopping = asyncio.create_task(running.server.stop())

        async def told_so() -> bool:
            return (await port.get("/readyz")).status == 503

        await eventually(told_so)
        answered = await port.token("agent", ORDERS)
        assert (answered.status, told(answered)["reason"]) == (503, Reason.DRAINING)
        assert (await port.get("/healthz")).status == 200
    await stopping


async def test_port_in_use_refuses_to_start(tmp_path: Path, etcd: EtcdProcess) -> None:
    """Before an operator is made, and nothing stays open."""
    async with AsyncExitStack() as closing:
        taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", free_port())
        closing.callback(taken.close)
        address = f"127.0.0.1:{taken.sockets[0].getsockname()[1]}"
        values = serve_values(tmp_path, etcd, http_listen=address)
        assert (await refusal(values)).fields == ["http_listen"]
        assert not values["bootstrap_profile"].exists()


async def test_missing_libraries_are_named(
    tmp_path: Path, etcd: EtcdProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the extra that brings them."""
    monkeypatch.setitem(sys.modules, "caracal_grpc.http.server", None)
    seen = await refusal(serve_values(tmp_path, etcd, http_listen="127.0.0.1:0"))
    assert seen.fields == ["http_listen"]
    assert "caracal-grpc[http]" in str(seen.error)


async def test_nothing_secret_is_logged(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    """Not at any level, of any library: neither what is good nor what is refused."""
    caplog.set_level(logging.DEBUG)
    port = port_of(running)
    token = await port.mandate("agent", ORDERS)
    secret = port.client("agent")["client_secret"]
    form = {"token": token, **port.client("agent")}
    await port.post("/introspect", form)
    await port.post("/revoke", form | {"client_secret": secret + "x"})
    await port.post("/token", b"broken&client_secret=" + secret.encode())
    await port.post(f"/token?client_secret={secret}", form)
    await port.get(f"/zones/shop/{secret}")
    await port.get("/readyz", ("authorization", f"Bearer {token}"))
    said = "\n".join(logging.Formatter().format(each) for each in caplog.records)
    assert secret not in said
    assert token.rpartition(".")[2] not in said


def fetched(port: int, context: ssl.SSLContext) -> int:
    """The status of a key set read over TLS."""
    connection = HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    try:
        connection.request("GET", "/zones/shop/.well-known/jwks.json")
        return connection.getresponse().status
    finally:
        connection.close()


async def test_tls_is_that_of_the_server(
    start_authority: Starter, tmp_path: Path, etcd_ca: CertificateAuthority
) -> None:
    """Keys are read without a client certificate; one of strangers ends the handshake."""
    address = f"127.0.0.1:{free_port()}"
    async with AsyncExitStack() as closing:
        start = partial(start_authority, http_listen=address)
        mutual = await start_mutual(start, tmp_path, etcd_ca, closing)
        context = ssl.create_default_context(cadata=etcd_ca.pem.decode())
        number = int(address.rpartition(":")[2])
        assert await asyncio.to_thread(fetched, number, context) == 200
        strangers = CertificateAuthority("strangers")
        mutual.roots = strangers
        pair = mutual.certificate("stranger")
        context.load_cert_chain(pair["cert_file"], pair["key_file"])
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.to_thread(fetched, number, context)


async def test_plaintext_is_no_answer_on_tls(
    start_authority: Starter, tmp_path: Path, etcd_ca: CertificateAuthority
) -> None:
    """A client that forgot the s has sent its secret to nobody who reads it."""
    address = f"127.0.0.1:{free_port()}"
    async with AsyncExitStack() as closing:
        start = partial(start_authority, http_listen=address)
        mutual = await start_mutual(start, tmp_path, etcd_ca, closing)
        known = mutual.operator.credentials["shop", "agent"]
        port = Port(address, lambda *_: (known.application_id, known.client_secret))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await port.token("agent", ORDERS)
