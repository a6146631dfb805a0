"""The HTTP sink against a real server: what it sends, and what each answer means."""

from __future__ import annotations

import gzip
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.crypto.secret_file import write_secret_file
from caracal_grpc.settings.receivers import HttpSink
from caracal_grpc.shipping.formats.table import FORMATS
from caracal_grpc.shipping.port import Format, SinkRefusedError, SinkUnavailableError
from caracal_grpc.shipping.sinks.http import HttpDelivery
from tests.shipping.records import FORM, batch, expected, keys
from tests.support.etcd_tls import CertificateAuthority
from tests.support.tls import write_tls
from tests.support.web import Answer, WebServer

PATH = "/ingest"
TAKEN = Answer(b"{}", 200)


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    """A server on loopback that takes everything."""
    server = WebServer(answers={PATH: TAKEN})
    await server.start()
    yield server
    await server.stop()


Maker = Callable[..., HttpDelivery]


@pytest.fixture
async def make(web: WebServer) -> AsyncIterator[Maker]:
    """Makes sinks of the server, which are closed after the test."""
    async with AsyncExitStack() as closing:

        def made(form: Format = FORM, ca: bytes | None = None, **settings: Any) -> HttpDelivery:
            values = {"url": f"{web.url}{PATH}", "timeout_seconds": 5.0, **settings}
            sink = HttpDelivery(HttpSink.model_validate(values), form, ca)
            closing.push_async_callback(sink.close)
            return sink

        yield made


async def test_a_batch_is_one_post_of_json_lines(web: WebServer, make: Maker) -> None:
    """In the order of the tree."""
    await make().send(batch(0, 3))
    (request,) = web.requests
    assert (request.method, request.path) == ("POST", PATH)
    assert request.headers["content-type"] == "application/x-ndjson"
    assert "authorization" not in request.headers
    assert keys(request.body) == expected(range(3))


async def test_a_batch_can_be_one_array(web: WebServer, make: Maker) -> None:
    """For servers that parse a body as a whole."""
    await make(FORMATS["json"](True)).send(batch(0, 3))
    assert web.requests[0].headers["content-type"] == "application/json"
    assert [each["index"] for each in json.loads(web.requests[0].body)] == [0, 1, 2]


async def test_a_body_can_be_compressed(web: WebServer, make: Maker) -> None:
    """It says so, and holds the same."""
    await make(gzip=True).send(batch(0, 200))
    (request,) = web.requests
    assert request.headers["content-encoding"] == "gzip"
    assert keys(gzip.decompress(request.body)) == expected(range(200))
    assert len(request.body) < len(FORM.body(batch(0, 200))) / 4


async def test_a_credential_is_read_anew_for_each_batch(
    web: WebServer, make: Maker, tmp_path: Path
) -> None:
    """So it can be replaced while the process runs."""
    token = tmp_path / "token"
    sink = make(token_file=token)
    for value in ("first", "second"):
        write_secret_file(token, value)
        await sink.send(batch(0, 1))
    sent = [request.headers["authorization"] for request in web.requests]
    assert sent == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize(
    ("scheme", "sent"), [("Splunk", "Splunk s3cret"), ("", "s3cret")], ids=["scheme", "bare"]
)
async def test_a_credential_goes_where_the_server_wants_it(
    web: WebServer, make: Maker, tmp_path: Path, scheme: str, sent: str
) -> None:
    """Into any header, behind any word."""
    write_secret_file(tmp_path / "key", "s3cret")
    await make(token_file=tmp_path / "key", header="X-Api-Key", scheme=scheme).send(batch(0, 1))
    assert web.requests[0].headers["x-api-key"] == sent


async def test_a_credential_that_others_can_read_is_not_sent(
    web: WebServer, make: Maker, tmp_path: Path
) -> None:
    """The batch waits until the file is private."""
    token = tmp_path / "token"
    write_secret_file(token, "s3cret")
    token.chmod(0o644)
    with pytest.raises(SinkUnavailableError, match="token_file") as caught:
        await make(token_file=token).send(batch(0, 1))
    assert "s3cret" not in str(caught.value)
    assert web.requests == []


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408, 425])
async def test_a_refusal_of_a_moment_is_retried(web: WebServer, make: Maker, status: int) -> None:
    """The server itself is in trouble, or asks for patience."""
    web.answers[PATH] = Answer(b"", status)
    with pytest.raises(SinkUnavailableError, match=str(status)) as caught:
        await make().send(batch(0, 1))
    assert caught.value.retry_after is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 301, 302, 307])
