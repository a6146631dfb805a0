"""Connections are taken one by one: each counts from its first packet, and none is lost."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import ssl
from contextlib import AsyncExitStack
from dataclasses import replace
from http.client import HTTPSConnection
from pathlib import Path

import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tests.http.raw import SHORT, connect, serving, statuses
from tests.support.authority import eventually
from tests.support.etcd_tls import CertificateAuthority
from tests.support.tls import write_tls

PATIENT = replace(SHORT, handshake_seconds=600, head_seconds=600)


async def answers(scope: Scope, receive: Receive, send: Send) -> None:
    """An application."""
    await Response("done")(scope, receive, send)


@pytest.fixture
def tls(etcd_ca: CertificateAuthority, tmp_path: Path) -> ssl.SSLContext:
    """That of a server."""
    files = write_tls(tmp_path, etcd_ca, "authority")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    return context


async def test_silent_handshake_ends(tls: ssl.SSLContext) -> None:
    """Who begins no TLS holds no connection."""
    async with serving(answers, tls=tls) as address, connect(address) as line:
        await line.say(b"\x16\x03\x01")
        assert await line.rest() == b""


async def test_handshakes_have_the_limit_of_connections(
    tls: ssl.SSLContext, etcd_ca: CertificateAuthority
) -> None:
    """Who begins no TLS takes no more files of the process than who does, and gives them back."""
    client = ssl.create_default_context(cadata=etcd_ca.pem.decode())

    def asked(port: int) -> int:
        connection = HTTPSConnection("127.0.0.1", port, context=client, timeout=10)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        finally:
            connection.close()

    async with serving(answers, replace(PATIENT, connections=2), tls) as address:
        port = int(address.rpartition(":")[2])
        assert await asyncio.to_thread(asked, port) == 200
        async with AsyncExitStack() as silent:
            for _ in range(2):
                await silent.enter_async_context(connect(address))
            async with connect(address) as third:
                assert await third.rest() == b""

        async def served() -> bool:
            try:
                return await asyncio.to_thread(asked, port) == 200
            except OSError:
                return False

        await eventually(served)


async def test_the_end_waits_for_no_handshake(tls: ssl.SSLContext) -> None:
    """It is over for both sides."""
    async with AsyncExitStack() as open_:
        async with serving(answers, PATIENT, tls) as address:
            line = await open_.enter_async_context(connect(address))
            await line.say(b"\x16\x03\x01")
            await asyncio.sleep(0.05)
        assert await line.rest() == b""


async def test_without_a_file_for_it_a_connection_waits(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is taken when there is one; the process does not spin meanwhile."""
    monkeypatch.setattr("caracal_grpc.http.listener._PAUSE", 0.1)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with serving(answers) as address:
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port))) as waiting:
            waiting.setblocking(False)
            waiting.send(b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
            free = os.dup(waiting.fileno())
            os.close(free)
            resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
            try:
                await asyncio.sleep(0.25)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert 1 <= caplog.text.count("no connection is taken") < 20
            async with asyncio.timeout(10):
                heard = await asyncio.get_running_loop().sock_recv(waiting, 65_536)
    assert statuses(heard) == [200]
