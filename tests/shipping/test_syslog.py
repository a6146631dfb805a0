"""The syslog sink against a real receiver over TLS: what is not confirmed is sent again."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.settings.shipping import SinkSettings
from caracal_grpc.shipping.making import make_sink
from caracal_grpc.shipping.port import Sink, SinkUnavailableError
from tests.shipping.records import batch, expected
from tests.shipping.syslog_server import SyslogServer
from tests.support.etcd_tls import CertificateAuthority
from tests.support.tls import TlsFiles, write_tls


@pytest.fixture
def files(tmp_path: Path, etcd_ca: CertificateAuthority) -> TlsFiles:
    """The key pair of the receiver."""
    return write_tls(tmp_path, etcd_ca, "siem")


@pytest.fixture
async def server(files: TlsFiles) -> AsyncIterator[SyslogServer]:
    """A receiver on loopback."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(files.certificate, files.key)
    made = SyslogServer(tls)
    await made.start()
    yield made
    await made.stop()


Maker = Callable[..., Sink]


@pytest.fixture
async def make(server: SyslogServer, files: TlsFiles) -> AsyncIterator[Maker]:
    """Makes sinks of the receiver, which are closed after the test."""
    async with AsyncExitStack() as closing:

        def made(**settings: Any) -> Sink:
            values = {
                "address": f"localhost:{server.port}",
                "ca_file": files.ca,
                "timeout_seconds": 5.0,
                "settle_seconds": 0.05,
                **settings,
            }
            read = {name: value for name, value in values.items() if value is not None}
            sink = make_sink("logs", SinkSettings.model_validate({"syslog": read}))
            closing.push_async_callback(sink.close)
            return sink

        yield made


def keys(server: SyslogServer) -> list[str]:
    """The keys of what it got."""
    texts = (message.partition(b"\xef\xbb\xbf")[2] for message in server.messages)
    return [json.loads(text)["key"] for text in texts]


async def test_batches_go_over_one_connection(server: SyslogServer, make: Maker) -> None:
    """Message by message, in order."""
    sink = make()
    await sink.open()
    for start in (0, 3, 6):
        await sink.send(batch(start, start + 3))
    await server.got(9)
    assert keys(server) == expected(range(9))
    assert server.connections == 1


async def test_a_connection_that_breaks_within_a_batch_is_found(
    server: SyslogServer, make: Maker
) -> None:
    """The batch is not taken for delivered, and arrives whole on the next connection."""
    server.dies_after = 5
    sink = make(settle_seconds=1.0)
    with pytest.raises(SinkUnavailableError, match=r"broke|closed"):
        await sink.send(batch(0, 10))
    await sink.send(batch(0, 10))
    await server.got(15)
    assert keys(server) == [*expected(range(5)), *expected(range(10))]


async def test_a_receiver_that_goes_away_between_batches_is_found(
    server: SyslogServer, make: Maker
) -> None:
    """Nothing is written into the connection of before."""
    sink = make()
    await sink.send(batch(0, 2))
    await server.got(2)
    await server.stop()
    with pytest.raises(SinkUnavailableError):
        await sink.send(batch(2, 4))
    await server.start()
    await sink.send(batch(2, 4))
    await server.got(4)
    assert keys(server) == expected(range(4))


async def test_a_receiver_that_takes_nothing_confirms_nothing(
    server: SyslogServer, make: Maker
) -> None:
    """Bytes in its way are no delivery: in time the batch is given up, and sent again."""
    server.reads.clear()
    sink = make(timeout_seconds=0.5)
    with pytest.raises(SinkUnavailableError, match="in time"):
        await sink.send(batch(0, 2000, resource="r" * 8000))
    server.reads.set()
    patient = make(timeout_seconds=60.0)
    await patient.send(batch(5000, 5020))
    async with asyncio.timeout(20):
        while not set(expected(range(5000, 5020))) <= set(keys(server)):
            await asyncio.sleep(0.01)
    assert len(server.messages) < 2020


async def test_a_receiver_is_known_by_its_certificate(server: SyslogServer, make: Maker) -> None:
    """One of a CA that nobody named, or of another name, gets nothing."""
    for wrong in ({"ca_file": None}, {"server_name": "other.example"}):
        with pytest.raises(SinkUnavailableError, match="no connection"):
            await make(**wrong).send(batch(0, 1))
    assert server.messages == []


async def test_a_receiver_can_ask_who_sends(
    server: SyslogServer,
    files: TlsFiles,
    etcd_ca: CertificateAuthority,
    make: Maker,
    tmp_path: Path,
) -> None:
    """A certificate is shown when there is one; without it nothing is taken for delivered."""
    server.tls.verify_mode = ssl.CERT_REQUIRED
    server.tls.load_verify_locations(files.ca)
    own = write_tls(tmp_path, etcd_ca, "shipper")
    with pytest.raises(SinkUnavailableError):
        await make(settle_seconds=0.5).send(batch(0, 1))
    assert server.messages == []
    await make(cert_file=own.certificate, key_file=own.key).send(batch(0, 1))
    await server.got(1)


async def test_a_certificate_that_is_replaced_is_shown(
    server: SyslogServer,
    files: TlsFiles,
    etcd_ca: CertificateAuthority,
    make: Maker,
    tmp_path: Path,
) -> None:
    """By the next connection, once the old one is refused."""
    server.tls.verify_mode = ssl.CERT_REQUIRED
    server.tls.load_verify_locations(files.ca)
    own = write_tls(tmp_path, etcd_ca, "shipper")
    good = own.certificate.read_bytes(), own.key.read_bytes()
    certificate, key = CertificateAuthority().issue("stranger", ("localhost",))
    own.certificate.write_bytes(certificate)
    own.key.write_bytes(key)
    sink = make(cert_file=own.certificate, key_file=own.key, settle_seconds=0.5)
    with pytest.raises(SinkUnavailableError):
        await sink.send(batch(0, 1))
    own.certificate.write_bytes(good[0])
    own.key.write_bytes(good[1])
    await sink.send(batch(0, 1))
    await server.got(1)


async def test_nobody_else_is_spoken_to_in_the_clear(make: Maker) -> None:
    """A server without TLS is no receiver."""

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        with pytest.raises(SinkUnavailableError, match="no connection"):
            await make(address=f"localhost:{port}").send(batch(0, 1))