async def test_any_other_refusal_is_for_good(web: WebServer, make: Maker, status: int) -> None:
    """Nothing would be gained by trying again; a redirect is not followed."""
    web.answers[PATH] = Answer(b"", status, {"Location": f"{web.url}/elsewhere"})
    with pytest.raises(SinkRefusedError, match=str(status)):
        await make().send(batch(0, 1))
    assert web.count("/elsewhere") == 0


async def test_a_server_says_when_to_come_back(web: WebServer, make: Maker) -> None:
    """In seconds, or as a date; what cannot be read is passed over (RFC 9110 section 10.2.3)."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    found = []
    for said in ("7", date, "soon", "-3"):
        web.answers[PATH] = Answer(b"", 503, {"Retry-After": said})
        with pytest.raises(SinkUnavailableError) as caught:
            await make().send(batch(0, 1))
        found.append(caught.value.retry_after)
    seconds, until, *unread = found
    assert seconds == 7
    assert until is not None
    assert 60 < until <= 90
    assert unread == [None, None]


async def test_a_server_that_is_not_there_is_waited_for(web: WebServer, make: Maker) -> None:
    """The same batch arrives once it is back."""
    sink = make()
    await web.stop()
    with pytest.raises(SinkUnavailableError):
        await sink.send(batch(0, 2))
    await web.start()
    await sink.send(batch(0, 2))
    assert keys(web.requests[0].body) == expected(range(2))


async def test_a_server_that_does_not_answer_is_given_up(web: WebServer, make: Maker) -> None:
    """After the time that the settings give it; nobody knows whether it took the batch."""
    web.hold(PATH)
    with pytest.raises(SinkUnavailableError, match="in time"):
        await make(timeout_seconds=0.2).send(batch(0, 1))
    web.release(PATH)


async def test_a_private_address_must_be_allowed(web: WebServer, make: Maker) -> None:
    """As for all that goes out: https to a network that is not the internet's needs a word."""
    https = f"https://localhost:{web.port}{PATH}"
    with pytest.raises(SinkUnavailableError, match="egress_allow"):
        await make(url=https).send(batch(0, 1))
    assert web.requests == []


async def test_a_ca_of_ones_own_is_trusted(
    etcd_ca: CertificateAuthority, make: Maker, tmp_path: Path
) -> None:
    """And without it the server is not believed."""
    files = write_tls(tmp_path, etcd_ca, "siem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    web = WebServer(tls=context, answers={PATH: TAKEN})
    await web.start()
    try:
        where = {"url": f"{web.url}{PATH}", "egress_allow": ["127.0.0.0/8"]}
        with pytest.raises(SinkUnavailableError):
            await make(**where).send(batch(0, 1))
        await make(ca=files.ca.read_bytes(), **where).send(batch(0, 2))
        assert keys(web.requests[0].body) == expected(range(2))
    finally:
        await web.stop()


async def test_a_server_may_ask_for_a_certificate_of_ours(
    etcd_ca: CertificateAuthority, make: Maker, tmp_path: Path
) -> None:
    """It is shown when there is one, and the new one once the old one is refused."""
    files = write_tls(tmp_path, etcd_ca, "siem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(files.ca)
    own = write_tls(tmp_path, etcd_ca, "shipper")
    web = WebServer(tls=context, answers={PATH: TAKEN})
    await web.start()
    try:
        where = {"url": f"{web.url}{PATH}", "egress_allow": ["127.0.0.0/8"]}
        ca = files.ca.read_bytes()
        with pytest.raises(SinkUnavailableError):
            await make(ca=ca, **where).send(batch(0, 1))
        good = own.certificate.read_bytes(), own.key.read_bytes()
        certificate, key = CertificateAuthority().issue("stranger", ("localhost",))
        own.certificate.write_bytes(certificate)
        own.key.write_bytes(key)
        sink = make(ca=ca, cert_file=own.certificate, key_file=own.key, **where)
        with pytest.raises(SinkUnavailableError):
            await sink.send(batch(0, 1))
        own.certificate.write_bytes(good[0])
        own.key.write_bytes(good[1])
        await sink.send(batch(0, 2))
        assert keys(web.requests[0].body) == expected(range(2))
    finally:
        await web.stop()
