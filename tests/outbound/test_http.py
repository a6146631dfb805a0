"""Requests to the outside: where they may go, how much they take, and how long."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest

from caracal_grpc.outbound.egress import LOOPBACK, Network
from caracal_grpc.outbound.http import HttpOutbound
from caracal_grpc.outbound.names import Address, Names
from caracal_grpc.outbound.port import OutboundError
from tests.support.etcd_tls import CertificateAuthority
from tests.support.tls import write_tls
from tests.support.web import Answer, WebServer

LIMIT = 100_000


class Told(Names):
    """A name server that answers as a test says, each answer once, the last one for ever."""

    def __init__(self, *answers: str) -> None:
        super().__init__()
        self.answers = list(answers)

    async def addresses(self, host: str) -> list[Address]:
        """The next answer."""
        address = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, address)]


@asynccontextmanager
async def outbound(
    allowed: tuple[Network, ...] = LOOPBACK, **how: object
) -> AsyncIterator[HttpOutbound]:
    """A client that is closed again."""
    client = HttpOutbound(allowed, **how)  # type: ignore[arg-type]
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    """A server that has something to say."""
    server = WebServer(answers={"/": Answer(b"hello")})
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[tuple[WebServer, bytes]]:
    """The same over TLS, with the CA that vouches for it."""
    ca = CertificateAuthority()
    files = write_tls(tmp_path, ca, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    server = WebServer(tls=context, answers={"/": Answer(b"hello")})
    await server.start()
    yield server, ca.pem
    await server.stop()


async def why(client: HttpOutbound, url: str, limit: int = LIMIT) -> str:
    """Why there is no answer."""
    with pytest.raises(OutboundError) as refused:
        await client.get(url, limit)
    return str(refused.value)


async def test_get_answers_with_the_body(web: WebServer) -> None:
    """By name and by number, with nothing that says more than who asks."""
    async with outbound() as client:
        assert await client.get(web.url + "/", LIMIT) == b"hello"
        assert await client.get(f"http://127.0.0.1:{web.port}/", 5) == b"hello"
    headers = web.requests[0].headers
    assert headers["accept-encoding"] == "identity"
    assert "cookie" not in headers
    assert "authorization" not in headers


async def test_post_delivers(web: WebServer) -> None:
    """The body as it is; any 2xx is an answer."""
    web.answers["/"] = Answer(status=202)
    async with outbound() as client:
        await client.post(web.url + "/", b"x" * 50_000, "application/secevent+jwt")
    request = web.requests[0]
    assert (request.method, request.body) == ("POST", b"x" * 50_000)
    assert request.headers["content-type"] == "application/secevent+jwt"


@pytest.mark.parametrize("status", [204, 301, 302, 307, 308, 400, 404, 500])
async def test_get_takes_200_only(web: WebServer, status: int) -> None:
    """A redirect is not followed: where it leads nobody declared."""
    web.answers["/"] = Answer(b"", status, {"Location": f"{web.url}/elsewhere"})
    async with outbound() as client:
        assert str(status) in await why(client, web.url + "/")
    assert web.count("/elsewhere") == 0


@pytest.mark.parametrize("status", [302, 307, 400, 503])
async def test_post_takes_2xx_only(web: WebServer, status: int) -> None:
    """Nor is a delivery redirected."""
    web.answers["/"] = Answer(b"", status, {"Location": f"{web.url}/elsewhere"})
    async with outbound() as client:
        with pytest.raises(OutboundError, match=str(status)):
            await client.post(web.url + "/", b"{}", "application/json")
    assert web.count("/elsewhere") == 0


async def test_answer_is_bounded(web: WebServer) -> None:
    """Exactly the limit is taken, and one byte more is not."""
    web.answers["/"] = Answer(b"x" * LIMIT)
    async with outbound() as client:
        assert len(await client.get(web.url + "/", LIMIT)) == LIMIT
        assert "longer than" in await why(client, web.url + "/", LIMIT - 1)


async def test_compressed_answer_is_refused(web: WebServer) -> None:
    """Nobody asked for it, and a bound on it would not bound what it grows to."""
    web.answers["/"] = Answer(b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    async with outbound() as client:
        assert "compressed" in await why(client, web.url + "/")


async def test_answer_that_does_not_come_is_given_up(web: WebServer) -> None:
    """After the time of the client, whatever the server does."""
    web.hold("/")
    async with outbound(timeout=0.05) as client:
        assert "in time" in await why(client, web.url + "/")


STRANGE = {
    "nothing": b"",
    "no http": b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
    "a wrong length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello",
    "a long header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
    "wrong chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
    "endless chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"4000\r\n" + b"x" * 0x4000 + b"\r\n" + b"4000\r\n" + b"x" * 0x4000 + b"\r\n",
}


@pytest.mark.parametrize("what", STRANGE)
async def test_strange_answer_is_an_error(what: str) -> None:
    """The one that every caller handles, whatever the other side takes for HTTP."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(STRANGE[what])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    async with server, outbound() as client:
        port = server.sockets[0].getsockname()[1]
        assert await why(client, f"http://127.0.0.1:{port}/", 0x5000)


class Silent(Names):
    """A name server that does not answer."""

    async def addresses(self, host: str) -> list[Address]:
        """Never."""
        await asyncio.Event().wait()
        return []


async def test_name_server_that_hangs_is_given_up() -> None:
    """Within the time of the whole request."""
    async with outbound(names=Silent(), timeout=0.05) as client:
        assert "in time" in await why(client, "https://idp.example/")


async def test_nobody_there_is_an_error(web: WebServer) -> None:
    """The one that every caller handles."""
    url = web.url
    await web.stop()
    async with outbound() as client:
        assert "Connect call failed" in await why(client, url + "/")


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example/",
        "http://10.0.0.1/",
        "http://127.1/",
        "http://localhost.example/",
        "ftp://localhost/",
        "file:///etc/passwd",
        "//localhost/",
        "localhost",
        "",
        "https://",
        "https://user:secret@idp.example/",
        "https://[::1",
    ],
)
async def test_url_is_https_or_loopback(url: str) -> None:
    """Anything else is refused before a name is looked up; what it holds is not repeated."""
    async with outbound((ip_network("0.0.0.0/0"), *LOOPBACK), names=Told("127.0.0.1")) as client:
        text = await why(client, url)
    assert "the url" in text
    assert "secret" not in text


async def test_loopback_is_refused_unless_allowed(web: WebServer) -> None:
    """By name as by number; nothing is sent."""
    async with outbound(()) as client:
        for host in ("localhost", "127.0.0.1"):
            assert "egress_allow" in await why(client, f"http://{host}:{web.port}/")
    assert web.requests == []


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "10.0.0.1", "127.0.0.1", "::1", "fd00:ec2::254", "0.1.2.3"]
)
async def test_name_of_a_near_address_is_refused(address: str) -> None:
    """What a name resolves to is what counts."""
    async with outbound((), names=Told(address)) as client:
        text = await why(client, "https://idp.example/secret-path")
    assert address in text
    assert "secret-path" not in text


@pytest.mark.parametrize("host", ["169.254.169.254", "10.0.0.1", "[::1]", "[::ffff:10.0.0.1]"])
async def test_near_address_itself_is_refused(host: str) -> None:
    """Numbers pass no name server, and are judged all the same."""
    async with outbound(()) as client:
        assert "egress_allow" in await why(client, f"https://{host}/")


class Several(Names):
    """A name server that knows near addresses beside the one that may be called."""

    async def addresses(self, host: str) -> list[Address]:
        """Three, the good one in the middle."""
        return [(socket.AF_INET, each) for each in ("10.0.0.1", "127.0.0.1", "127.0.0.2")]


async def test_of_several_addresses_only_what_may_be_called_is(web: WebServer) -> None:
    """The others are passed over, in whatever order they come."""
    async with outbound((ip_network("127.0.0.1/32"),), names=Several()) as client:
        assert await client.get(web.url + "/", LIMIT) == b"hello"
        await web.stop()
        assert "egress_allow" in await why(client, web.url + "/")


async def test_rebinding_gains_nothing(secure: tuple[WebServer, bytes]) -> None:
    """The address is judged anew for each connection: a name that was fine is not for good."""
    web, ca = secure
    allowed = (ip_network("127.0.0.1/32"),)
    async with outbound(allowed, ca=ca, names=Told("127.0.0.1", "127.0.0.2")) as client:
        # A name of the certificate, written as no name that is known to be this machine.
        url = f"https://LOCALHOST.:{web.port}/"
        assert await client.get(url, LIMIT) == b"hello"
        assert "127.0.0.2" in await why(client, url)
    assert web.count("/") == 1


async def test_certificate_must_be_of_a_known_authority(secure: tuple[WebServer, bytes]) -> None:
    """And of the name: an extra CA adds one, and takes nothing away."""
    web, ca = secure
    async with outbound() as client:
        assert "certificate" in (await why(client, f"{web.url}/")).lower()
    async with outbound(ca=ca) as client:
        assert await client.get(f"{web.url}/", LIMIT) == b"hello"
    async with outbound(ca=ca, names=Told("127.0.0.1")) as client:
        assert "certificate" in (await why(client, f"https://idp.example:{web.port}/")).lower()


async def test_proxies_of_the_environment_are_not_used(
    web: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would see to it that no address is judged."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, web.url)
    async with outbound((), names=Told("10.0.0.1")) as client:
        assert "10.0.0.1" in await why(client, "https://idp.example/")
    assert web.requests == []


async def test_closed_client_sends_nothing(web: WebServer) -> None:
    """Closing twice is no error."""
    client = HttpOutbound(LOOPBACK)
    await client.get(web.url + "/", LIMIT)
    await client.close()
    await client.close()
    assert "no more requests" in await why(client, web.url + "/")


async def test_caller_who_leaves_ends_the_request(web: WebServer) -> None:
    """Nothing of it is left behind."""
    web.hold("/")
    async with outbound() as client:
        task = asyncio.create_task(client.get(web.url + "/", LIMIT))
        await web.asked("/")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        web.release("/")
        assert await client.get(web.url + "/", LIMIT) == b"hello"


async def test_names_are_looked_up_by_the_system() -> None:
    """A number stays what it is, and a name that nobody has is an error."""
    names = Names()
    try:
        assert await names.addresses("127.0.0.3") == [(socket.AF_INET, "127.0.0.3")]
        assert await names.addresses("LocalHost.") == await names.addresses("localhost")
        found = await names.resolve("localhost", 80, socket.AF_INET6)
        assert [(each["host"], each["port"]) for each in found] == [("::1", 80)]
        with pytest.raises(OSError, match=r".+"):
            await names.addresses("a name.invalid")
    finally:
        await names.close()
